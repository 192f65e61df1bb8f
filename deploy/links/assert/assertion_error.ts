/**
 * The one error of an assertion that doesn't hold.
 *
 * @module
 */

/**
 * Says that an assertion doesn't hold.
 *
 * @example Usage
 * ```ts
 * import { AssertionError } from "@std/assert";
 *
 * try {
 *   throw new AssertionError("one is not two");
 * } catch (error) {
 *   if (!(error instanceof AssertionError)) throw error;
 * }
 * ```
 */
export class AssertionError extends Error {
  /**
   * Makes the error.
   *
   * @param message What was expected and what was found.
   * @param options The cause, if another error led here.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}
