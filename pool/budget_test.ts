import { assert, assertEquals, assertThrows } from "@std/assert";
import { leftOf, leftOfApi, spend, UNSPENT } from "./budget.ts";
import { poolLimits } from "./limits.ts";
import { plan } from "./plan.ts";
import { reasonsOf } from "./reason.ts";
import { fill, on } from "./testing/rig.ts";
import { claimsOf, eniWith, NOW_MS, poolOf } from "./testing/states.ts";

const of = (
  callsPerMinute: Record<string, number>,
  nowMs: number = NOW_MS,
) => ({
  nowMs,
  callsPerMinute,
});

Deno.test("spend() counts by API, and begins anew with the minute", () => {
  const once = spend(UNSPENT, { kind: "survey" }, NOW_MS);
  const twice = spend(once, { kind: "describe" }, NOW_MS + 59_999);
  const it = of({ DescribeNetworkInterfaces: 5 });
  assertEquals(leftOfApi(twice, "DescribeNetworkInterfaces", it), 2);
  assertEquals(leftOf(twice, "survey", it), 1);
  assertEquals(leftOf(twice, "describe", it), 2);
  assertEquals(leftOf(twice, "create", it), Infinity);
  const next = spend(twice, { kind: "describe" }, NOW_MS + 60_000);
  const later = of({ DescribeNetworkInterfaces: 5 }, NOW_MS + 60_000);
  assertEquals(leftOf(next, "describe", later), 4);
});

Deno.test("leftOf() allows what costs more than the whole budget once a minute", () => {
  const it = of({ DescribeNetworkInterfaces: 1 });
  assertEquals(leftOf(UNSPENT, "survey", it), 1);
  const spent = spend(UNSPENT, { kind: "survey" }, NOW_MS);
  assertEquals(leftOf(spent, "survey", it), 0);
});

Deno.test("a budget below 1 is no budget", () => {
  for (const count of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => limitsWith({ AttachNetworkInterface: count }),
      RangeError,
    );
  }
});

function limitsWith(callsPerMinute: Record<string, number>, minIdle = 0) {
  return poolLimits({
    instance: { eniCount: 5, ipv4PerEniCount: 10 },
    vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/16" }],
    callsPerMinute,
    minIdle,
  });
}

/** What is planned, in a word each. */
function planned(...args: Parameters<typeof plan>): string[] {
  return plan(...args).map((action) =>
    action.kind === "call" ? action.call.kind : action.kind
  );
}

Deno.test("a stock leaves a share of the minute to pods that may come", () => {
  const api = "AssignPrivateIpAddresses";
  const limits = limitsWith({ [api]: 10 }, 3);
  const enis = [eniWith(1, ["leased"])];
  const spent = (count: number) => ({
    fromMs: NOW_MS,
    counts: new Map([[api, count]]),
  });
  const state = (count: number) => poolOf(enis, { spent: spent(count) });
  assertEquals(planned(state(7), limits, NOW_MS), ["assign"]);
  assertEquals(planned(state(8), limits, NOW_MS), []);
  const waiting = { ...state(8), claims: claimsOf(1) };
  assertEquals(planned(waiting, limits, NOW_MS), ["assign"]);
  const late = { ...state(10), claims: claimsOf(1) };
  assertEquals(planned(late, limits, NOW_MS), []);
  assertEquals(reasonsOf(late, limits, NOW_MS).get("waiting-0"), {
    kind: "budget",
    text:
      "all 10 calls of AssignPrivateIpAddresses that `rate_limit` allows in a minute are made",
    nextMs: NOW_MS + 60_000,
  });
  assertEquals(planned(late, limits, NOW_MS + 60_000), ["survey", "assign"]);
});

Deno.test("what is taken and what is given back starve each other never", () => {
  const spent = (api: string) => ({
    fromMs: NOW_MS,
    counts: new Map([[api, 1]]),
  });
  const limits = limitsWith({
    AssignPrivateIpAddresses: 1,
    UnassignPrivateIpAddresses: 1,
  });
  const giving = poolOf([
    eniWith(1, ["leased", "unassigning"]),
    eniWith(2, ["leased"]),
  ], { claims: claimsOf(1) });
  assertEquals(
    planned(
      { ...giving, spent: spent("AssignPrivateIpAddresses") },
      limits,
      NOW_MS,
    ),
    ["unassign"],
  );
  assertEquals(
    planned(
      { ...giving, spent: spent("UnassignPrivateIpAddresses") },
      limits,
      NOW_MS,
    ),
    ["assign"],
  );
});

Deno.test("pods come up at the pace of the budget, and none is lost", () =>
  on({
    maxIdle: 0,
    limits: {
      callsPerMinute: {
        AssignPrivateIpAddresses: 2,
        DescribeNetworkInterfaces: 20,
      },
    },
  }, async (rig) => {
    await rig.lease("first");
    const perMinute = new Map<number, number>();
    const before = rig.stand.cloud.before;
    rig.stand.cloud.before = (call) => {
      const minute = Math.floor(rig.clock.nowMs() / 60_000);
      if (call.action === "AssignPrivateIpAddresses") {
        perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
      }
      return before(call);
    };
    for (let i = 0; i < 5; i++) {
      await rig.within(rig.claim(`pod-${i}`, 120_000), 120_001);
    }
    assertEquals([...perMinute.values()], [2, 2, 1]);
    assert(
      rig.newsOf("claimWaiting").some(({ reason }) => reason.kind === "budget"),
    );
  }));

Deno.test("polls of slow attaches leave surveys their share", () =>
  on({
    cloud: { attachMs: 150_000 },
    limits: { callsPerMinute: { DescribeNetworkInterfaces: 3 } },
  }, async (rig) => {
    rig.claim("a", 600_000).catch(() => {});
    const { vSwitchId, instanceId, cloud } = rig.stand;
    await rig.clock.advance(20_000);
    await cloud.stranger.createEni({ vSwitchId, instanceId });
    await rig.clock.advance(130_000);
    assertEquals(rig.keeper.status().foreignEniIds.length, 1);
  }));

Deno.test("budgets by default are never in the way", () =>
  on({}, async (rig) => {
    await fill(rig, 12);
    assertEquals(
      rig.newsOf("claimWaiting").filter(({ reason }) =>
        reason.kind === "budget"
      ),
      [],
    );
  }));
