/**
 * The assertions that a function throws, or that its promise is rejected.
 *
 * @module
 */
import { AssertionError } from "./assertion_error.ts";
import { inspect, suffix } from "./equals.ts";

/** A class of errors; abstract ones too. */
export type ErrorType<E> = abstract new (...args: never[]) => E;

/**
 * Asserts that a function throws.
 *
 * @param fn The function.
 * @param msg What the failure means.
 * @returns What was thrown.
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Asserts that a function throws an error of a class.
 *
 * @example Usage
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => JSON.parse("{"), SyntaxError, "JSON");
 * ```
 * @typeParam E The class.
 * @param fn The function.
 * @param ErrorClass The class.
 * @param msgIncludes What the error's message must contain.
 * @param msg What the failure means.
 * @returns The error.
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorType<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMsg?: ErrorType<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const wish = readWish(classOrMsg, msgIncludes, msg);
  let thrown: unknown;
  try {
    thrown = fn();
  } catch (error) {
    return checked(error, wish, "thrown");
  }
  if (isPromiseLike(thrown)) {
    // Nobody awaits it: its rejection mustn't end the whole run.
    thrown.then(undefined, () => {});
  }
  throw new AssertionError(`Expected function to throw${suffix(wish.msg)}`);
}

/**
 * Asserts that a function's promise is rejected.
 *
 * @param fn The function.
 * @param msg What the failure means.
 * @returns The reason.
 */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/**
 * Asserts that a function's promise is rejected with an error of a class.
 *
 * @example Usage
 * ```ts
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => Promise.reject(new RangeError("far")), RangeError);
 * ```
 * @typeParam E The class.
 * @param fn The function.
 * @param ErrorClass The class.
 * @param msgIncludes What the error's message must contain.
 * @param msg What the failure means.
 * @returns The error.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorType<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorType<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const wish = readWish(classOrMsg, msgIncludes, msg);
  let promise: unknown;
  try {
    promise = fn();
  } catch (cause) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(wish.msg)}`,
      { cause },
    );
  }
  if (!isPromiseLike(promise)) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(wish.msg)}`,
    );
  }
  try {
    await promise;
  } catch (error) {
    return checked(error, wish, "rejected");
  }
  throw new AssertionError(`Expected function to reject${suffix(wish.msg)}`);
}

/**
 * Asserts that a value is an error of a class, with a message.
 *
 * @typeParam E The class.
 * @param error The value.
 * @param ErrorClass The class; any error will do when absent.
 * @param msgMatches What the message must contain or match.
 * @param msg What the failure means.
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorType<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object${suffix(msg)}`,
    );
  }
  if (ErrorClass !== undefined && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was ` +
        `"${error.constructor.name}" (${error.message})${suffix(msg)}`,
      { cause: error },
    );
  }
  const holds = msgMatches === undefined ||
    (typeof msgMatches === "string"
      ? error.message.includes(msgMatches)
      : msgMatches.test(error.message));
  if (holds) return;
  throw new AssertionError(
    `Expected error message to include ${inspect(msgMatches)}, but got ` +
      `${inspect(error.message)}${suffix(msg)}`,
    { cause: error },
  );
}

interface Wish<E> {
  readonly ErrorClass: ErrorType<E> | undefined;
  readonly msgIncludes: string | undefined;
  readonly msg: string | undefined;
}

function readWish<E>(
  classOrMsg: ErrorType<E> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): Wish<E> {
  return typeof classOrMsg === "string"
    ? { ErrorClass: undefined, msgIncludes: undefined, msg: classOrMsg }
    : { ErrorClass: classOrMsg, msgIncludes, msg };
}

function checked<E extends Error>(
  error: unknown,
  { ErrorClass, msgIncludes, msg }: Wish<E>,
  how: "thrown" | "rejected",
): unknown {
  if (ErrorClass === undefined) return error;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${how}${suffix(msg)}`);
  }
  assertIsError(error, ErrorClass, msgIncludes, msg);
  return error;
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
