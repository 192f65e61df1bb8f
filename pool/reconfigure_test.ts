import { assert, assertEquals, assertThrows } from "@std/assert";
import { PoolError } from "./error.ts";
import { type LimitsWish, type PoolLimits, poolLimits } from "./limits.ts";
import { fill, on, type Rig } from "./testing/rig.ts";

function limitsOf(rig: Rig, wish: Partial<LimitsWish> = {}): PoolLimits {
  return poolLimits({
    instance: { eniCount: 3, ipv4PerEniCount: 6 },
    vSwitches: rig.limits.vSwitches,
    ...wish,
  });
}

function groupsOf(rig: Rig): readonly (readonly string[])[] {
  return [...rig.stand.cloud.model.enis.values()]
    .filter(({ type }) => type !== "Primary")
    .map((eni) => eni.securityGroupIds);
}

const MODIFY = "ModifyNetworkInterfaceAttribute";

Deno.test("another list of security groups is applied to the cards that there are, one by one", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 8);
    const { securityGroupId: one, otherSecurityGroupId: two } = rig.stand;
    let most = 0;
    const before = rig.stand.cloud.before;
    rig.stand.cloud.before = (call) => {
      const open = rig.openCalls.filter((kind) => kind === "secure");
      most = Math.max(most, open.length);
      return before(call);
    };
    rig.keeper.reconfigure({ securityGroupIds: [two, one] });
    await rig.clock.advance(5_000);
    for (const ids of groupsOf(rig)) {
      assertEquals(ids.toSorted(), [one, two].toSorted());
    }
    assertEquals([rig.countOf(MODIFY), most], [2, 1]);
    rig.keeper.reconfigure({ securityGroupIds: [one, two] });
    await rig.clock.advance(60_000);
    assertEquals(rig.countOf(MODIFY), 2, "their order doesn't matter");
    await rig.keeper.release("pod-7");
    await rig.keeper.release("pod-6");
    await rig.clock.advance(60_000);
    await fill(rig, 8);
    assertEquals(groupsOf(rig).length, 2);
    assertEquals(rig.countOf(MODIFY), 2, "a new card has them from the start");
    assertEquals(
      rig.keeper.status().enis.map((eni) => eni.securityGroupIds.length),
      [2, 2],
    );
  }));

Deno.test("groups that changed while no daemon ran are applied by the next", () =>
  on({}, async (rig) => {
    await rig.lease("a");
    await rig.keeper.stop();
    rig.keeper = rig.open();
    const { otherSecurityGroupId } = rig.stand;
    rig.keeper.reconfigure({ securityGroupIds: [otherSecurityGroupId] });
    assertEquals(rig.countOf(MODIFY), 0, "it hasn't begun yet");
    await rig.start();
    await rig.clock.advance(35_000);
    assertEquals(groupsOf(rig), [[otherSecurityGroupId]]);
    await rig.restart();
    await rig.clock.advance(35_000);
    assertEquals(groupsOf(rig), [[rig.stand.securityGroupId]]);
  }));

Deno.test("an older call that is late doesn't win over a newer one", () =>
  on({}, async (rig) => {
    await rig.lease("a");
    const { securityGroupId: one, otherSecurityGroupId: two } = rig.stand;
    rig.stand.cloud.faults.add({ kind: "slow", ms: 28_000 }, {
      action: MODIFY,
    });
    rig.keeper.reconfigure({ securityGroupIds: [two] });
    await rig.clock.advance(21_000);
    rig.keeper.reconfigure({ securityGroupIds: [one, two] });
    await rig.clock.advance(60_000);
    assertEquals(groupsOf(rig).map((ids) => ids.toSorted()), [
      [one, two].toSorted(),
    ]);
  }));

Deno.test("a call that was under way when the process died is made anew", () =>
  on({}, async (rig) => {
    await rig.lease("a");
    const { securityGroupId: one, otherSecurityGroupId: two } = rig.stand;
    rig.stand.cloud.faults.add({ kind: "slow", ms: 25_000 }, {
      action: MODIFY,
    });
    rig.keeper.reconfigure({ securityGroupIds: [two] });
    await rig.clock.advance(1_000);
    await rig.restart();
    assertEquals(rig.keeper.status().enis[0]?.securityGroupIds, []);
    await rig.clock.advance(60_000);
    assertEquals(groupsOf(rig), [[one]], "though it was made with these");
  }));

Deno.test("an adopted card keeps its groups", () =>
  on({ config: { adopt: { tags: { use: "pods" } } } }, async (rig) => {
    const { cloud, vSwitchId, instanceId, securityGroupId } = rig.stand;
    await rig.lease("a");
    await cloud.stranger.createEni({
      vSwitchId,
      instanceId,
      tags: { use: "pods" },
      securityGroupIds: [securityGroupId],
    });
    await rig.clock.advance(60_000);
    const { otherSecurityGroupId } = rig.stand;
    rig.keeper.reconfigure({ securityGroupIds: [otherSecurityGroupId] });
    await rig.clock.advance(60_000);
    assertEquals(groupsOf(rig), [[otherSecurityGroupId], [securityGroupId]]);
  }));

Deno.test("a card whose groups can't be changed serves, and doesn't keep the others", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 8);
    const { otherSecurityGroupId, cloud } = rig.stand;
    const [bad] = rig.keeper.status().enis;
    const before = cloud.before;
    cloud.before = (call) => {
      const isBad = call.action === MODIFY &&
        call.params["NetworkInterfaceId"] === bad?.id;
      if (!isBad) return before(call);
      return { kind: "refuse", code: "InvalidParameter" };
    };
    rig.keeper.reconfigure({ securityGroupIds: [otherSecurityGroupId] });
    await rig.clock.advance(150_000);
    assertEquals(
      groupsOf(rig).filter(([id]) => id === otherSecurityGroupId).length,
      1,
    );
    await rig.lease("x");
    const { problem, securityGroupIds } = rig.keeper.status().enis[0] ?? {};
    assertEquals(problem, undefined);
    assertEquals(securityGroupIds, []);
  }));

Deno.test("other bounds hold from the next step on, and a call that runs goes on", () =>
  on({ maxIdle: 0 }, async (rig) => {
    const waiting = rig.claim("a");
    await rig.clock.until(() => rig.openCalls.includes("create"), 1_000);
    rig.keeper.reconfigure({ limits: limitsOf(rig, { minIdle: 3 }) });
    assertEquals(rig.openCalls, ["create"]);
    await rig.within(waiting, 30_000);
    await rig.clock.advance(10_000);
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    const { slots, limits } = rig.keeper.status();
    assertEquals([slots.idle, limits.minIdle], [3, 3]);
    rig.keeper.reconfigure({ limits: limitsOf(rig, { maxIdle: 1 }) });
    await rig.clock.advance(10_000);
    assertEquals(rig.keeper.status().slots.idle, 1);
  }));

Deno.test("with fewer cards than there are nothing is taken from pods", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 8);
    rig.keeper.reconfigure({
      limits: limitsOf(rig, { maxEniCount: 1, maxIdle: 0 }),
    });
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.leases().length, 8);
    for (const owner of ["pod-6", "pod-7"]) await rig.keeper.release(owner);
    await rig.clock.advance(60_000);
    assertEquals(rig.cloudEnis.length, 1);
    assertEquals(rig.keeper.status().capacity, 6);
  }));

Deno.test("another list of vSwitches says where new cards are made", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 6);
    const { smallVSwitchId: id } = rig.stand;
    const vSwitches = [{ id, cidr: "10.0.2.0/29" }];
    rig.keeper.reconfigure({ limits: limitsOf(rig, { vSwitches }) });
    const { eniId } = await rig.lease("x");
    const card = rig.keeper.status().enis.find((eni) => eni.id === eniId);
    assertEquals(card?.vSwitchId, id);
    assertEquals(rig.keeper.leases().length, 7);
  }));

Deno.test("hot plug that is switched off leaves a card on its way as it is", () =>
  on({ maxIdle: 0 }, async (rig) => {
    const lost = { kind: "hang", done: true } as const;
    rig.stand.cloud.faults.add(lost, { action: "CreateNetworkInterface" });
    rig.claim("a", 200_000).catch(() => {});
    await rig.clock.advance(10_000);
    rig.keeper.reconfigure({ limits: limitsOf(rig, { hotPlug: false }) });
    await rig.clock.advance(60_000);
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    assertEquals(rig.countOf("AttachNetworkInterface"), 0);
    rig.keeper.reconfigure({ limits: limitsOf(rig, { hotPlug: true }) });
    await rig.lease("a");
    assertEquals(rig.cloudEnis.length, 1);
  }));

Deno.test("other tags are for new cards, and a card on its way isn't lost", () =>
  on({ maxIdle: 0 }, async (rig) => {
    rig.stand.cloud.faults.add({ kind: "lost" }, {
      action: "CreateNetworkInterface",
    });
    const waiting = rig.claim("a", 200_000);
    await rig.clock.advance(500);
    rig.keeper.reconfigure({ eniTags: { team: "a" } });
    await rig.within(waiting, 200_000);
    await rig.clock.advance(60_000);
    const used = rig.cloudEnis.filter(({ state }) => state === "InUse");
    assertEquals(used.length, rig.cloudEnis.length, "nothing is left behind");
  }));

Deno.test("what is out of bounds changes nothing", () =>
  on({}, async (rig) => {
    await rig.lease("a");
    const { limits } = rig.keeper.status();
    for (const count of [0, 6]) {
      const securityGroupIds = Array<string>(count).fill("sg-x");
      const change = {
        limits: limitsOf(rig, { maxIdle: 99 }),
        securityGroupIds,
      };
      assertThrows(() => rig.keeper.reconfigure(change), RangeError);
    }
    assertEquals(rig.keeper.status().limits, limits);
    await rig.keeper.stop();
    const error = assertThrows(() => rig.keeper.reconfigure({}), PoolError);
    assert(error.message.includes("the pool has stopped"));
  }));
