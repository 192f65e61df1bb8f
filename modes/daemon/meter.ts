/**
 * The daemon's meter, without the library that keeps its figures: a daemon
 * that serves no metrics doesn't load it.
 *
 * @module
 */
import type { CallEnded } from "../../pool/clouds.ts";
import type { MeteredPool } from "./metrics.ts";

/** A verb that was answered. */
export interface VerbEnded {
  /** Which, as the caller wrote it. */
  readonly name: string;
  /** What came of it. */
  readonly outcome: "ok" | "refused";
  /** How long it took. */
  readonly seconds: number;
}

/** Measures. */
export interface Meter {
  /** Writes all figures as Prometheus reads them. */
  text(): Promise<string>;
  /** The text's media type. */
  readonly contentType: string;
  /**
   * Begins to tell of a pool.
   *
   * @param pool The pool.
   */
  follow(pool: MeteredPool): void;
  /** Hears that a verb was answered. */
  readonly verbEnded: (ended: VerbEnded) => void;
  /** Hears that a call of the cloud ended. */
  readonly callEnded: (ended: CallEnded) => void;
}

/**
 * Opens a meter.
 *
 * @param isWanted Whether anybody reads it.
 * @returns The meter, if it is wanted.
 */
export async function openMeter(
  isWanted: boolean,
): Promise<Meter | undefined> {
  if (!isWanted) return undefined;
  const { openMetrics } = await import("./metrics.ts");
  return openMetrics();
}
