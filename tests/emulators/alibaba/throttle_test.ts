import { assertEquals } from "@std/assert";
import { VirtualClock } from "../virtual_clock.ts";
import { ask } from "./caller.ts";
import { buildStand, type Stand } from "./stand.ts";
import { CALLS_PER_MINUTE, OTHER_CALLS_PER_MINUTE } from "./throttle.ts";

/** Times are those of a minute's beginning and on. */
const START_MS = Date.parse("2026-11-21T12:00:00Z");

function limited(
  callsPerMinute: Readonly<Record<string, number>> = {},
): Stand & { clock: VirtualClock; codes(action: string, n: number): Codes } {
  const clock = new VirtualClock(START_MS);
  const stand = buildStand({ clock, callsPerMinute });
  const codes = async (action: string, count: number): Promise<string[]> => {
    const seen: string[] = [];
    for (let n = 0; n < count; n++) {
      seen.push((await ask(stand.cloud, action, {})).code);
    }
    return seen;
  };
  return { ...stand, clock, codes };
}

type Codes = Promise<string[]>;

Deno.test("who calls too often is refused until the next minute", async () => {
  const { clock, codes } = limited({ DescribeInstances: 2 });
  await clock.advance(30_000);
  assertEquals(await codes("DescribeInstances", 4), [
    "OK",
    "OK",
    "Throttling.User",
    "Throttling.User",
  ]);
  await clock.advance(29_999);
  assertEquals(await codes("DescribeInstances", 1), ["Throttling.User"]);
  await clock.advance(1);
  assertEquals(await codes("DescribeInstances", 2), ["OK", "OK"]);
});

Deno.test("an API that is throttled throttles no other", async () => {
  const { codes } = limited({ DescribeInstances: 0 });
  assertEquals(await codes("DescribeInstances", 1), ["Throttling.User"]);
  assertEquals(await codes("DescribeVSwitches", 1), ["OK"]);
});

Deno.test("without a word, limits are those that Terway keeps to", async () => {
  const { codes } = limited();
  const tried: readonly [string, number | undefined][] = [
    ["DescribeVSwitches", CALLS_PER_MINUTE["DescribeVSwitches"]],
    ["DescribeInstances", OTHER_CALLS_PER_MINUTE],
  ];
  for (const [action, limit] of tried) {
    const seen = await codes(action, (limit ?? 0) + 1);
    assertEquals(seen.indexOf("Throttling.User"), limit);
  }
});

Deno.test("a call that is throttled does nothing", async () => {
  const stand = limited({ CreateNetworkInterface: 0 });
  const { cloud, vSwitchId, securityGroupId } = stand;
  const wish = { VSwitchId: vSwitchId, SecurityGroupId: securityGroupId };
  const before = JSON.stringify(cloud.dump());
  await ask(cloud, "CreateNetworkInterface", wish);
  assertEquals(JSON.stringify(cloud.dump()), before);
});
