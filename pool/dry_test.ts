import { assert, assertEquals } from "@std/assert";
import { exchangeOf, exchangeText } from "./dry.ts";
import { poolLimits } from "./limits.ts";
import { plan } from "./plan.ts";
import type { PooledEni, PoolState } from "./state.ts";
import { fill, on, type Rig } from "./testing/rig.ts";
import { claimsOf, eniWith, NOW_MS, poolOf } from "./testing/states.ts";

const LIMITS = poolLimits({
  instance: { eniCount: 3, ipv4PerEniCount: 10 },
  vSwitches: ["vsw-a", "vsw-b", "vsw-c"].map((id, i) => ({
    id,
    cidr: `10.${i}.0.0/16`,
  })),
});

const DRY = new Map([["vsw-a", { untilMs: NOW_MS + 60_000, atMost: 0 }]]);

/** Two cards on a vSwitch that ran dry, and pods that wait. */
function dry(
  enis: readonly PooledEni[],
  more: Partial<PoolState> = {},
): PoolState {
  return poolOf(enis, { claims: claimsOf(3), rests: DRY, ...more });
}

function exchanged(state: PoolState): string | undefined {
  const found = exchangeOf(state, LIMITS, NOW_MS);
  return found && `${found.eni.key} for ${found.target.id}`;
}

const FULLER = eniWith(1, ["leased", "leased", "idle"]);
const EMPTIER = eniWith(2, ["leased", "idle"]);

Deno.test("the emptiest card on a dry vSwitch makes way, and serves no more", () => {
  const state = dry([FULLER, EMPTIER]);
  assertEquals(exchanged(state), "key-2 for vsw-b");
  const granted = plan(state, LIMITS, NOW_MS).map((action) =>
    action.kind === "grant" ? action.eniKey : action.kind
  );
  assertEquals(granted, ["key-1"]);
});

Deno.test("no card makes way while pods can be served otherwise", () => {
  const enis = [FULLER, EMPTIER];
  const cases: Record<string, PoolState> = {
    "nobody waits": dry(enis, { claims: new Map() }),
    "there are idle addresses for all": dry(enis, { claims: claimsOf(2) }),
    "released addresses rest": dry([
      FULLER,
      eniWith(2, ["leased", "cooling", "cooling"]),
    ]),
    "another card may be made": dry([EMPTIER]),
    "a card comes": dry([
      FULLER,
      eniWith(2, ["idle"], { phase: "attaching" }),
    ]),
    "a card leaves": dry([FULLER, eniWith(2, [], { phase: "detaching" })]),
    "the vSwitch has few": dry(enis, {
      rests: new Map([["vsw-a", { untilMs: NOW_MS + 1, atMost: 1 }]]),
    }),
    "the rest is over": dry(enis, {
      rests: new Map([["vsw-a", { untilMs: NOW_MS, atMost: 0 }]]),
    }),
    "no other has addresses": dry(enis, {
      available: new Map([["vsw-b", 0], ["vsw-c", 0]]),
    }),
    "the pool is emptied": dry(enis, { draining: true }),
  };
  for (const [name, state] of Object.entries(cases)) {
    assertEquals(exchanged(state), undefined, name);
  }
});

Deno.test("a vSwitch that is known to be empty is no reason to make way", () => {
  const available = new Map([["vsw-b", 0], ["vsw-c", 9]]);
  const state = dry([FULLER, EMPTIER], { available });
  assertEquals(exchanged(state), "key-2 for vsw-c");
});

Deno.test("a card that isn't ours, or has doubtful addresses, never makes way", () => {
  const doubtful = eniWith(1, ["leased", "quarantined"]);
  const adopted = eniWith(2, ["leased", "idle"], { isAdopted: true });
  assertEquals(exchanged(dry([doubtful, adopted])), undefined);
  const unplugged = { ...LIMITS, hotPlug: false };
  const state = dry([FULLER, EMPTIER]);
  assertEquals(exchangeOf(state, unplugged, NOW_MS), undefined);
});

Deno.test("while the cloud allows no further card, one must make way too", () => {
  const problem = {
    call: "create",
    kind: "quota",
    api: "CreateNetworkInterface",
    code: "EniPerInstanceLimitExceeded",
    message: "no more",
    requestId: "",
    httpStatus: 403,
  } as const;
  const full = { sinceMs: NOW_MS, untilMs: NOW_MS + 1, problem };
  assertEquals(exchanged(dry([EMPTIER], { full })), "key-2 for vsw-b");
});

Deno.test("exchangeText() names the pods that hold the card, six of them no more", () => {
  const state = dry([eniWith(1, Array(7).fill("leased"))], { full: undefined });
  const [eni] = state.enis.values();
  if (eni === undefined) throw new Error("no card");
  const leases = new Map([...state.leases].map(([key, lease], i) => [
    key,
    i > 0 ? lease : {
      ...lease,
      attachment: { pod: { namespace: "default", name: "web-0" } },
    },
  ]));
  const target = { id: "vsw-b", cidr: "10.1.0.0/16" };
  assertEquals(
    exchangeText({ ...state, leases }, { eni, target }),
    "eni-1 on vsw-a, which is empty, makes way for a card on vsw-b once its " +
      "pods go: default/web-0, key-1-1, key-1-2, key-1-3, key-1-4 and 2 more",
  );
});

/** A node whose two cards are of one vSwitch, which others have emptied. */
async function ranDry(rig: Rig): Promise<void> {
  await fill(rig, 8);
  rig.stand.cloud.stranger.occupy(rig.stand.vSwitchId, 0);
}

Deno.test("pods get addresses of another vSwitch once a card could be made anew", () =>
  on(
    { vSwitches: ["vSwitchId", "smallVSwitchId"], maxIdle: 0 },
    async (rig) => {
      await ranDry(rig);
      const waiting = ["w", "x", "y", "z"].map((one) =>
        rig.claim(one, 300_000)
      );
      await rig.clock.advance(10_000);
      const [claim] = rig.keeper.status().claims;
      assertEquals(claim?.reason.kind, "exhausted");
      const { smallVSwitchId } = rig.stand;
      assert(
        claim?.reason.text.endsWith(
          `makes way for a card on ${smallVSwitchId} once its pods go: pod-6, pod-7`,
        ),
        claim?.reason.text,
      );
      await rig.keeper.release("pod-6");
      await rig.keeper.release("pod-7");
      const leases = await rig.within(Promise.all(waiting), 90_000);
      const used = new Set(leases.map(({ eniId }) => eniId));
      assertEquals(used.size, 1);
      const card = rig.keeper.status().enis.find(({ id }) =>
        used.has(id ?? "")
      );
      assertEquals(card?.vSwitchId, smallVSwitchId);
      assertEquals(rig.keeper.leases().length, 10);
      assertEquals(rig.newsOf("eniGone").length, 1);
    },
  ));

Deno.test("a card that would make way serves on when its vSwitch has addresses again", () =>
  on(
    { vSwitches: ["vSwitchId", "smallVSwitchId"], maxIdle: 0 },
    async (rig) => {
      await ranDry(rig);
      rig.claim("x", 900_000).catch(() => {});
      await rig.clock.advance(10_000);
      rig.stand.cloud.stranger.vacate(rig.stand.vSwitchId);
      await rig.clock.advance(60_000);
      assertEquals(
        rig.keeper.lease("x")?.eniId,
        rig.keeper.lease("pod-7")?.eniId,
      );
      assertEquals(rig.newsOf("eniGone"), []);
    },
  ));
