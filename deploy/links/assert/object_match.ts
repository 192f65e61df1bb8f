/**
 * The assertion that an object holds at least what another one holds.
 *
 * @module
 */
import { assertEquals } from "./equals.ts";

type Keyed = Record<PropertyKey, unknown>;

/** What was cut already, and to which shape, so that a cycle ends. */
type Seen = Map<object, { readonly shape: object; readonly kept: Keyed }>;

/**
 * Asserts that an object holds what is expected, deeply; what else it holds
 * doesn't matter, and neither do classes. An array must be as long as expected
 * or longer.
 *
 * @example Usage
 * ```ts
 * import { assertObjectMatch } from "@std/assert";
 *
 * assertObjectMatch({ a: { b: 1, c: 2 } }, { a: { b: 1 } });
 * ```
 * @param actual What was found.
 * @param expected A part of it.
 * @param msg What the failure means.
 */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- the signature of @std/assert
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  // Cutting `expected` by itself makes plain objects of its instances too.
  assertEquals(
    cut(actual, expected, new Map()),
    cut(expected, expected, new Map()),
    msg,
  );
}

/** Keeps of `value` what `shape` has as well. */
function cut(
  value: unknown,
  shape: unknown,
  seen: Seen,
): unknown {
  if (!isObject(value) || !isObject(shape)) return value;
  if (value instanceof RegExp || value instanceof Date) return value;
  const known = seen.get(value);
  if (known?.shape === shape) return known.kept;
  if (value instanceof Map && shape instanceof Map) {
    const kept = [...value].filter(([key]) => shape.has(key));
    return new Map(
      kept.map(([key, item]) => [key, cut(item, shape.get(key), seen)]),
    );
  }
  if (value instanceof Set && shape instanceof Set) {
    return new Set([...value].filter((item) => shape.has(item)));
  }
  const kept: Keyed = {};
  seen.set(value, { shape, kept });
  for (const key of Reflect.ownKeys(value)) {
    if (!(key in shape)) continue;
    // An array's length isn't a part of its shape.
    if (Array.isArray(value) && key === "length") continue;
    kept[key] = cut((value as Keyed)[key], (shape as Keyed)[key], seen);
  }
  return kept;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
