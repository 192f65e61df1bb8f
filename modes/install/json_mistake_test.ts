import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { findMistake } from "./json_mistake.ts";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

Deno.test("findMistake() finds the place where a text stops being JSON", () => {
  const check = (text: string, line: number, column: number): void => {
    const place = findMistake(text);
    assertEquals([place?.line, place?.column], [line, column], text);
  };
  check("", 1, 1);
  check("\n\n", 3, 1);
  check('{"a": x}', 1, 7);
  check('{"a": 1,}', 1, 9);
  check('{"a": 1', 1, 8);
  check('{\n  "a": [\n    {"b": 1}\n    {"c": 2}\n  ]\n}', 4, 5);
  check('{"ä€😀": "\t"}', 1, 9);
  check("[1] 2", 1, 5);
  check("// a comment\n{}", 1, 1);
  check("\ufeff{}", 1, 1);
});

Deno.test("findMistake() agrees with JSON.parse on every text", () => {
  const pieces = fc.constantFrom(
    ...[
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      '"a"',
      '"\\u00e',
      '"',
      "1",
      "-",
      "0",
      ".",
    ],
    ...["e5", "true", "null", "nul", " ", "\n", "\\", "\u0000"],
  );
  const soup = fc.array(pieces, { maxLength: 12 }).map((all) => all.join(""));
  const near = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 }))
    .map(([json, at, text]) => {
      const cut = at % (json.length + 1);
      return json.slice(0, cut) + text + json.slice(cut + text.length);
    });
  fc.assert(
    fc.property(fc.oneof(soup, near, fc.json()), (text) => {
      assertEquals(findMistake(text) === undefined, isJson(text));
    }),
    { numRuns: 3_000 },
  );
});
