/**
 * Deep equality by the rules of `@std/assert`.
 *
 * Not `util.isDeepStrictEqual`, which differs where it hurts: it tells 0 from
 * -0 and an object without prototype from a literal, and it doesn't look at
 * the getters of a class, so that two instances with other private fields are
 * equal to it.
 *
 * @module
 */

type Keyed = Record<PropertyKey, unknown>;

/**
 * Prototypes whose instances hold their value in internal slots: their text
 * is compared. Temporal isn't in every runtime.
 */
const TEXTUAL: ReadonlySet<unknown> = new Set(
  [
    Intl.Locale,
    RegExp,
    URL,
    URLSearchParams,
    ...Object.values(temporalClasses()),
  ].map((type) => type.prototype),
);

/**
 * Says whether two values are deeply equal.
 *
 * @example A property that is `undefined` isn't a property that is absent
 * ```ts
 * import { assert, equal } from "@std/assert";
 *
 * assert(equal({ a: [1, NaN, -0] }, { a: [1, NaN, 0] }));
 * assert(!equal({ a: undefined }, {}));
 * ```
 * @param a One value.
 * @param b The other.
 * @returns Whether they are equal; class, own keys and getters count.
 * @throws {TypeError} For a WeakMap or WeakSet, as nobody can look into them.
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare({ a, b, seen: new Map() });
}

interface Pair {
  readonly a: unknown;
  readonly b: unknown;
  /** The objects under comparison, so that a cycle ends. */
  readonly seen: Map<object, object>;
}

function compare({ a, b, seen }: Pair): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (!samePrototype(a, b)) return false;
  if (ArrayBuffer.isView(a) && !(a instanceof DataView)) {
    return sameBytes(a as Uint8Array, b as Uint8Array);
  }
  if (a instanceof Date && b instanceof Date) {
    return Object.is(a.getTime(), b.getTime());
  }
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
  }
  if (a instanceof WeakRef && b instanceof WeakRef) {
    return compare({ a: a.deref(), b: b.deref(), seen });
  }
  if (seen.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  seen.set(a, b);
  if (a instanceof Set && b instanceof Set) return sameSet(a, b, seen);
  if (a instanceof Map && b instanceof Map) return sameMap(a, b, seen);
  if (TEXTUAL.has(Object.getPrototypeOf(a))) return String(a) === String(b);
  return sameKeys(a as Keyed, b as Keyed, seen);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** An object without prototype equals a literal, as `querystring` gives. */
function samePrototype(a: object, b: object): boolean {
  const plain = (value: object) =>
    Object.getPrototypeOf(value) ?? Object.prototype;
  return plain(a) === plain(b);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length &&
    a.every((byte, at) => byte === b[at] || Object.is(byte, b[at]));
}

function sameSet(
  a: ReadonlySet<unknown>,
  b: ReadonlySet<unknown>,
  seen: Map<object, object>,
): boolean {
  if (a.size !== b.size) return false;
  const left = new Set(b);
  for (const item of a) {
    if (left.delete(item)) continue;
    const twin = left.values()
      .find((other) => isObject(item) && compare({ a: item, b: other, seen }));
    if (twin === undefined) return false;
    left.delete(twin);
  }
  return true;
}

function sameMap(
  a: ReadonlyMap<unknown, unknown>,
  b: ReadonlyMap<unknown, unknown>,
  seen: Map<object, object>,
): boolean {
  if (a.size !== b.size) return false;
  const left = new Map(b);
  for (const [key, value] of a) {
    const twin = left.has(key)
      ? key
      : left.keys().find((other) =>
        isObject(key) && compare({ a: key, b: other, seen }) &&
        compare({ a: value, b: left.get(other), seen })
      );
    if (!left.has(twin) || !compare({ a: value, b: left.get(twin), seen })) {
      return false;
    }
    left.delete(twin);
  }
  return true;
}

function sameKeys(a: Keyed, b: Keyed, seen: Map<object, object>): boolean {
  for (const key of new Set([...keysOf(a), ...keysOf(b)])) {
    if (key in a !== key in b) return false;
    if (!compare({ a: a[key], b: b[key], seen })) return false;
  }
  return true;
}

/**
 * The enumerable keys of a literal or an array; of an instance of a class
 * every key up to the root, so that its getters count.
 */
function keysOf(value: object): PropertyKey[] {
  const prototype = Object.getPrototypeOf(value);
  if (
    prototype === null || prototype === Object.prototype ||
    prototype === Array.prototype
  ) {
    return Reflect.ownKeys({ ...value });
  }
  const keys: PropertyKey[] = [];
  for (
    let at = value;
    at !== null && at !== Object.prototype && at !== Array.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    keys.push(...Reflect.ownKeys(at));
  }
  return keys;
}

function temporalClasses(): Record<string, { prototype: unknown }> {
  const { Temporal } = globalThis as unknown as {
    Temporal?: Record<string, { prototype?: unknown }>;
  };
  const classes = Temporal === undefined
    ? []
    : Object.getOwnPropertyNames(Temporal).map((name) =>
      [name, Temporal[name]] as const
    );
  return Object.fromEntries(
    classes.filter(([, type]) => type?.prototype !== undefined),
  ) as Record<string, { prototype: unknown }>;
}
