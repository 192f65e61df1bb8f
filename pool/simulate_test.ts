import { assertEquals, assertNotEquals } from "@std/assert";
import { live, simulate } from "./testing/live.ts";
import { REGRESSIONS } from "./testing/regressions.ts";

Deno.test("whatever happens to a node, its pool keeps its promises", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { violation } = await simulate({ seed, stepCount: 100 });
    assertEquals(
      violation,
      undefined,
      `deno task simulate --seed ${seed} --steps 100`,
    );
  }
});

for (const { reason, script } of REGRESSIONS) {
  Deno.test(`it isn't broken again: ${reason}`, async () => {
    const { violation, trace } = await live(script);
    assertEquals(violation, undefined, trace.slice(-60).join("\n"));
  });
}

Deno.test("the same seed gives the same life, bit for bit", async () => {
  const [one, two, other] = [
    await simulate({ seed: 7, stepCount: 150 }),
    await simulate({ seed: 7, stepCount: 150 }),
    await simulate({ seed: 8, stepCount: 150 }),
  ];
  assertEquals(one, two);
  assertEquals(one.hash.length, 64);
  assertNotEquals(one.hash, other.hash);
});
