/**
 * What the pool throws. One class, told apart by its `kind`, never by text.
 *
 * @module
 */

/**
 * Why the pool can't do what was asked.
 *
 * - `timeout`: the caller's time ended before an address came.
 * - `cancelled`: the caller gave up, or released what it was waiting for.
 * - `full`: every address that this node may have is taken; only a pod that
 *   leaves, or a higher quota, can change that.
 * - `overloaded`: more claims wait than the pool keeps.
 * - `closing`: the pool is being drained or stopped.
 * - `journal`: the journal can't be opened, read or written.
 * - `broken`: an invariant doesn't hold; the process must end.
 */
export type PoolErrorKind =
  | "timeout"
  | "cancelled"
  | "full"
  | "overloaded"
  | "closing"
  | "journal"
  | "broken";

/** A wish that the pool refused, or a pool that can't go on. */
export class PoolError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "PoolError";
  /** Why. */
  readonly kind: PoolErrorKind;

  /**
   * Makes one.
   *
   * @param kind Why.
   * @param message What was tried, the cause and the next step.
   * @param options The cause.
   */
  constructor(kind: PoolErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * Throws unless an invariant holds.
 *
 * @param holds Whether it does.
 * @param text Which invariant is broken, and by what.
 * @throws {PoolError} `broken` when it doesn't.
 */
export function invariant(holds: boolean, text: string): asserts holds {
  if (!holds) throw new PoolError("broken", `Cannot go on as ${text}`);
}
