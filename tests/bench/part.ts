/**
 * A part of the benchmark: what it is asked, and what it gives.
 *
 * @module
 */

import type { Package } from "../packages.ts";

/** What every part is told. */
export interface PartOptions {
  /** How many rounds count. */
  readonly roundCount: number;
  /** Says a line for people. */
  readonly say: (line: string) => void;
}

/** A part; its fields become fields of the report. */
export interface Part {
  /** By what `--only` chooses it. */
  readonly name: string;
  /** What it measures, in a few words. */
  readonly title: string;
  /** Without one of these it isn't measured, and says so. */
  readonly needs: readonly Package[];
  /**
   * Measures, and says what it found.
   *
   * @param options What every part is told.
   * @returns The report's fields.
   */
  readonly measure: (
    options: PartOptions,
  ) => Promise<Readonly<Record<string, unknown>>>;
}
