import { assertEquals } from "@std/assert";
import { stripAnnotations } from "./eni_conf_annotations.ts";

Deno.test("stripAnnotations() drops a blank and // to the end of the line", () => {
  const cases: readonly (readonly [string, string, readonly number[]])[] = [
    ["a: 5 //note", "a: 5", [1]],
    ["a: 5\t// note", "a: 5", [1]],
    ["// all of it", "", [1]],
    ["a: 1\n  // it's \"open\nb: 2", "a: 1\n\nb: 2", [2]],
    ["a: http://x", "a: http://x", []],
    ["a: x//y", "a: x//y", []],
    ['a: "x //y" //z', 'a: "x //y"', [1]],
    ['{"a":"\\" //y"} //z', '{"a":"\\" //y"}', [1]],
    ["a: 'it''s //y' //z", "a: 'it''s //y'", [1]],
    ["a: it's //y", "a: it's", [1]],
    ["a: 1 # x //y", "a: 1 # x //y", []],
    ["a: x#y //z", "a: x#y", [1]],
    ['a: "x\n  //y"', 'a: "x\n  //y"', []],
  ];
  for (const [text, rest, lines] of cases) {
    const stripped = stripAnnotations(text);
    assertEquals(stripped.text, rest, text);
    assertEquals(stripped.annotatedLines, lines, text);
    assertEquals(stripped.problems, [], text);
  }
});

Deno.test("stripAnnotations() finds arrows and dots, by line and column", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["a: 5 <----- here", ["line 1, column 6"]],
    ["a: 5<-- here", ["line 1, column 5"]],
    ["a: 1\r\n...\r\nb: 2", ["line 2, column 1"]],
    ["a: [x, ...]", ["line 1, column 8"]],
    ['{"a": 1, ... }', ["line 1, column 10"]],
    ["a: 1 //x <---- y", []],
    ["a: 1 # <---- y ...", []],
    ['a: "<---- ..."', []],
    ["a: x...", []],
    ["a: x... y", []],
    ["a: x<-y", []],
  ];
  for (const [text, paths] of cases) {
    const { problems } = stripAnnotations(text);
    assertEquals(problems.map(({ path }) => path), paths, text);
  }
});
