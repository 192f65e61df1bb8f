import { assert, assertEquals } from "@std/assert";
import { fill, on, type Rig } from "./testing/rig.ts";

function strangerOf(rig: Rig) {
  return rig.stand.cloud.stranger;
}

function countDescribes(rig: Rig): number {
  return rig.countOf("DescribeNetworkInterfaces");
}

Deno.test("an address taken from under a pod is told within a minute", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 3);
    const lease = rig.keeper.leases().find(({ ip, eniId }) =>
      rig.stand.cloud.model.enis.get(eniId)?.primaryIp !== ip
    );
    if (lease === undefined) throw new Error("no secondary address");
    const { ownerKey, ip, eniId } = lease;
    await strangerOf(rig).unassignIps(eniId, [ip]);
    await rig.clock.advance(60_000);
    assertEquals(rig.newsOf("leaseLost"), [
      { kind: "leaseLost", ownerKey, ip, eniId },
    ]);
    assertEquals(rig.keeper.lease(ownerKey), lease, "it isn't ended by us");
    assertEquals(rig.keeper.status().lost.map((one) => one.ownerKey), [
      ownerKey,
    ]);
    await rig.restart();
    assertEquals(rig.keeper.status().lost.length, 1, "it is written down");
    await strangerOf(rig).assignIps(eniId, [ip]);
    await rig.clock.advance(60_000);
    assertEquals(rig.newsOf("leaseFound").length, 1);
    assertEquals(rig.keeper.status().lost, []);
  }));

Deno.test("a lost address isn't given again before it is seen and proven", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 2);
    const lease = rig.keeper.leases().find(({ ip, eniId }) =>
      rig.stand.cloud.model.enis.get(eniId)?.primaryIp !== ip
    );
    if (lease === undefined) throw new Error("no secondary address");
    const { ownerKey, ip, eniId } = lease;
    await strangerOf(rig).unassignIps(eniId, [ip]);
    await rig.clock.advance(60_000);
    await rig.keeper.release(ownerKey);
    assertEquals(rig.keeper.status().slots.quarantined, 1);
    await rig.clock.advance(120_000);
    assertEquals(rig.keeper.status().slots.quarantined, 0, "it is gone twice");
    assertEquals(rig.keeper.status().slots.leased, 1);
  }));

Deno.test("one stale look takes nothing", () =>
  on({ minIdle: 3 }, async (rig) => {
    await rig.lease("a");
    await rig.clock.advance(10_000);
    const eni = rig.keeper.status().enis[0];
    const record = rig.stand.cloud.model.enis.get(eni?.id ?? "");
    if (record === undefined) throw new Error("no card");
    const { ips } = record;
    const before = rig.keeper.status().slots;
    const count = countDescribes(rig);
    record.ips = ips.slice(0, 1);
    await rig.clock.until(() => countDescribes(rig) >= count + 2, 60_000);
    await rig.clock.advance(200);
    record.ips = ips;
    await rig.clock.advance(30_000);
    assertEquals(rig.keeper.status().slots.leased, before.leased);
    assertEquals(rig.newsOf("leaseLost"), []);
    assertEquals(rig.newsOf("quarantined"), []);
    assert(rig.keeper.status().slots.idle >= before.idle);
  }));

Deno.test("an idle address that went is replaced", () =>
  on({ minIdle: 3 }, async (rig) => {
    await rig.clock.advance(10_000);
    const eniId = rig.keeper.status().enis[0]?.id ?? "";
    const ip = rig.stand.cloud.model.enis.get(eniId)?.ips[2] ?? "";
    await strangerOf(rig).unassignIps(eniId, [ip]);
    await strangerOf(rig).createEni({ vSwitchId: rig.stand.vSwitchId });
    await rig.clock.advance(70_000);
    assertEquals(rig.newsOf("addressesLost").map(({ ips }) => ips), [[ip]]);
    assertEquals(rig.keeper.status().slots.idle, 3);
  }));

Deno.test("a stranger's address is quarantined, and used once nothing speaks for it", () =>
  on({ maxIdle: 2 }, async (rig) => {
    await rig.lease("a");
    const eniId = rig.keeper.status().enis[0]?.id ?? "";
    await strangerOf(rig).assignIps(eniId, 1);
    const ip = rig.stand.cloud.model.enis.get(eniId)?.ips.at(-1) ?? "";
    rig.host.spoken.add(ip);
    await rig.clock.advance(300_000);
    assertEquals(rig.newsOf("quarantined").map(({ ips }) => ips), [[ip]]);
    assertEquals(rig.keeper.status().slots.quarantined, 1);
    rig.host.spoken.delete(ip);
    await rig.clock.advance(70_000);
    assertEquals(rig.newsOf("proven").map(({ ips }) => ips), [[ip]]);
    assertEquals(rig.keeper.status().slots.idle, 1);
  }));

Deno.test("a proven address above the upper mark is given back", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await rig.lease("a");
    const eniId = rig.keeper.status().enis[0]?.id ?? "";
    await strangerOf(rig).assignIps(eniId, 2);
    await rig.clock.advance(240_000);
    assertEquals(rig.cloudEnis.map(({ ips }) => ips), [1]);
    assertEquals(rig.newsOf("proven").length, 1);
  }));

Deno.test("a card detached behind our back is attached again, its leases told", () =>
  on({}, async (rig) => {
    const { ownerKey, eniId } = await rig.lease("a");
    await strangerOf(rig).detachEni(eniId);
    await rig.clock.advance(70_000);
    assertEquals(rig.newsOf("leaseLost").map((one) => one.ownerKey), [
      ownerKey,
    ]);
    assertEquals(rig.newsOf("leaseFound").length, 1);
    assertEquals(rig.cloudEnis.map(({ state }) => state), ["InUse"]);
  }));

Deno.test("a card whose place was taken tries to come back, without haste", () =>
  on({ eniCount: 2 }, async (rig) => {
    const { eniId } = await rig.lease("a");
    const { vSwitchId, instanceId } = rig.stand;
    await strangerOf(rig).detachEni(eniId);
    const others: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { id } = await strangerOf(rig).createEni({ vSwitchId, instanceId });
      others.push(id);
    }
    const before = rig.countOf("AttachNetworkInterface");
    await rig.clock.advance(600_000);
    const tries = rig.countOf("AttachNetworkInterface") - before;
    assert(tries > 5 && tries < 25, `${tries}`);
    await strangerOf(rig).deleteEni(others[0] ?? "");
    await rig.clock.advance(70_000);
    assertEquals(rig.newsOf("leaseFound").length, 1);
  }));

Deno.test("a card deleted behind our back leaves its leases marked, and goes with the last", () =>
  on({ minIdle: 2 }, async (rig) => {
    const { ownerKey, eniId } = await rig.lease("a");
    await rig.clock.advance(10_000);
    await strangerOf(rig).detachEni(eniId);
    await strangerOf(rig).deleteEni(eniId);
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.status().lost.map((one) => one.ownerKey), [
      ownerKey,
    ]);
    const other = await rig.lease("b");
    assert(other.eniId !== eniId, "nothing of it is leased any more");
    assert(other.ip !== rig.keeper.lease("a")?.ip, "though the cloud lent it");
    const count = countDescribes(rig);
    await rig.clock.advance(600_000);
    assert(countDescribes(rig) - count < 40, "surveys only");
    await rig.keeper.release(ownerKey);
    await rig.clock.advance(60_000);
    assertEquals(rig.newsOf("eniGone").map((one) => one.eniId), [eniId]);
  }));

Deno.test("a card deleted while it came back isn't asked for by name for ever", () =>
  on({}, async (rig) => {
    const { eniId } = await rig.lease("a");
    await strangerOf(rig).detachEni(eniId);
    await rig.clock.until(
      () => rig.keeper.status().enis[0]?.phase === "created",
      70_000,
    );
    await strangerOf(rig).deleteEni(eniId);
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.status().lost.length, 1);
    const count = countDescribes(rig);
    await rig.clock.advance(600_000);
    assert(countDescribes(rig) - count < 40, "surveys only");
  }));

Deno.test("an idle node asks once a minute, an empty one never", () =>
  on({ maxIdle: 0 }, async (rig) => {
    const empty = countDescribes(rig);
    await rig.clock.advance(3_600_000);
    assertEquals(countDescribes(rig), empty);
    await rig.lease("a");
    const held = countDescribes(rig);
    await rig.clock.advance(3_600_000);
    const surveys = (countDescribes(rig) - held) / 2;
    assert(surveys >= 60 && surveys <= 90, `${surveys}`);
  }));
