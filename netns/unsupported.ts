/**
 * What a recipe or this version can't do: an error with the feature's name.
 *
 * @module
 */

/** Something is asked for that isn't offered; no retry cures it. */
export class NotSupportedError extends Error {
  /** Its class. */
  override readonly name = "NotSupportedError";
  /** What isn't offered, such as `IPv6 by VPC routes`. */
  readonly feature: string;

  /**
   * Makes one.
   *
   * @param feature What isn't offered.
   * @param remedy What to do instead.
   */
  constructor(feature: string, remedy: string) {
    super(`Cannot offer ${feature}: ${remedy}`);
    this.feature = feature;
  }
}
