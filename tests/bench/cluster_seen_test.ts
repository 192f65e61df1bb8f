import { assertEquals } from "@std/assert";
import { addsBetween } from "./cluster_seen.ts";

function seen(bounds: readonly number[], totalMs: number) {
  const at = [0.1, 0.5, 1, Infinity];
  return {
    counts: new Map(at.map((bound, index) => [bound, bounds[index] ?? 0])),
    totalMs,
  };
}

Deno.test("addsBetween() draws straight lines through a histogram", () => {
  const before = seen([10, 10, 10, 10], 500);
  const after = seen([60, 110, 110, 110], 20_500);
  assertEquals(addsBetween(before, after), {
    meanMs: 200,
    p50Ms: 100,
    p99Ms: 492,
  });
});

Deno.test("addsBetween() says no more than the last bound", () => {
  const found = addsBetween(seen([], 0), seen([0, 0, 0, 4], 8_000));
  assertEquals(found, { meanMs: 2_000, p50Ms: 1_000, p99Ms: 1_000 });
});
