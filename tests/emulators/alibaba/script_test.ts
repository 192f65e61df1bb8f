import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { VirtualClock } from "../virtual_clock.ts";
import { ask, make } from "./caller.ts";
import { type Outcome, perform } from "./perform.ts";
import { FaultScript } from "./script.ts";
import type { FaultRule } from "./script.ts";
import { buildStand } from "./stand.ts";

/** Which of so many calls of one action are struck. */
function struckOf(
  rules: readonly FaultRule[],
  at: { seed?: number; calls: number; action?: string },
): number[] {
  const script = new FaultScript();
  script.begin(rules, at.seed);
  const action = at.action ?? "DescribeInstances";
  return Array.from({ length: at.calls }, (_, n) => n)
    .filter(() => script.take({ action, params: {} }) !== undefined);
}

Deno.test("a rule strikes once, the next call that fits", () => {
  assertEquals(struckOf([{ fault: "5xx" }], { calls: 5 }), [0]);
  const other: FaultRule = { fault: "5xx", action: "CreateNetworkInterface" };
  assertEquals(struckOf([other], { calls: 5 }), []);
  const begin: FaultRule = { fault: "5xx", action: "Describe*" };
  assertEquals(struckOf([begin], { calls: 5 }), [0]);
});

Deno.test("a rule waits, and strikes as often as it is told", () => {
  const rule: FaultRule = { fault: "lost", after: 2, times: 3 };
  assertEquals(struckOf([rule], { calls: 9 }), [2, 3, 4]);
});

Deno.test("a slow attach strikes attaches only", () => {
  const rules: FaultRule[] = [{ fault: "slow attach" }];
  assertEquals(struckOf(rules, { calls: 3 }), []);
  const action = "AttachNetworkInterface";
  assertEquals(struckOf(rules, { calls: 3, action }), [0]);
});

Deno.test("the same seed strikes the same calls, another one others", () => {
  const rules: FaultRule[] = [
    { fault: "5xx", probability: 0.2 },
    { fault: "lost", probability: 0.1 },
  ];
  const seven = struckOf(rules, { seed: 7, calls: 1_000 });
  assertEquals(struckOf(rules, { seed: 7, calls: 1_000 }), seven);
  assertNotEquals(struckOf(rules, { seed: 8, calls: 1_000 }), seven);
  assert(seven.length > 200 && seven.length < 360, String(seven.length));
});

Deno.test("a rule's chance doesn't depend on calls that it doesn't fit", () => {
  const rule: FaultRule = {
    fault: "5xx",
    action: "DeleteNetworkInterface",
    probability: 0.5,
  };
  const strike = (others: number): boolean[] => {
    const script = new FaultScript();
    script.begin([rule], 3);
    return Array.from({ length: 20 }, () => {
      for (let n = 0; n < others; n++) {
        script.take({ action: "DescribeInstances", params: {} });
      }
      const call = { action: "DeleteNetworkInterface", params: {} };
      return script.take(call) !== undefined;
    });
  };
  assertEquals(strike(3), strike(0));
});

Deno.test("a script tells what became of it", () => {
  const script = new FaultScript();
  script.begin([{ fault: "denied", times: 2 }], 9);
  for (let n = 0; n < 5; n++) script.take({ action: "X", params: {} });
  assertEquals(script.state(), {
    seed: 9,
    rules: [{ fault: "denied", times: 2, seenCount: 5, struckCount: 2 }],
  });
  script.clear();
  assertEquals(script.state(), { seed: 9, rules: [] });
});

/** What comes of a hundred cards under a rough script, answers and records. */
async function roughRun(seed: number): Promise<string> {
  const clock = new VirtualClock();
  const stand = buildStand({ clock, seed });
  const { cloud } = stand;
  cloud.script.begin([
    { fault: "throttle", probability: 0.01 },
    { fault: "5xx", probability: 0.1 },
    { fault: "lost", probability: 0.1 },
    { fault: "timeout", probability: 0.1, done: true },
    { fault: "denied", after: 20, times: 3 },
  ], seed);
  const outcomes: Outcome[] = [];
  for (let n = 0; n < 100; n++) {
    outcomes.push(
      await perform(cloud, {
        action: "CreateNetworkInterface",
        version: "2014-05-26",
        params: {
          RegionId: "cn-hangzhou",
          VSwitchId: stand.vSwitchId,
          SecurityGroupId: stand.securityGroupId,
        },
        key: { id: "test", secret: "", allow: ["*"] },
        host: "test",
      }),
    );
    await clock.advance(5_000);
  }
  return JSON.stringify([outcomes, cloud.dump()]);
}

Deno.test("a run under a script repeats bit for bit", async () => {
  assertEquals(await roughRun(7), await roughRun(7));
  assertNotEquals(await roughRun(7), await roughRun(8));
});

Deno.test("a scripted throttle lasts until the next minute", async () => {
  const clock = new VirtualClock();
  const { cloud } = buildStand({ clock });
  cloud.script.begin([{ fault: "throttle" }]);
  const code = async (action: string): Promise<string> =>
    (await ask(cloud, action, {})).code;
  assertEquals(await code("DescribeInstances"), "Throttling.User");
  assertEquals(await code("DescribeInstances"), "Throttling.User");
  assertEquals(await code("DescribeVSwitches"), "OK");
  await clock.advance(60_000);
  assertEquals(await code("DescribeInstances"), "OK");
});

Deno.test("a slow attach is slow once", async () => {
  const clock = new VirtualClock();
  const stand = buildStand({ clock, attachMs: 1_000 });
  const { cloud, instanceId } = stand;
  cloud.script.begin([{ fault: "slow attach", ms: 9_000 }]);
  const states = async (ms: number): Promise<string[]> => {
    await clock.advance(ms);
    return cloud.dump().enis.filter(({ type }) => type !== "Primary")
      .map(({ state }) => state).sort();
  };
  for (const NetworkInterfaceId of [await make(stand), await make(stand)]) {
    const both = { NetworkInterfaceId, InstanceId: instanceId };
    const { code } = await ask(cloud, "AttachNetworkInterface", both);
    assertEquals(code, "OK");
  }
  assertEquals(await states(1_000), ["Attaching", "InUse"]);
  assertEquals(await states(8_999), ["Attaching", "InUse"]);
  assertEquals(await states(1), ["InUse", "InUse"]);
});

Deno.test("a denied call names the action, not in its message", async () => {
  const { cloud } = buildStand();
  cloud.script.begin([{ fault: "denied" }]);
  const { code, body } = await ask(cloud, "DescribeVSwitches", {});
  assertEquals(code, "Forbidden.RAM");
  assertEquals(body["AccessDeniedDetail"], {
    AuthAction: "vpc:DescribeVSwitches",
    AuthPrincipalType: "SubUser",
    NoPermissionType: "ImplicitDeny",
    PolicyType: "AccountLevelIdentityBasedPolicy",
  });
});
