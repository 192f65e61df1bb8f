import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Call, contradiction } from "./history.ts";

type Short = readonly [
  kind: Call["kind"],
  startMs: number,
  endMs?: number,
  heard?: string | boolean,
];

function calls(owner: string, all: readonly Short[]): Call[] {
  return all.map(([kind, startMs, endMs, heard = true]) => ({
    owner,
    kind,
    startMs,
    ...(endMs === undefined ? {} : { endMs, ok: heard !== false }),
    ...(typeof heard === "string" ? { ip: heard } : {}),
  }));
}

function check(all: readonly Short[], expected: "explained" | "not"): void {
  const found = contradiction(calls("a", all));
  assertEquals(found === undefined ? "explained" : "not", expected, found);
}

Deno.test("contradiction() accepts what one order explains", () => {
  check([], "explained");
  check([["ADD", 0, 1, "x"], ["CHECK", 2, 3], ["DEL", 4, 5]], "explained");
  check([["ADD", 0, 1, "x"], ["ADD", 2, 3, "x"]], "explained");
  check([["ADD", 0, 1, false], ["CHECK", 2, 3, false]], "explained");
  // Crossing: the DEL came first, or the ADD did.
  check([["ADD", 0, 9, "x"], ["DEL", 1, 2], ["CHECK", 10, 11]], "explained");
  check(
    [["ADD", 0, 9, "x"], ["DEL", 8, 12], ["CHECK", 13, 14, false]],
    "explained",
  );
});

Deno.test("contradiction() lets a killed call happen late, or never", () => {
  check([["ADD", 0], ["CHECK", 5, 6]], "explained");
  check([["ADD", 0], ["CHECK", 5, 6, false]], "explained");
  check([["ADD", 0], ["ADD", 5, 6, "x"], ["DEL", 7, 8]], "explained");
  check([["ADD", 0, 1, "x"], ["DEL", 2], ["CHECK", 3, 4]], "explained");
  check([["ADD", 0, 1, "x"], ["DEL", 2], ["CHECK", 3, 4, false]], "explained");
  // Made, seen by nobody but a look, and taken back.
  check([["ADD", 0], ["look", 1, 2, "x"], ["look", 3, 4]], "explained");
});

Deno.test("contradiction() shows what no order explains", () => {
  check([["ADD", 0, 1, "x"], ["ADD", 2, 3, "y"]], "not");
  check([["ADD", 0, 1, "x"], ["CHECK", 2, 3, false]], "not");
  check([["ADD", 0, 1, "x"], ["DEL", 2, 3], ["CHECK", 4, 5]], "not");
  check([["CHECK", 0, 1]], "not");
  check([["ADD", 0, 1, "x"], ["look", 2, 3, "y"]], "not");
  check([["look", 0, 1, "x"]], "not");
  check([["ADD", 0, 1, "x"], ["gone", 2, 3], ["look", 4, 5, "x"]], "not");
  // An ADD that was heard, lost to the undoing of one that was killed.
  check([["ADD", 0], ["ADD", 1, 2, "x"], ["CHECK", 3, 4, false]], "not");
});

Deno.test("contradiction() finds an address with two owners", () => {
  const two = [
    ...calls("a", [["ADD", 0, 1, "x"], ["DEL", 10, 11]]),
    ...calls("b", [["ADD", 5, 6, "x"]]),
  ];
  assertStringIncludes(contradiction(two) ?? "", "two owners");
  const after = [
    ...calls("a", [["ADD", 0, 1, "x"], ["DEL", 2, 3]]),
    ...calls("b", [["ADD", 5, 6, "x"]]),
  ];
  assertEquals(contradiction(after), undefined);
});
