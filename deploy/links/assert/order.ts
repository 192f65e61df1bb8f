/**
 * The assertions about order: `<`, `<=`, `>`, `>=`.
 *
 * @module
 */
import { AssertionError } from "./assertion_error.ts";
import { inspect, suffix } from "./equals.ts";

/**
 * Asserts that a value is greater than another.
 *
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What it must exceed.
 * @param msg What the failure means.
 */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  refuse(`Expect ${inspect(actual)} > ${inspect(expected)}`, msg);
}

/**
 * Asserts that a value is as great as another, or greater.
 *
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What it must reach.
 * @param msg What the failure means.
 */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual >= expected) return;
  refuse(`Expect ${inspect(actual)} >= ${inspect(expected)}`, msg);
}

/**
 * Asserts that a value is less than another.
 *
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What it must stay below.
 * @param msg What the failure means.
 */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  refuse(`Expect ${inspect(actual)} < ${inspect(expected)}`, msg);
}

/**
 * Asserts that a value is as small as another, or smaller.
 *
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What it must not exceed.
 * @param msg What the failure means.
 */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual <= expected) return;
  refuse(`Expect ${inspect(actual)} <= ${inspect(expected)}`, msg);
}

function refuse(text: string, msg: string | undefined): never {
  throw new AssertionError(`${text}${suffix(msg)}`);
}
