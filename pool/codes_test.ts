import { assert, assertEquals } from "@std/assert";
import type { FaultyCall } from "../tests/emulators/alibaba/faults.ts";
import type { Code } from "../tests/emulators/alibaba/refusal.ts";
import { on, type Rig } from "./testing/rig.ts";

const CREATE = "CreateNetworkInterface";
const ASSIGN = "AssignPrivateIpAddresses";
const UNASSIGN = "UnassignPrivateIpAddresses";
const ATTACH = "AttachNetworkInterface";
const DETACH = "DetachNetworkInterface";
const DELETE = "DeleteNetworkInterface";

const NEXT = "the next vSwitch is taken, or fewer addresses are asked for";
const MINUTE = /^rests for \d+ s, then one call at a time$/;
const SAME = "again with the same token in 1 s";
const TOKEN = "again with a new token in 1 s";
const ALLOW = "an operator must allow it; again in 60 s";
const FULL = "no card is made until one of ours goes, or for 25 min";
const CARD = "this card is asked for no more addresses for a while";
const CLOSED = "the intent is closed";
const AGAIN = "again in 1 s";
/** What the call was to bring about is so: no failure at all. */
const DONE = undefined;

/**
 * A cloud's refusal of a call, when and how that is called again, and what the
 * log says comes next.
 */
type Row = readonly [
  code: Code,
  action: string,
  again: string,
  nextStep: string | RegExp | undefined,
];

/** Every code that means something of its own, on each call that it may meet. */
// deno-fmt-ignore
const TABLE: readonly Row[] = [
  ["InvalidVSwitchId.IpNotEnough", CREATE, "0 s, other vSwitch", NEXT],
  ["QuotaExceeded.PrivateIpAddress", CREATE, "0 s, other vSwitch", NEXT],
  ["EniPerInstanceLimitExceeded", CREATE, "after 25 min, other token", FULL],
  ["MaxEniCountExceeded", CREATE, "after 25 min, other token", FULL],
  ["SecurityGroupInstanceLimitExceed", CREATE, "after 25 min, other token", FULL],
  ["IdempotentFailed", CREATE, "1 s, other token", TOKEN],
  ["Throttling", CREATE, "next minute, other token", MINUTE],
  ["Throttling.User", CREATE, "next minute, other token", MINUTE],
  ["Throttling.Api", CREATE, "next minute, other token", MINUTE],
  ["InternalError", CREATE, "1 s", SAME],
  ["ServiceUnavailable", CREATE, "1 s", SAME],
  ["Operation.Conflict", CREATE, "1 s", SAME],
  ["Forbidden.RAM", CREATE, "60 s, other token", ALLOW],
  ["InvalidSecurityGroupId.NotFound", CREATE, "60 s, other token", CLOSED],
  ["InvalidVSwitchId.IpNotEnough", ASSIGN, "120 s, other token", NEXT],
  ["QuotaExceeded.PrivateIpAddress", ASSIGN, "120 s, other token", NEXT],
  ["InvalidOperation.Ipv4CountExceeded", ASSIGN, "120 s, other card", CARD],
  ["InvalidOperation.Ipv6CountExceeded", ASSIGN, "120 s, other card", CARD],
  ["IdempotentFailed", ASSIGN, "1 s, other token", TOKEN],
  ["Operation.Conflict", ASSIGN, "1 s, other token", AGAIN],
  ["InvalidOperation.InvalidEniState", ASSIGN, "1 s, other token", AGAIN],
  ["Throttling.User", ASSIGN, "next minute, other token", MINUTE],
  ["InternalError", ASSIGN, "1 s", SAME],
  ["Forbidden.RAM", ASSIGN, "60 s, other token", ALLOW],
  ["EniPerInstanceLimitExceeded", ATTACH, "after 25 min, other card", FULL],
  ["InvalidOperation.InvalidEniState", ATTACH, "11 s", AGAIN],
  ["InternalError", ATTACH, "1 s", AGAIN],
  ["InvalidIp.IpUnassigned", UNASSIGN, "0 s", DONE],
  ["InvalidEniId.NotFound", UNASSIGN, "0 s", DONE],
  ["InvalidOperation.InvalidEniState", UNASSIGN, "1 s", AGAIN],
  ["Throttling.User", UNASSIGN, "next minute", MINUTE],
  ["InternalError", UNASSIGN, "1 s", AGAIN],
  ["InvalidEniId.NotFound", DETACH, "11 s", DONE],
  ["InvalidEcsId.NotFound", DETACH, "11 s", DONE],
  ["InvalidOperation.InvalidEniState", DETACH, "11 s", AGAIN],
  ["Throttling.User", DETACH, "next minute", MINUTE],
  ["InternalError", DETACH, "1 s", AGAIN],
  ["InvalidEniId.NotFound", DELETE, "never", DONE],
  ["InvalidOperation.InvalidEniState", DELETE, "1 s", AGAIN],
  ["Throttling.User", DELETE, "next minute", MINUTE],
  ["InternalError", DELETE, "1 s", AGAIN],
];

interface Made extends FaultyCall {
  readonly atMs: number;
}

/** Notes the calls of an action from now on; the first is refused. */
function refuse(rig: Rig, [code, action]: Row): Made[] {
  const made: Made[] = [];
  const { cloud } = rig.stand;
  cloud.faults.add({ kind: "refuse", code }, { action });
  const before = cloud.before;
  cloud.before = (call) => {
    if (call.action === action) made.push({ ...call, atMs: rig.clock.nowMs() });
    return before(call);
  };
  return made;
}

function againText(code: Code, [first, second]: readonly Made[]): string {
  if (first === undefined) return "not even once";
  if (second === undefined) return "never";
  const differs = (name: string) => first.params[name] !== second.params[name];
  const gapMs = second.atMs - first.atMs;
  const minutes = Math.floor(second.atMs / 60_000) -
    Math.floor(first.atMs / 60_000);
  const when = code.startsWith("Throttling") && minutes === 1
    ? "next minute"
    : gapMs > 25 * 60_000
    ? "after 25 min"
    : `${Math.round(gapMs / 1000)} s`;
  const differing = ([
    ["VSwitchId", "vSwitch"],
    ["NetworkInterfaceId", "card"],
    ["ClientToken", "token"],
  ] as const).find(([name]) => differs(name));
  return differing === undefined ? when : `${when}, other ${differing[1]}`;
}

/** Makes the pool call an action, and goes on until it is quiet again. */
async function provoke(rig: Rig, row: Row): Promise<string> {
  const [code, action] = row;
  const isFirst = action === CREATE || action === ATTACH;
  const owners = action === UNASSIGN ? ["a", "b", "c"] : ["a"];
  if (!isFirst) {
    await rig.within(Promise.all(owners.map((one) => rig.claim(one))), 61_000);
  }
  const made = refuse(rig, row);
  if (isFirst || action === ASSIGN) {
    for (const [owner, forMs] of [["x", 120_000], ["y", 1_500_000], ["z", 9]]) {
      rig.claim(String(owner), 1_800_000).catch(() => {});
      await rig.clock.advance(Number(forMs));
    }
    await rig.clock.advance(10_000);
  } else {
    for (const owner of owners.slice(-2)) await rig.keeper.release(owner);
    await rig.clock.advance(200_000);
  }
  return againText(code, made);
}

for (const row of TABLE) {
  const [code, action, again, nextStep] = row;
  Deno.test(`${code} on ${action}: called again ${again}`, () =>
    on(
      { vSwitches: ["vSwitchId", "smallVSwitchId"], maxIdle: 0 },
      async (rig) => {
        assertEquals(await provoke(rig, row), again);
        const [failure, more] = rig.newsOf("callFailed");
        assertEquals(more, undefined);
        if (nextStep instanceof RegExp) {
          assert(nextStep.test(failure?.nextStep ?? ""), failure?.nextStep);
        } else assertEquals(failure?.nextStep, nextStep);
      },
    ));
}

Deno.test("Forbidden.RAM names the action that the policy lacks", () =>
  on({}, async (rig) => {
    const denied = { kind: "refuse", code: "Forbidden.RAM" } as const;
    rig.stand.cloud.faults.add(denied, { action: ATTACH });
    rig.claim("a").catch(() => {});
    await rig.clock.advance(5_000);
    const [claim] = rig.keeper.status().claims;
    const names = "add ecs:AttachNetworkInterface to the RAM policy";
    assert(claim?.reason.text.includes(names), claim?.reason.text);
  }));

Deno.test("a token that is used up after a lost answer costs no card", () =>
  on({ maxIdle: 0 }, async (rig) => {
    const { faults } = rig.stand.cloud;
    faults.add({ kind: "lost" }, { action: CREATE });
    faults.add({ kind: "refuse", code: "IdempotentFailed" }, {
      action: CREATE,
    });
    await rig.lease("a");
    await rig.clock.advance(120_000);
    await rig.keeper.release("a");
    await rig.clock.advance(120_000);
    assertEquals(rig.cloudEnis, []);
    assertEquals(rig.journal.load().enis, []);
  }));
