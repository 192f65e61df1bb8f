/**
 * What a simulated life throws when a promise is broken.
 *
 * @module
 */

/** The promises; ARCHITECTURE.md lists most of them. */
export type Rule =
  /** No address has two owners. */
  | "one owner"
  /** A pod has an address of each family that pods have, or nothing. */
  | "both or none"
  /** A released address rests before another owner gets it. */
  | "cooling"
  /** No lease without a record; what a pod was told stays so. */
  | "lease record"
  /** A node has one trunk at most. */
  | "one trunk"
  /** No card in the cloud without an intent. */
  | "intent record"
  /** A pod's address is on its card, and the card on the node. */
  | "address in place"
  /** Once settled, the cloud's set is the journal's. */
  | "cloud set"
  /** Once settled, the kernel's set is the journal's. */
  | "kernel set"
  /** At most 8 calls at once. */
  | "calls at once"
  /** Each call has a deadline. */
  | "deadline"
  /** An API that throttled isn't called before the next minute. */
  | "throttled"
  /** An API is called no more often in a minute than was told. */
  | "budget"
  /** While the cloud is away nothing is given back, then it is only looked. */
  | "restraint"
  /** Calls that take something have a token, and a token one call. */
  | "token"
  /** What we did not make, we do not remove. */
  | "not ours"
  /** Nothing hangs for ever, and the stock is within its bounds. */
  | "settles"
  /** A pool that is left alone asks the cloud now and then, not in haste. */
  | "haste"
  /** What is drained is empty. */
  | "leak"
  /** The journal holds what it was told. */
  | "journal"
  /** The keeper never contradicts itself. */
  | "broken";

/** A broken promise. */
export class Violation extends Error {
  /** The class's name. */
  override readonly name = "Violation";
  /** Which promise. */
  readonly rule: Rule;

  /**
   * Makes one.
   *
   * @param rule Which promise.
   * @param message What was seen instead.
   * @param options The cause.
   */
  constructor(rule: Rule, message: string, options?: ErrorOptions) {
    super(message, options);
    this.rule = rule;
  }
}
