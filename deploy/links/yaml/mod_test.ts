import { assertEquals, assertThrows } from "@std/assert";
import { parse, parseAll, stringify } from "./mod.ts";

Deno.test("parse() reads YAML 1.1 as @std/yaml does", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["", null],
    ["a: 0755", { a: 493 }],
    ["a: 1_000", { a: 1000 }],
    ["a: yes", { a: "yes" }],
    ["a: ~", { a: null }],
    ["a: 2020-01-02", { a: new Date("2020-01-02") }],
    ["a: &x {b: 1}\nc: {<<: *x, d: 2}", { a: { b: 1 }, c: { b: 1, d: 2 } }],
    ["a: |\n  one\n  two\n", { a: "one\ntwo\n" }],
    ["a: .5\nb: 1e3\nc: 0x1F", { a: 0.5, b: 1000, c: 31 }],
  ];
  for (const [text, data] of cases) assertEquals(parse(text), data, text);
});

Deno.test("parse() throws SyntaxError", () => {
  assertThrows(() => parse("a: [1"), SyntaxError);
  assertThrows(() => parse("a: 1\na: 2"), SyntaxError, "duplicated");
  assertThrows(() => parse("a: 1\n---\nb: 2"), SyntaxError);
  assertEquals(parse("a: 1\na: 2", { allowDuplicateKeys: true }), { a: 2 });
});

Deno.test("parseAll() gives every document", () => {
  assertEquals(parseAll("a: 1\n---\nb: 2\n"), [{ a: 1 }, { b: 2 }]);
  assertEquals(parseAll(""), []);
});

Deno.test("stringify() writes what parse() reads back", () => {
  const shared = { x: 1 };
  const data = { on: "yes", list: [shared, shared], text: "a\nb\n", nil: null };
  const text = stringify(data, { useAnchors: false });
  assertEquals(
    text,
    "'on': 'yes'\nlist:\n  - x: 1\n  - x: 1\ntext: |\n  a\n  b\nnil: null\n",
  );
  assertEquals(parse(text), data);
  assertEquals(stringify({ a: [1] }, { arrayIndent: false }), "a:\n- 1\n");
});

Deno.test("stringify() throws TypeError for what YAML can't say", () => {
  assertThrows(() => stringify({ run: () => {} }), TypeError);
  assertEquals(stringify({ run: () => {} }, { skipInvalid: true }), "{}\n");
});
