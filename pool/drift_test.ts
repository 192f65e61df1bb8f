import { assert, assertEquals } from "@std/assert";
import type { PoolNews } from "./news.ts";
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

/** What others do, and the news by which it is told. */
const DEEDS: Readonly<
  Record<
    string,
    {
      readonly told: PoolNews["kind"];
      readonly run: (rig: Rig, at: Drifting) => unknown;
    }
  >
> = {
  "take a pod's address": {
    told: "leaseLost",
    run: (rig, { eniId, ip }) => strangerOf(rig).unassignIps(eniId, [ip]),
  },
  "detach a card with leases": {
    told: "leaseLost",
    run: (rig, { eniId }) => strangerOf(rig).detachEni(eniId),
  },
  "delete a card with leases": {
    told: "leaseLost",
    run: (rig, { eniId }) => strangerOf(rig).deleteEni(eniId),
  },
  "move a card to another instance": {
    told: "leaseLost",
    run: async (rig, { eniId }) => {
      const { cloud, instanceType: type, vSwitchId } = rig.stand;
      const { id: instanceId } = cloud.addInstance({ type, vSwitchId });
      await strangerOf(rig).detachEni(eniId);
      cloud.attach({ eniId, instanceId });
    },
  },
  "take an idle address": {
    told: "addressesLost",
    run: async (rig, { eniId, idleIp }) => {
      await strangerOf(rig).unassignIps(eniId, [idleIp]);
      // Else the refill might bring the very same one.
      strangerOf(rig).occupy(rig.stand.vSwitchId, 0);
    },
  },
  "add an address": {
    told: "quarantined",
    run: (rig, { eniId }) => strangerOf(rig).assignIps(eniId, 1),
  },
};

interface Drifting {
  readonly eniId: string;
  readonly ip: string;
  readonly idleIp: string;
}

for (const [deed, { told, run }] of Object.entries(DEEDS)) {
  Deno.test(`somebody may ${deed}: told within a minute, whenever it happens`, () =>
    on(
      // The longest pause between surveys, and a second for each answer.
      { minIdle: 1, maxIdle: 1, chance: 0.9999, cloud: { replyMs: 1_000 } },
      async (rig) => {
        for (let offsetMs = 0; offsetMs < 50_000; offsetMs += 4_900) {
          const owner = `pod-${offsetMs}`;
          const secondary = await pair(rig, owner);
          await rig.clock.advance(120_000 + offsetMs);
          const count = rig.newsOf(told).length;
          const sinceMs = rig.clock.nowMs();
          await run(rig, secondary);
          await rig.clock.until(() => rig.newsOf(told).length > count, 65_000);
          const tookMs = rig.clock.nowMs() - sinceMs;
          assert(tookMs <= 60_000, `${tookMs} ms at ${offsetMs}`);
          strangerOf(rig).vacate(rig.stand.vSwitchId);
          for (const { ownerKey } of rig.keeper.leases()) {
            await rig.keeper.release(ownerKey);
          }
          await rig.clock.advance(300_000);
        }
      },
    ));
}

/** Leases two addresses; gives the secondary one, and an idle one. */
async function pair(rig: Rig, owner: string): Promise<Drifting> {
  const leases = [await rig.lease(`${owner}-a`), await rig.lease(`${owner}-b`)];
  await rig.clock.advance(20_000);
  const { model } = rig.stand.cloud;
  for (const { eniId, ip } of leases) {
    const eni = model.enis.get(eniId);
    const idleIp = eni?.ips.find((one) =>
      one !== eni.primaryIp && leases.every((lease) => lease.ip !== one)
    );
    if (eni === undefined || eni.primaryIp === ip) continue;
    if (idleIp !== undefined) return { eniId, ip, idleIp };
  }
  throw new Error("no secondary address");
}
