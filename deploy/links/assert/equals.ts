/**
 * The assertions that two values are, or aren't, the same.
 *
 * @module
 */
import { diff } from "node:util";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/**
 * Asserts that two values are deeply equal; a failure shows the difference
 * line by line.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals({ hello: "world" }, { hello: "world" });
 * ```
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What should have been.
 * @param msg What the failure means.
 */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${suffix(msg)}\n\n${difference(actual, expected)}`,
  );
}

/**
 * Asserts that two values are not deeply equal.
 *
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What should not have been.
 * @param msg What the failure means.
 */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${inspect(actual)} not to be: ${inspect(expected)}` +
      suffix(msg),
  );
}

/**
 * Asserts that two values are the same by `Object.is`.
 *
 * @typeParam T What is expected.
 * @param actual What was found.
 * @param expected What should have been.
 * @param msg What the failure means.
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const reason = equal(actual, expected)
    ? `structurally equal, but not the same:\n\n    ${inspect(actual)}`
    : `not strictly equal\n\n${difference(actual, expected)}`;
  throw new AssertionError(`Values are ${reason}${suffix(msg)}`);
}

/**
 * Asserts that two values are not the same by `Object.is`.
 *
 * @typeParam T What both are.
 * @param actual What was found.
 * @param expected What should not have been.
 * @param msg What the failure means.
 */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!Object.is(actual, expected)) return;
  throw new AssertionError(
    `Expected "actual" to not be strictly equal to: ${inspect(actual)}` +
      suffix(msg),
  );
}

/**
 * Writes a value as a failure shows it: whole, its keys sorted, an item a line.
 *
 * @param value Anything.
 * @returns Its text.
 */
export function inspect(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
    getters: true,
  });
}

/**
 * Writes what a failure means, after its first words.
 *
 * @param msg What the caller says.
 * @returns `: msg`, or a full stop.
 */
export function suffix(msg: string | undefined): string {
  return msg === undefined || msg === "" ? "." : `: ${msg}`;
}

/** Text is compared line by line, so that a document's change stands out. */
function difference(actual: unknown, expected: unknown): string {
  const lines = (value: unknown) =>
    (typeof value === "string" ? quoteLines(value) : inspect(value))
      .split("\n");
  const marks = { "-1": "+", "0": " ", "1": "-" } as const;
  const body = diff(lines(expected), lines(actual))
    .map(([kind, line]) => `    ${marks[`${kind as -1 | 0 | 1}`]} ${line}`);
  return ["    [Diff] - Expected / + Actual", "", ...body, ""].join("\n");
}

/** Makes trailing blanks and control characters visible. */
function quoteLines(text: string): string {
  return text.split("\n").map((line) => JSON.stringify(line).slice(1, -1))
    .join("\n");
}
