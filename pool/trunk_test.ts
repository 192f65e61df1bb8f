import { assertEquals } from "@std/assert";
import type { Problem } from "./event.ts";
import { type LimitsWish, poolLimits } from "./limits.ts";
import { plan } from "./plan.ts";
import type { PoolState } from "./state.ts";
import { step } from "./step.ts";
import { claimsOf, eniWith, NOW_MS, poolOf } from "./testing/states.ts";
import { trunkStatus } from "./trunk.ts";
import { UNSEEN } from "./trunk_sight.ts";

/** 3 cards of 10 addresses, one of them a trunk. */
function limitsWith(more: Partial<LimitsWish> = {}) {
  return poolLimits({
    instance: { eniCount: 4, ipv4PerEniCount: 10 },
    vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/16" }],
    trunk: true,
    ...more,
  });
}

const LIMITS = limitsWith();

function card(number: number, slots: Parameters<typeof eniWith>[1]) {
  return eniWith(number, slots);
}

function trunk(number: number, slots: Parameters<typeof eniWith>[1]) {
  const eni = eniWith(number, slots);
  return { ...eni, intent: { ...eni.intent, trunk: true } };
}

function calls(state: PoolState, limits = LIMITS): string[] {
  return plan(state, limits, NOW_MS).flatMap((action) => {
    if (action.kind !== "call") return [action.kind];
    const { call } = action;
    if (call.kind !== "create") {
      return "eniKey" in call ? [`${call.kind} ${call.eniKey}`] : [call.kind];
    }
    const { trunk = false, ipCount } = "wish" in call ? call.wish : call.intent;
    return [`create ${ipCount}${trunk ? ", a trunk" : ""}`];
  });
}

Deno.test("a pool that shall have a trunk makes it first, whoever waits", () => {
  assertEquals(calls(poolOf([])), ["create 1, a trunk"]);
  const waiting = { claims: claimsOf(4) };
  assertEquals(calls(poolOf([], waiting)), ["create 4, a trunk"]);
  assertEquals(calls(poolOf([], waiting), limitsWith({ trunk: false })), [
    "create 4",
  ]);
  // Its own addresses are lent like any other card's.
  assertEquals(calls(poolOf([trunk(1, ["idle"])], { claims: claimsOf(1) })), [
    "grant",
  ]);
  assertEquals(calls(poolOf([trunk(1, ["idle"])])), []);
});

Deno.test("capacity is the same with a trunk and without", () => {
  const without = limitsWith({ trunk: false });
  assertEquals(
    LIMITS.eniCount * LIMITS.addressesPerEni,
    without.eniCount * without.addressesPerEni,
  );
});

Deno.test("there is no second trunk while one comes, serves or goes", () => {
  for (
    const phase of ["creating", "seeking", "ready", "retiring"] as const
  ) {
    const made = phase === "creating" || phase === "seeking"
      ? { ...eniWith(1, [], { phase }), slots: new Map() }
      : eniWith(1, ["idle"], { phase });
    const one = { ...made, intent: { ...made.intent, trunk: true } };
    const begun = calls(poolOf([one])).filter((call) => call.includes("trunk"));
    assertEquals(begun, phase === "creating" ? ["create 1, a trunk"] : []);
  }
  // That one was the same intent again, with its token.
  assertEquals(
    calls(poolOf([], { trunk: { ...UNSEEN, hasForeign: true } })),
    [],
  );
});

Deno.test("a trunk is kept while it is wanted or members hang on it", () => {
  const idle = trunk(1, ["idle", "idle"]);
  const bounds = { maxIdle: 0 };
  assertEquals(calls(poolOf([idle]), limitsWith(bounds)), ["unassign key-1"]);
  const off = limitsWith({ ...bounds, trunk: false });
  assertEquals(calls(poolOf([idle]), off), ["retire key-1"]);
  const held = { trunk: { ...UNSEEN, memberIds: ["eni-m"] } };
  assertEquals(calls(poolOf([idle], held), off), ["unassign key-1"]);
  const draining = { draining: true };
  assertEquals(calls(poolOf([idle], draining)), ["retire key-1"]);
  assertEquals(calls(poolOf([idle], { ...draining, ...held })), []);
  // What other cards do, members don't hinder.
  const two = poolOf([idle, card(2, ["idle"])], { ...draining, ...held });
  assertEquals(calls(two), ["retire key-2"]);
});

Deno.test("a card without pods makes way for the trunk on a full node", () => {
  const full = [card(1, ["leased"]), card(2, ["idle"]), card(3, ["leased"])];
  assertEquals(calls(poolOf(full)), ["retire key-2"]);
  const busy = [card(1, ["leased"]), card(2, ["cooling"]), card(3, ["leased"])];
  assertEquals(calls(poolOf(busy)), []);
  const { reason } = trunkStatus(poolOf(busy), LIMITS, { isFull: true }) ?? {};
  assertEquals(
    reason,
    "every ENI that the type allows is there already: it is made when one " +
      "without pods has gone",
  );
});

Deno.test("a refused trunk holds no other card back", () => {
  const waiting = poolOf([], { claims: claimsOf(1) });
  const intent = {
    vSwitchId: "vsw-a",
    subnet: "10.0.0.0/16",
    ipCount: 1,
    trunk: true,
    securityGroupIds: ["sg-a"],
  };
  const call = { kind: "create", eniKey: "key-9", intent } as const;
  const begun = step(waiting, { kind: "begun", call, nowMs: NOW_MS });
  const problem: Problem = {
    call: "create",
    kind: "invalid",
    api: "CreateNetworkInterface",
    code: "InvalidOperation.InvalidEniType",
    message: "no trunk here",
    requestId: "r-1",
    httpStatus: 400,
  };
  const refused = step(begun, {
    ...{ kind: "failed", callId: begun.nextCallId - 1, problem },
    ...{ nowMs: NOW_MS, chance: 0 },
  });
  assertEquals(calls(refused), ["create 1"]);
  assertEquals(trunkStatus(refused, LIMITS, { isFull: false }), {
    memberCount: 0,
    reason: "no trunk here",
  });
  // It is asked for again, not in a row.
  const later = NOW_MS + 600_000;
  const again = plan(
    poolOf([], { trunk: refused.trunk }),
    LIMITS,
    later,
  );
  assertEquals(again.length, 1);
});

Deno.test("a trunk that a lost journal knew is the trunk again", () => {
  const state = step(
    step(poolOf([]), {
      kind: "begun",
      call: { kind: "survey" },
      nowMs: NOW_MS,
    }),
    {
      kind: "answered",
      callId: 1,
      nowMs: NOW_MS,
      chance: 0,
      answer: {
        kind: "survey",
        instanceId: "i-1",
        adoptable: [{ eniId: "eni-t", isOwn: true, subnet: "10.0.0.0/16" }],
        enis: [
          eniSeen("eni-t", "Trunk", "10.0.0.9"),
          eniSeen("eni-m", "Member", "10.0.1.9"),
        ],
      },
    },
  );
  const [found] = state.enis.values();
  assertEquals([found?.intent.trunk, state.trunk.memberIds], [true, ["eni-m"]]);
  assertEquals(state.foreignEniIds, []);
});

function eniSeen(id: string, type: "Trunk" | "Member", ip: string) {
  return {
    id,
    mac: "00:16:3e:00:00:09",
    type,
    status: "InUse",
    vSwitchId: "vsw-a",
    zone: "zone-a",
    instanceId: "i-1",
    primaryIp: ip,
    ips: [ip],
    ips6: [],
    securityGroupIds: ["sg-a"],
    tags: {},
  } as const;
}
