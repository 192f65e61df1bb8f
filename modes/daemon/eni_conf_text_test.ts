import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "./eni_conf_problem.ts";
import { readConfText, TEXT_LIMIT_BYTES } from "./eni_conf_text.ts";

function read(text: string): unknown {
  return readConfText({ name: "eni_conf", text }).tree;
}

function problemsOf(text: string): string[] {
  const error = assertThrows(() => read(text), ConfigError);
  return error.problems.map(({ path, rule }) => `${path}|${rule}`);
}

Deno.test("readConfText() reads JSON and YAML alike", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["{}", {}],
    ['{"a":1,"b":{"c":["d",true,null]}}', {
      a: 1,
      b: { c: ["d", true, null] },
    }],
    ['{\n\t"a": 1,\n\t"b":\t2\n}\n', { a: 1, b: 2 }],
    ["\uFEFFa: 1\n", { a: 1 }],
    ["a: 1\r\nb:\r\n  c: d\r\n", { a: 1, b: { c: "d" } }],
    ["\n\n# why\na: 1 # so\n", { a: 1 }],
    ["---\na: 1\n", { a: 1 }],
    ["a: 2020-01-02", { a: "2020-01-02" }],
    ["<<: {a: 1}", { "<<": { a: 1 } }],
    ["a: 1\n\t\n", { a: 1 }],
  ];
  for (const [text, tree] of cases) assertEquals(read(text), tree, text);
});

Deno.test("readConfText() reads any JSON object as JSON.parse() does", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
      fc.constantFrom(undefined, 2, "\t"),
      (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assertEquals(JSON.stringify(read(text)), JSON.stringify(value));
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("readConfText() says what is wrong, and where", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "|must not be empty: write {} when all defaults are meant"],
    [
      "\uFEFF \r\n # all\n",
      "|must not be empty: write {} when all defaults are meant",
    ],
    ["5", "|must be an object of keys and values"],
    ["[]", "|must be an object of keys and values"],
    ["just words", "|must be an object of keys and values"],
    [
      '{"a": 1,\n "a": 2}',
      "line 2, column 8|must be JSON or YAML: duplicated mapping key",
    ],
    [
      "a: 1\na: 2",
      "line 2, column 1|must be JSON or YAML: duplicated mapping key",
    ],
    ["a:\n\tb: 1", "line 2, column 1|must be indented by blanks, not by tabs"],
    [
      "a: 1\n  \tb: 1",
      "line 2, column 3|must be indented by blanks, not by tabs",
    ],
    ["a: &x {b: 1}\nc: *x", "|must not use aliases (*): write values out"],
    ["a: &x [*x]", "|must not use aliases (*): write values out"],
    [
      "[".repeat(17).padStart(22, '{"a": ') + "]".repeat(17) + "}",
      "|must not be nested deeper than 16",
    ],
    [
      `a: ${"x".repeat(TEXT_LIMIT_BYTES)}`,
      `|must have at most ${TEXT_LIMIT_BYTES} bytes`,
    ],
  ];
  for (const [text, problem] of cases) {
    assertEquals(problemsOf(text), [problem], text.slice(0, 40));
  }
});

Deno.test("readConfText() never repeats the text that it can't read", () => {
  const texts = [
    'access_secret: "hush',
    "access_secret: !hush x",
    "access_secret: *hush",
    "access_secret: [hush",
    '{"access_secret": "hush" "b"}',
    "a: 1\naccess_secret:hush",
    "access_secret: %hush",
    "access_secret: hush: hush",
    "access_secret:\thush\n hush: 1",
  ];
  for (const text of texts) {
    const error = assertThrows(() => read(text), ConfigError, "must be", text);
    assert(!error.message.includes("hush"), error.message);
  }
});

Deno.test("readConfText() ends with a reason however deep the text is", () => {
  assertEquals(problemsOf("[".repeat(500_000)).length, 1);
});
