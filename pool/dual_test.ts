import { assert, assertEquals } from "@std/assert";
import { contains, familyOf } from "../netns/ip.ts";
import { openJournal } from "./journal.ts";
import type { Change } from "./record.ts";
import type { Lease } from "./state.ts";
import { fill, on, Rig, wishFor } from "./testing/rig.ts";

/** The cards in the region, as addresses of each family. */
function cardsOf(rig: Rig): readonly (readonly [number, number])[] {
  return [...rig.stand.cloud.model.enis.values()]
    .filter(({ type }) => type !== "Primary")
    .map(({ ips, ips6 }) => [ips.length, ips6.length] as const);
}

function familiesOf({ ip, ip6 }: Lease): readonly number[] {
  return [ip, ...ip6 === undefined ? [] : [ip6]].map(familyOf);
}

Deno.test("a pod of a dual-stack node gets both addresses of one card in one commit", () =>
  on({ stack: "dual" }, async (rig) => {
    const leased: Change[] = [];
    const { commit } = rig.journal;
    rig.journal.commit = (change) => {
      if (change.put.leases.length > 0) leased.push(change);
      commit.call(rig.journal, change);
    };
    const lease = await rig.lease("a");
    assertEquals(familiesOf(lease), [4, 6]);
    assert(contains("fd00:1::/64", lease.ip6 ?? ""));
    assertEquals(leased.length, 1);
    const [change] = leased;
    assertEquals(
      change?.put.slots.filter(({ kind }) => kind === "leased")
        .map(({ ip }) => ip).sort(),
      [lease.ip, lease.ip6].sort(),
    );
    const eni = rig.stand.cloud.model.enis.get(lease.eniId);
    assert(eni?.ips.includes(lease.ip) && eni.ips6.includes(lease.ip6 ?? ""));
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    assertEquals(rig.countOf("AssignIpv6Addresses"), 0);
  }));

Deno.test("a card's IPv6 addresses follow its IPv4 addresses, up and down", () =>
  on({ stack: "dual", maxIdle: 1 }, async (rig) => {
    await fill(rig, 1);
    assertEquals(cardsOf(rig), [[1, 1]]);
    await rig.within(
      Promise.all(["b", "c", "d"].map((one) => rig.claim(one))),
      61_000,
    );
    assertEquals(cardsOf(rig), [[4, 4]]);
    assertEquals(rig.countOf("AssignPrivateIpAddresses"), 1);
    assertEquals(rig.countOf("AssignIpv6Addresses"), 1);
    for (const one of ["b", "c", "d"]) await rig.keeper.release(one);
    assertEquals(rig.keeper.status().slots6?.cooling, 3);
    await rig.clock.advance(120_000);
    assertEquals(cardsOf(rig), [[2, 2]]);
    const { slots, slots6 } = rig.keeper.status();
    assertEquals([slots.idle, slots6?.idle, slots.leased], [1, 1, 1]);
  }));

Deno.test("without IPv6 a pod gets nothing, and is told why", () =>
  on({ stack: "dual" }, async (rig) => {
    await fill(rig, 1);
    rig.stand.cloud.faults.add(
      { kind: "refuse", code: "Forbidden.RAM" },
      { action: "AssignIpv6Addresses" },
    );
    const error = await rig.within(
      rig.claim("late", 30_000).catch((error) => error as Error),
      31_000,
    );
    assert(error instanceof Error, "it got a lease");
    assert(error.message.includes("AssignIpv6Addresses"), error.message);
    assertEquals(rig.keeper.leases().length, 1);
    assertEquals(rig.keeper.status().slots.leased, 1);
    assertEquals(familiesOf(await rig.lease("later")), [4, 6]);
  }));

Deno.test("a card that may have fewer IPv6 addresses than believed carries fewer pods", () =>
  on({ stack: "dual", eniCount: 3, addressesPerEni: 8 }, async (rig) => {
    // The type allows 6 of each, and the pool believes in 8.
    await fill(rig, 5);
    rig.stand.cloud.faults.add(
      { kind: "refuse", code: "InvalidOperation.Ipv6CountExceeded" },
      { action: "AssignIpv6Addresses", times: 1 },
    );
    assertEquals(familiesOf(await rig.lease("next")), [4, 6]);
    await rig.clock.advance(60_000);
    assertEquals(cardsOf(rig), [[5, 5], [1, 1]]);
  }));

Deno.test("dual-stack leases survive a restart, and a lost journal", () =>
  on({ stack: "dual", minIdle: 1 }, async (rig) => {
    const before = await rig.lease("a");
    await rig.clock.advance(10_000);
    await rig.restart();
    assertEquals(rig.keeper.lease("a"), before);
    await rig.keeper.stop();
    const { instanceId } = rig.stand;
    using journal = openJournal(":memory:", { instanceId });
    rig.keeper = rig.open({ journal });
    await rig.start();
    const seen = rig.keeper.status();
    assert(seen.slots.quarantined > 0);
    assertEquals(seen.slots6?.quarantined, seen.slots.quarantined);
    const found = await rig.within(
      rig.keeper.recover({
        ...wishFor("a"),
        ips: [before.ip, before.ip6 ?? ""],
      }, rig.deadline(5_000)),
      5_001,
    );
    assertEquals([found?.ip, found?.ip6], [before.ip, before.ip6]);
    assertEquals(journal.load().leases.map(({ ip6 }) => ip6), [before.ip6]);
    await rig.keeper.release("a");
    const { slots, slots6 } = rig.keeper.status();
    assertEquals([slots.cooling, slots6?.cooling], [1, 1]);
    await rig.keeper.stop();
  }));

Deno.test("pods without IPv4 leave a card's IPv4 address alone", () =>
  on({ stack: "ipv6", maxIdle: 0, addressesPerEni: 6 }, async (rig) => {
    await fill(rig, 8);
    assertEquals(cardsOf(rig), [[1, 6], [1, 2]]);
    const leases = rig.keeper.leases();
    assert(leases.every((lease) => familiesOf(lease).join() === "6"));
    for (const { ownerKey } of leases.slice(1)) {
      await rig.keeper.release(ownerKey);
    }
    await rig.clock.advance(120_000);
    assertEquals(cardsOf(rig), [[1, 1]]);
    assertEquals(rig.countOf("UnassignPrivateIpAddresses"), 0);
  }));

Deno.test("what takes an IPv6 address away is told, and the pod keeps the other", () =>
  on({ stack: "dual" }, async (rig) => {
    const { ip, ip6 = "", eniId } = await rig.lease("a");
    await rig.stand.cloud.unassign6(eniId, [ip6]);
    await rig.clock.advance(60_000);
    assertEquals(
      rig.keeper.status().lost.map((one) => [one.ownerKey, one.ip]),
      [["a", ip6]],
    );
    assertEquals(rig.keeper.lease("a")?.ip, ip);
    await rig.keeper.release("a");
    const { slots } = rig.keeper.status();
    assertEquals(slots.cooling, 1);
  }));

Deno.test("a node that gets IPv6 keeps its pods, and its cards get it too", async () => {
  const rig = new Rig({ cloud: { ipv6: true }, minIdle: 1 });
  await rig.start();
  const old = await rig.lease("old");
  await rig.keeper.stop();
  const next = new Rig({ stack: "dual" });
  const { limits } = next;
  await next.close();
  const vSwitches = limits.vSwitches.map((one) => ({
    ...one,
    id: rig.stand.vSwitchId,
  }));
  rig.keeper = rig.open();
  rig.keeper.reconfigure({ limits: { ...limits, vSwitches, minIdle: 1 } });
  await rig.start();
  const lease = await rig.lease("new");
  assertEquals([old.ip6, familiesOf(lease).join()], [undefined, "4,6"]);
  assertEquals(lease.eniId, old.eniId);
  assert(rig.host.prepareCount > 1);
  assertEquals(rig.keeper.lease("old"), old);
  await rig.close();
});
