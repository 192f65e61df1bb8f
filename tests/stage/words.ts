/**
 * Words of a command line, as the stage's and the cluster's both have them.
 *
 * @module
 */
import { StageError } from "./description.ts";

/** A flag whose value is a number of things. */
export interface CountWish {
  /** The flag, without dashes. */
  readonly name: string;
  /** What was given for it, if anything was. */
  readonly text: string | undefined;
  /** The most that makes sense. */
  readonly limit: number;
}

/**
 * Reads how many of something there shall be.
 *
 * @param wish The flag.
 * @returns 1 to the limit; 2 unless told.
 * @throws {StageError} When it is no such number.
 */
export function readCount({ name, text, limit }: CountWish): number {
  if (text === undefined) return 2;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= limit) return count;
  throw new StageError(
    `Cannot use --${name} ${text} as it must be 1 to ${limit}`,
  );
}

/**
 * Refuses words that nobody understands.
 *
 * @param verb What they follow.
 * @param rest The words.
 * @throws {StageError} When there are any.
 */
export function expectNoMore(verb: string, rest: readonly string[]): void {
  if (rest.length === 0) return;
  throw new StageError(`Cannot understand "${rest[0]}" after "${verb}"`);
}
