import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { crashEverywhere } from "./testing/crash_points.ts";
import { live, simulate } from "./testing/live.ts";
import { SCENARIOS } from "./testing/scenarios.ts";
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

/** All of them are in tests/simulate_test.ts; these found something. */
const ALWAYS = [
  "the first pod",
  "a late Create, and then a dry vSwitch",
  "a late Unassign, and pods that come before it",
];

for (const scenario of SCENARIOS) {
  if (!ALWAYS.includes(scenario.name)) continue;
  Deno.test(`a crash anywhere costs nothing: ${scenario.name}`, async () => {
    const { pointCount } = await crashEverywhere(scenario);
    assert(pointCount > 20, `${pointCount} crash points`);
  });
}
