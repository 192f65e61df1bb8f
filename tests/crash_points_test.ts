import { assert } from "@std/assert";
import { crashEverywhere } from "../pool/testing/crash_points.ts";
import { SCENARIOS } from "../pool/testing/scenarios.ts";

Deno.test(`a crash at any boundary of ${SCENARIOS.length} scenarios costs nothing`, async (test) => {
  const sum = { pointCount: 0, intentCount: 0 };
  for (const scenario of SCENARIOS) {
    await test.step(scenario.name, async () => {
      const { pointCount, intentCount } = await crashEverywhere(scenario);
      assert(pointCount > 0);
      sum.pointCount += pointCount;
      sum.intentCount += intentCount;
    });
  }
  const text = `${sum.pointCount} crash points, and ${sum.intentCount} open ` +
    "intents taken up by their tokens\n";
  Deno.stdout.writeSync(new TextEncoder().encode(text));
  assert(sum.pointCount > 1_000);
});
