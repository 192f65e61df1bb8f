/**
 * The assertions of `@std/assert` 1.0.13, for networks from which its registry
 * can't be reached: the same names, signatures and verdicts. Deleting `links`
 * in the project's deno.json gives the real package.
 *
 * @module
 */
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";
import { inspect, suffix } from "./equals.ts";

export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export {
  assertEquals,
  assertNotEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "./equals.ts";
export { assertObjectMatch } from "./object_match.ts";
export {
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "./order.ts";
export {
  assertIsError,
  assertRejects,
  assertThrows,
  type ErrorType,
} from "./throws.ts";

/** Any class; abstract ones too. */
export type AnyConstructor = abstract new (...args: never[]) => unknown;

/** What a class makes. */
export type GetConstructorType<C extends AnyConstructor> = C extends
  abstract new (...args: never[]) => infer T ? T : never;

/**
 * Asserts that a value is truthy.
 *
 * @example Usage
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert("hello".includes("ello"));
 * ```
 * @param expr The value.
 * @param msg What the failure means.
 */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/**
 * Asserts that a value is falsy.
 *
 * @param expr The value.
 * @param msg What the failure means.
 */
export function assertFalse(
  expr: unknown,
  msg = "",
): asserts expr is false | 0 | "" | null | undefined {
  if (expr) throw new AssertionError(msg);
}

/**
 * Asserts that a value is neither null nor undefined.
 *
 * @typeParam T The value's type.
 * @param actual The value.
 * @param msg What the failure means.
 */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not be null or undefined${suffix(msg)}`,
  );
}

/**
 * Asserts that two numbers are close.
 *
 * @param actual What was found.
 * @param expected What should have been.
 * @param tolerance How far they may be apart; a ten millionth by default.
 * @param msg What the failure means.
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const delta = Math.abs(expected - actual);
  const allowed = tolerance ??
    (isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (delta <= allowed) return;
  const show = (value: number) =>
    Number.isInteger(value) ? value : value.toExponential();
  throw new AssertionError(
    `Expected actual: "${show(actual)}" to be close to "${show(expected)}": ` +
      `delta "${show(delta)}" is greater than "${show(allowed)}"${suffix(msg)}`,
  );
}

/**
 * Asserts that a text contains another.
 *
 * @param actual The text.
 * @param expected What it must contain.
 * @param msg What the failure means.
 */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Asserts that a text matches.
 *
 * @param actual The text.
 * @param expected The expression.
 * @param msg What the failure means.
 */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Asserts that a text doesn't match.
 *
 * @param actual The text.
 * @param expected The expression.
 * @param msg What the failure means.
 */
export function assertNotMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (!expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not match: "${expected}"${suffix(msg)}`,
  );
}

/** Like an array, but not a text: that is for {@linkcode assertStringIncludes}. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/**
 * Asserts that an array contains all items of another, in whatever order.
 *
 * @typeParam T The items' type.
 * @param actual The array.
 * @param expected What it must contain.
 * @param msg What the failure means.
 */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const all = Array.from(actual);
  const missing = Array.from(expected)
    .filter((item) => !all.some((other) => equal(item, other)));
  if (missing.length === 0) return;
  throw new AssertionError(
    `Expected actual: "${inspect(actual)}" to include: "${inspect(expected)}"` +
      `${suffix(msg)}\nmissing: ${inspect(missing)}`,
  );
}

/**
 * Asserts that a value is an instance of a class.
 *
 * @typeParam T The class.
 * @param actual The value.
 * @param expectedType The class.
 * @param msg What the failure means.
 */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is GetConstructorType<T> {
  if (actual instanceof expectedType) return;
  const found = typeof actual === "object" && actual !== null
    ? actual.constructor?.name ?? "Object"
    : actual === null
    ? "null"
    : typeof actual;
  throw new AssertionError(
    `Expected object to be an instance of "${expectedType.name}" but was ` +
      `"${found}"${suffix(msg)}`,
  );
}

/**
 * Fails.
 *
 * @param msg Why.
 */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

/**
 * Says that this line can't be reached.
 *
 * @param reason Why not.
 */
export function unreachable(reason?: string): never {
  throw new AssertionError(`Unreachable${suffix(reason)}`);
}

/**
 * Says that this isn't written yet.
 *
 * @param msg What isn't.
 */
export function unimplemented(msg?: string): never {
  throw new AssertionError(`Unimplemented${suffix(msg)}`);
}
