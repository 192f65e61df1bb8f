import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Call } from "./event.ts";
import { LANE_OF } from "./lanes.ts";
import { CALLS_AT_ONCE, LANES, type PoolLimits, poolLimits } from "./limits.ts";
import { type Action, plan } from "./plan.ts";
import type { PoolState } from "./state.ts";
import { stockOf } from "./stock.ts";
import {
  claimsOf,
  eniWith,
  NOW_MS,
  poolOf,
  samples,
} from "./testing/states.ts";
import { wishFor } from "./testing/rig.ts";
import { Turn } from "./turn.ts";

/** 4 cards of 10 addresses, and a stock of 0 to 5. */
const LIMITS = limitsWith({});

function limitsWith(
  wish: { minIdle?: number; maxIdle?: number; ipv4PerEniCount?: number },
): PoolLimits {
  const { ipv4PerEniCount = 10, ...marks } = wish;
  return poolLimits({
    instance: { eniCount: 5, ipv4PerEniCount },
    vSwitches: [
      { id: "vsw-a", cidr: "10.0.0.0/16" },
      { id: "vsw-b", cidr: "10.1.0.0/16" },
    ],
    ...marks,
  });
}

/** Says an action in a word or two. */
function brief(action: Action): string {
  switch (action.kind) {
    case "grant":
      return `grant ${action.ip} to ${action.ownerKey}`;
    case "refuse":
      return `refuse ${action.ownerKey}: ${action.reason.kind}`;
    case "warmed":
      return "warmed";
    case "cool":
      return `cool ${action.ips}`;
    case "call":
      return briefCall(action);
  }
}

function briefCall({ call }: Extract<Action, { kind: "call" }>): string {
  switch (call.kind) {
    case "create":
      if (call.eniKey !== undefined) return `create ${call.eniKey} again`;
      return `create ${call.wish.ipCount} on ${call.wish.vSwitchId}`;
    case "assign":
      return `assign ${call.count} to ${call.eniKey}`;
    case "unassign":
      return `unassign ${call.ips}`;
    case "describe":
      return `describe ${call.eniKeys}`;
    case "survey":
      return "survey";
    case "purge":
      return `purge ${call.eniId}`;
    case "prove":
      return `prove ${call.ips}`;
    default:
      return `${call.kind} ${call.eniKey}`;
  }
}

function check(
  state: PoolState,
  expected: readonly string[],
  limits: PoolLimits = LIMITS,
): void {
  assertEquals(plan(state, limits, NOW_MS).map(brief), expected);
}

const idle = (count: number) => Array<"idle">(count).fill("idle");
const leased = (count: number) => Array<"leased">(count).fill("leased");

Deno.test("each phase has one next call", () => {
  const table = {
    creating: "create key-1 again",
    created: "attach key-1",
    attaching: "describe key-1",
    preparing: "prepare key-1",
    retiring: "retire key-1",
    retired: "detach key-1",
    detaching: "describe key-1",
    deleting: "delete key-1",
    seeking: "survey",
  } as const;
  for (const [phase, expected] of Object.entries(table)) {
    const isMade = phase !== "creating" && phase !== "seeking";
    const eni = eniWith(1, isMade ? ["idle"] : [], {
      phase: phase as keyof typeof table,
    });
    check(poolOf([eni]), [expected]);
  }
});

Deno.test("pods that wait get one card with an address each", () =>
  check(poolOf([], { claims: claimsOf(7) }), ["create 7 on vsw-a"]));

Deno.test("more pods than a card holds get several cards", () =>
  check(poolOf([], { claims: claimsOf(25) }), [
    "create 10 on vsw-a",
    "create 10 on vsw-a",
    "create 5 on vsw-a",
  ]));

Deno.test("pods and the lower mark are demand together, in one call", () =>
  check(
    poolOf([], { claims: claimsOf(2) }),
    ["create 5 on vsw-a"],
    limitsWith({ minIdle: 3 }),
  ));

Deno.test("a card with room is filled before another is made, the fullest first", () =>
  check(
    poolOf([eniWith(1, leased(3)), eniWith(2, leased(8))], {
      claims: claimsOf(4),
    }),
    ["assign 2 to key-2", "assign 2 to key-1"],
  ));

Deno.test("one Assign carries 10 addresses, and the rest waits for the next", () =>
  check(
    poolOf([eniWith(1, leased(1))], { claims: claimsOf(15) }),
    ["assign 10 to key-1"],
    limitsWith({ ipv4PerEniCount: 20 }),
  ));

Deno.test("what is under way isn't asked for again", () => {
  const coming = eniWith(1, idle(3), { phase: "attaching" });
  check(poolOf([coming], { claims: claimsOf(3) }), ["describe key-1"]);
  const creating = eniWith(1, [], { phase: "creating" });
  check(poolOf([creating], { claims: claimsOf(9) }), ["create key-1 again"]);
});

Deno.test("claims that came just now are gathered", () => {
  const atMs = NOW_MS - 10;
  const claims = new Map([["a", { ownerKey: "a", atMs }]]);
  check(poolOf([], { claims }), []);
});

Deno.test("idle addresses go to who waits longest, on the card with most leases", () =>
  check(
    poolOf(
      [eniWith(1, ["idle", "leased"]), eniWith(2, [...leased(2), "idle"])],
      {
        claims: claimsOf(2),
      },
    ),
    ["grant 10.0.2.3 to waiting-0", "grant 10.0.1.1 to waiting-1"],
  ));

Deno.test("cooling addresses are neither demand nor stock", () => {
  const eni = eniWith(1, ["leased", "cooling", "cooling"]);
  check(poolOf([eni]), []);
  check(poolOf([eni]), ["assign 2 to key-1"], limitsWith({ minIdle: 2 }));
});

Deno.test("secondary addresses above the upper mark are given back", () => {
  const kinds = [...idle(8), "leased"] as const;
  check(poolOf([eniWith(1, kinds)]), [
    "unassign 10.0.1.2,10.0.1.3,10.0.1.4",
  ]);
});

Deno.test("a card without leases goes whole when all of it is surplus", () => {
  const enis = [eniWith(1, ["leased", ...idle(5)]), eniWith(2, idle(4))];
  check(poolOf(enis), ["retire key-2"]);
});

Deno.test("nothing is given back while a pod waits", () => {
  const enis = [eniWith(1, idle(9), { phase: "preparing" })];
  check(
    poolOf(enis, { claims: claimsOf(1) }),
    ["prepare key-1"],
    limitsWith({ maxIdle: 0 }),
  );
});

Deno.test("releases find a place beside as many allocations as may be", () => {
  const made = [1, 2, 3, 4, 5, 6].map((number) =>
    eniWith(number, ["idle"], { phase: "created" })
  );
  const going = [7, 8, 9].map((number) =>
    eniWith(number, [], { phase: "retired" })
  );
  check(poolOf([...made, ...going]), [
    "attach key-1",
    "attach key-2",
    "attach key-3",
    "attach key-4",
    "attach key-5",
    "detach key-7",
    "detach key-8",
  ]);
});

Deno.test("a full node refuses who can't be served by waiting, the latest first", () => {
  const full = [1, 2, 3, 4].map((number) => eniWith(number, leased(10)));
  const last = eniWith(4, [...leased(9), "cooling"]);
  check(poolOf(full, { claims: claimsOf(1) }), ["refuse waiting-0: capacity"]);
  check(poolOf([...full.slice(0, 3), last], { claims: claimsOf(2) }), [
    "refuse waiting-1: capacity",
  ]);
});

Deno.test("a resting vSwitch is passed over, a nearly dry one gives what it can", () => {
  const claims = claimsOf(4);
  const rest = (atMost: number) => ({ untilMs: NOW_MS + 1, atMost });
  const rests = new Map([["vsw-a", rest(0)]]);
  check(poolOf([], { claims, rests }), ["create 4 on vsw-b"]);
  const both = new Map([["vsw-a", rest(0)], ["vsw-b", rest(2)]]);
  check(poolOf([], { claims, rests: both }), ["create 2 on vsw-b"]);
});

Deno.test("exclusive cards are the same plan with one address a card", () =>
  check(
    poolOf([eniWith(1, ["leased"])], { claims: claimsOf(2) }),
    ["create 1 on vsw-a", "create 1 on vsw-a"],
    limitsWith({ ipv4PerEniCount: 1 }),
  ));

Deno.test("an emptied pool lets go of what has no lease", () => {
  const enis = [
    eniWith(1, ["cooling", "idle"]),
    eniWith(2, ["leased"]),
    eniWith(3, ["idle"], { phase: "created" }),
  ];
  check(poolOf(enis, { draining: true }), ["retire key-1", "delete key-3"]);
});

function decided(state: PoolState, limits: PoolLimits): Turn {
  let count = 0;
  const config = {
    instanceId: "i-1",
    clusterId: "c1",
    primaryMac: "",
    securityGroupIds: ["sg-a"],
  };
  const token = () => `token-${++count}`;
  const turn = new Turn(state, { limits, config, token, wishOf: wishFor });
  turn.decide(NOW_MS);
  return turn;
}

function lanesOf(calls: readonly Call[]): Record<string, number> {
  const used: Record<string, number> = { take: 0, give: 0, look: 0 };
  for (const { kind } of calls) {
    const lane = LANE_OF[kind];
    if (lane !== undefined) used[lane] = (used[lane] ?? 0) + 1;
  }
  return used;
}

Deno.test("any pool's plan comes to rest within its bounds", () => {
  fc.assert(
    fc.property(samples(), ({ state, limits }) => {
      const { state: after, calls } = decided(state, limits);
      assertEquals(plan(after, limits, NOW_MS), []);
      const used = lanesOf(calls);
      for (const [lane, most] of Object.entries(LANES)) {
        assert((used[lane] ?? 0) <= most, `${lane}: ${used[lane]}`);
      }
      assert(after.enis.size <= Math.max(limits.eniCount, state.enis.size));
      const stock = stockOf(after, limits);
      const capacity = limits.eniCount * limits.addressesPerEni;
      assert(
        stock.idle + stock.leased + stock.cooling + stock.coming <= capacity,
      );
      assert(stock.idle === 0 || after.claims.size === 0);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("no plan takes an address from its owner", () => {
  fc.assert(
    fc.property(samples(), ({ state, limits }) => {
      const { state: after } = decided(state, limits);
      for (const [owner, lease] of state.leases) {
        assertEquals(after.leases.get(owner), lease);
        const slot = after.enis.get(lease.eniKey)?.slots.get(lease.ip);
        assertEquals(slot, { kind: "leased", ownerKey: owner });
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("the lanes add up to the calls that may be in flight", () => {
  assertEquals(LANES.take + LANES.give + LANES.look, CALLS_AT_ONCE);
});

Deno.test("plan() for 10 cards of 20 addresses is quick", () => {
  const kinds = Array.from(
    { length: 20 },
    (_, i) => i % 2 === 0 ? "leased" as const : "cooling" as const,
  );
  const enis = Array.from({ length: 10 }, (_, i) => eniWith(i, kinds));
  const limits = poolLimits({
    instance: { eniCount: 11, ipv4PerEniCount: 20 },
    vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/16" }],
  });
  const state = poolOf(enis, { claims: claimsOf(20) });
  for (let i = 0; i < 2_000; i++) plan(state, limits, NOW_MS);
  const startMs = performance.now();
  for (let i = 0; i < 2_000; i++) plan(state, limits, NOW_MS);
  const tookMs = (performance.now() - startMs) / 2_000;
  Deno.stdout.writeSync(
    new TextEncoder().encode(`plan(): ${tookMs.toFixed(4)} ms\n`),
  );
});
