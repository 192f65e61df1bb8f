/**
 * What `@std/assert` says, said by this package as well: its documented
 * verdicts as a table, so that exchanging one for the other changes nothing.
 */
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "./mod.ts";

class Point {
  readonly x: number;
  constructor(x: number) {
    this.x = x;
  }
}

class Hidden {
  #value: number;
  constructor(value: number) {
    this.#value = value;
  }
  get value(): number {
    return this.#value;
  }
}

const cycle = (): Record<string, unknown> => {
  const ring: Record<string, unknown> = { name: "ring" };
  ring.self = ring;
  return ring;
};

const VERDICTS: readonly (readonly [boolean, unknown, unknown])[] = [
  [true, 0, -0],
  [true, NaN, NaN],
  [false, 1, "1"],
  [false, {}, { a: undefined }],
  [false, { a: undefined }, { b: undefined }],
  [false, [undefined], new Array(1)],
  [true, [1, [2]], [1, [2]]],
  [true, Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  [false, new Point(1), { x: 1 }],
  [true, new Point(1), new Point(1)],
  [false, new Hidden(1), new Hidden(2)],
  [true, new Hidden(1), new Hidden(1)],
  [true, new Set([{ a: 1 }, 2]), new Set([2, { a: 1 }])],
  [false, new Set([1, 2]), new Set([1, 3])],
  [true, new Map([[{ k: 1 }, "v"]]), new Map([[{ k: 1 }, "v"]])],
  [false, new Map([["a", undefined]]), new Map([["b", undefined]])],
  [true, new Date(NaN), new Date(NaN)],
  [false, new Date(1), new Date(2)],
  [true, /a/g, /a/g],
  [false, /a/g, /a/i],
  [false, new URL("http://a/"), new URL("http://b/")],
  [true, new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  [false, new Uint8Array([1]), new Int8Array([1])],
  [false, new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  [false, new Error("a"), new Error("b")],
  [true, cycle(), cycle()],
  [false, null, undefined],
  [false, () => 1, () => 1],
  [false, { [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 2 }],
];

Deno.test("equal() decides as @std/assert does", () => {
  for (const [expected, a, b] of VERDICTS) {
    const pair = `${Deno.inspect(a)} and ${Deno.inspect(b)}`;
    assert(equal(a, b) === expected, `${pair}: not ${expected}`);
    assert(equal(b, a) === expected, `${pair}, turned round: not ${expected}`);
  }
});

Deno.test("assertEquals() shows what differs, line by line", () => {
  const error = assertThrows(
    () => assertEquals({ a: 1, b: [2, 3] }, { a: 1, b: [2, 4] }, "why"),
    AssertionError,
  );
  assertStringIncludes(error.message, "Values are not equal: why");
  assertStringIncludes(error.message, "    -     4,");
  assertStringIncludes(error.message, "    +     3,");
  assertStringIncludes(error.message, "      a: 1,");
});

Deno.test("assertThrows() and assertRejects() give the error back", async () => {
  const error = assertThrows(() => fail("x"), AssertionError, "tion: x");
  assertStrictEquals(error.name, "AssertionError");
  assertInstanceOf(assertThrows(() => unreachable()), AssertionError);
  const reason = await assertRejects(
    () => Promise.reject(new RangeError("far")),
    RangeError,
    "fa",
  );
  assertStrictEquals(reason.message, "far");
  assertStrictEquals(await assertRejects(() => Promise.reject(7)), 7);
});

Deno.test("an assertion that doesn't hold throws AssertionError", async () => {
  const wrong: readonly (() => void)[] = [
    () => assert(0),
    () => assertNotEquals([1], [1]),
    () => assertStrictEquals({}, {}),
    () => assertExists(null),
    () => assertThrows(() => {}),
    () => assertThrows(() => fail("a"), AssertionError, "b"),
    () => assertThrows(() => fail("a"), RangeError),
    () => assertStringIncludes("abc", "x"),
    () => assertMatch("abc", /x/),
    () => assertArrayIncludes([1, { a: 1 }], [{ a: 2 }]),
    () => assertObjectMatch({ a: { b: 1 } }, { a: { b: 2 } }),
    () => assertObjectMatch({ a: 1 }, { b: undefined }),
    () => assertObjectMatch({ list: [1] }, { list: [1, 2] }),
    () => assertInstanceOf(new Point(1), Hidden),
    () => assertGreater(1, 1),
    () => assertLessOrEqual(2, 1),
    () => assertAlmostEquals(1, 1.1),
  ];
  for (const run of wrong) assertThrows(run, AssertionError);
  await assertRejects(
    () => assertRejects(() => Promise.resolve()),
    AssertionError,
  );
});

Deno.test("an assertion that holds says nothing", () => {
  assertObjectMatch({ a: new Point(1), b: 2 }, { a: { x: 1 } });
  assertObjectMatch({ list: [{ a: 1, b: 2 }, 3] }, { list: [{ a: 1 }] });
  assertArrayIncludes([1, { a: 1 }], [{ a: 1 }]);
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertInstanceOf(new Point(1), Point);
});
