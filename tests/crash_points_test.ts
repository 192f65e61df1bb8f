import { assert } from "@std/assert";
import { mix } from "../pool/testing/chance.ts";
import {
  crashEverywhere,
  type Scenario,
} from "../pool/testing/crash_points.ts";
import { SCENARIOS } from "../pool/testing/scenarios.ts";
import { commitSeed, THOROUGH } from "./simulate/commit.ts";

/** All of them take minutes; each commit dies everywhere in half of them. */
const PART_COUNT = 24;

async function chosen(): Promise<readonly Scenario[]> {
  if (Deno.env.get(THOROUGH) !== undefined) return SCENARIOS;
  const { seed } = await commitSeed();
  return SCENARIOS.map((scenario, at) => ({ scenario, rank: mix(seed, at) }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, PART_COUNT)
    .map(({ scenario }) => scenario);
}

const scenarios = await chosen();

Deno.test(`a crash at any boundary of ${scenarios.length} of ${SCENARIOS.length} scenarios costs nothing`, async (test) => {
  const sum = { pointCount: 0, intentCount: 0 };
  for (const scenario of scenarios) {
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
  assert(sum.pointCount > 30 * scenarios.length);
});
