import { assert, assertEquals, assertThrows } from "@std/assert";
import { chooseVSwitch } from "./grow.ts";
import { type LimitsWish, type PoolLimits, poolLimits } from "./limits.ts";
import { plan } from "./plan.ts";
import type { PoolState, Slot } from "./state.ts";
import { fill, on } from "./testing/rig.ts";
import { claimsOf, eniWith, NOW_MS, poolOf } from "./testing/states.ts";

function limitsWith(wish: Partial<LimitsWish>): PoolLimits {
  return poolLimits({
    instance: { eniCount: 5, ipv4PerEniCount: 10 },
    vSwitches: ["vsw-a", "vsw-b", "vsw-c"].map((id, i) => ({
      id,
      cidr: `10.${i}.0.0/16`,
    })),
    ...wish,
  });
}

/** What is planned, as `<what> <for which card>`. */
function planned(state: PoolState, wish: Partial<LimitsWish>): string[] {
  return plan(state, limitsWith(wish), NOW_MS).map((action) => {
    if (action.kind === "grant") return `grant ${action.eniKey}`;
    if (action.kind !== "call") return action.kind;
    const { call } = action;
    return `${call.kind} ${"eniKey" in call ? call.eniKey : ""}`.trim();
  });
}

const kinds = (kind: Slot["kind"], count: number) =>
  Array<Slot["kind"]>(count).fill(kind);

Deno.test("eni_selection_policy says which card serves a pod, and which gets addresses", () => {
  const claims = claimsOf(1);
  const idle = poolOf([
    eniWith(1, ["leased", "idle"]),
    eniWith(2, ["leased", "leased", "idle"]),
  ], { claims });
  assertEquals(planned(idle, { eniPolicy: "most_ips" }), ["grant key-2"]);
  assertEquals(planned(idle, { eniPolicy: "least_ips" }), ["grant key-1"]);
  const used = poolOf([
    eniWith(1, kinds("leased", 1)),
    eniWith(2, kinds("leased", 2)),
  ], { claims });
  assertEquals(planned(used, { eniPolicy: "most_ips" }), ["assign key-2"]);
  assertEquals(planned(used, { eniPolicy: "least_ips" }), ["assign key-1"]);
});

Deno.test("vswitch_selection_policy says where a new card is made", () => {
  const available = new Map([["vsw-a", 3], ["vsw-b", 90], ["vsw-c", 80]]);
  const rests = new Map([["vsw-b", { untilMs: NOW_MS + 1, atMost: 0 }]]);
  const choose = (
    vSwitchPolicy: PoolLimits["vSwitchPolicy"],
    more: Partial<PoolState>,
  ) =>
    chooseVSwitch(poolOf([], more), limitsWith({ vSwitchPolicy }), NOW_MS)?.id;
  assertEquals(choose("ordered", { available }), "vsw-a");
  assertEquals(choose("most", { available }), "vsw-b");
  assertEquals(choose("most", { available, rests }), "vsw-c");
  const drawn = Array.from(
    { length: 300 },
    (_, i) => choose("random", { nextCallId: i, draw: 0.25 }),
  );
  for (const id of ["vsw-a", "vsw-b", "vsw-c"]) {
    const count = drawn.filter((one) => one === id).length;
    assert(count > 80 && count < 120, `${id}: ${count}`);
  }
});

Deno.test("the survey tells how many addresses vSwitches have, when there is a choice", () =>
  on({
    vSwitches: ["smallVSwitchId", "vSwitchId"],
    limits: { vSwitchPolicy: "most" },
  }, async (rig) => {
    await rig.lease("a");
    const used = rig.keeper.status().enis.map((eni) => eni.vSwitchId);
    assertEquals(used, [rig.stand.vSwitchId]);
  }));

Deno.test("eni_cap_ratio, eni_cap_shift and max_eni bound the cards", () => {
  const count = (wish: Partial<LimitsWish>) => limitsWith(wish).eniCount;
  assertEquals(count({}), 4);
  assertEquals(count({ eniCapRatio: 0.5 }), 1);
  assertEquals(count({ eniCapShift: -1 }), 3);
  assertEquals(count({ eniCapShift: 3 }), 4, "the type's bound holds");
  assertEquals(count({ maxEniCount: 2 }), 2);
  assertEquals(count({ eniCapRatio: 0.1 }), 0);
  assertThrows(() => limitsWith({ warmUpCount: -1 }), RangeError);
});

Deno.test("min_eni cards are made and kept", () =>
  on({ maxIdle: 0, limits: { minEniCount: 2 } }, async (rig) => {
    await rig.clock.advance(30_000);
    assertEquals(rig.cloudEnis.map(({ ips }) => ips), [1, 1]);
    await fill(rig, 4);
    for (let i = 0; i < 4; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(120_000);
    assertEquals(rig.cloudEnis.map(({ ips }) => ips), [1, 1]);
  }));

Deno.test("idle addresses are reclaimed in batches, down to min, once it is quiet", () => {
  const idleReclaim = {
    afterMs: 300_000,
    intervalMs: 60_000,
    batchCount: 2,
    jitter: 0,
  };
  return on(
    { minIdle: 1, maxIdle: 6, limits: { idleReclaim } },
    async (rig) => {
      await fill(rig, 6);
      for (let i = 0; i < 6; i++) await rig.keeper.release(`pod-${i}`);
      await rig.clock.advance(280_000);
      const idle = () => rig.keeper.status().slots.idle;
      const before = idle();
      await rig.clock.advance(30_000);
      assertEquals(idle(), before - 2);
      await rig.clock.advance(30_000);
      assertEquals(idle(), before - 2);
      await rig.clock.advance(25_000);
      assertEquals(idle(), before - 4);
      await rig.clock.advance(600_000);
      assertEquals(idle(), 1);
    },
  );
});

Deno.test("a node is warmed up once", () =>
  on({ maxIdle: 2, limits: { warmUpCount: 5 } }, async (rig) => {
    await rig.clock.until(() => rig.keeper.status().slots.idle === 5, 30_000);
    await rig.clock.advance(30_000);
    assertEquals(rig.keeper.status().slots.idle, 2);
    await rig.restart();
    await rig.clock.advance(30_000);
    assertEquals(rig.keeper.status().slots.idle, 2);
  }));
