import { assertEquals } from "@std/assert";
import { mergePatch, mergeTrees, originOf, valueAt } from "./overlay.ts";

Deno.test("mergePatch() gives every result of RFC 7396, appendix A", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    [
      '{"a":{"b":"c"}}',
      '{"a":{"b":"d","c":null}}',
      '{"a":{"b":"d"}}',
    ],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', "null", "null"],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ];
  for (const [target, patch, result] of cases) {
    const before = JSON.parse(target);
    const merged = mergePatch(before, JSON.parse(patch));
    assertEquals(merged, JSON.parse(result), patch);
    assertEquals(before, JSON.parse(target), "the target is left alone");
  }
});

Deno.test("mergePatch() takes a key that JavaScript gives a meaning as a key", () => {
  const patch = JSON.parse('{"__proto__":{"x":1},"constructor":2,"a":3}');
  const merged = mergePatch({}, patch);
  assertEquals(JSON.stringify(merged), JSON.stringify(patch));
  assertEquals(Reflect.get({}, "x"), undefined);
});

Deno.test("mergeTrees() takes a null in the lowest tree for not given", () => {
  assertEquals(mergeTrees([{ a: null, b: { c: null, d: 1 } }]), {
    b: { d: 1 },
  });
  assertEquals(mergeTrees([]), {});
});

Deno.test("originOf() names the highest tree that holds the path", () => {
  const trees = [{ a: [1, 2], b: { c: 1 } }, { b: { c: 2 } }];
  assertEquals(originOf(trees, ["a", 1]), 0);
  assertEquals(originOf(trees, ["b", "c"]), 1);
  assertEquals(originOf(trees, ["d"]), undefined);
  assertEquals(originOf(trees, []), undefined);
  assertEquals(valueAt(trees, [1, "b", "c"]), 2);
});
