import { assert, assertEquals } from "@std/assert";
import { contains, familyOf } from "../netns/ip.ts";
import type { IpStack } from "./family.ts";
import { openJournal } from "./journal.ts";
import { poolLimits } from "./limits.ts";
import { isOfPrefix } from "./prefix.ts";
import { fill, on, type Rig, type RigOptions, wishFor } from "./testing/rig.ts";

/** A node whose cards get prefixes of IPv6. */
function prefixed(stack: IpStack, more: RigOptions = {}): RigOptions {
  const limits = { prefixes: { minCount: 0 }, ...more.limits };
  return { stack, ...more, limits };
}

/** The cards in the region: single addresses and prefixes of each family. */
function cardsOf(rig: Rig): readonly (readonly number[])[] {
  return [...rig.stand.cloud.model.enis.values()]
    .filter(({ type }) => type !== "Primary")
    .map(({ ips, prefixes, ips6 }) => [
      ips.length,
      prefixes.length,
      ips6.filter((ip) => !ip.includes("/")).length,
      ips6.filter((ip) => ip.includes("/")).length,
    ]);
}

async function claimAll(rig: Rig, owners: readonly string[]): Promise<void> {
  await rig.within(Promise.all(owners.map((one) => rig.claim(one))), 61_000);
}

function names(count: number, start: string = "p"): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${start}${at}`);
}

Deno.test("a dual-stack card is made with a prefix of each family, and grows by IPv4", () =>
  on(prefixed("dual", { maxIdle: 16 }), async (rig) => {
    await claimAll(rig, names(2));
    assertEquals(cardsOf(rig), [[1, 1, 0, 1]]);
    await claimAll(rig, names(40, "q"));
    assertEquals(cardsOf(rig), [[1, 3, 0, 1]]);
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    assertEquals(rig.countOf("AssignIpv6Addresses"), 0);
    const leases = rig.keeper.leases();
    assertEquals(new Set(leases.map(({ ip6 }) => ip6)).size, 42);
    const six = rig.keeper.status().enis[0]?.prefixes
      ?.filter((one) => familyOf(one) === 6) ?? [];
    assertEquals(six.length, 1);
    assert(leases.every(({ ip6 = "" }) => isOfPrefix(six[0] ?? "", ip6)));
    assert(contains("fd00:1::/64", leases[0]?.ip6 ?? ""));
    assertEquals(rig.keeper.status().slots6?.idle, 256 - 42);
  }));

Deno.test("a card carries as many dual-stack pods as IPv4 prefixes allow", () =>
  on(prefixed("dual", { eniCount: 2, maxIdle: 100 }), async (rig) => {
    await fill(rig, 81);
    assertEquals(cardsOf(rig), [[1, 5, 0, 1]]);
    const error = await rig.within(
      rig.claim("late", 5_000).catch((error) => error as Error),
      6_000,
    );
    assert(error instanceof Error);
    assert(error.message.includes("81 of 81 addresses"), error.message);
  }));

Deno.test("a prefix of IPv6 stays with its card, and is asked for again once it is gone", () =>
  on(prefixed("dual", { maxIdle: 1 }), async (rig) => {
    await claimAll(rig, names(20));
    for (const one of names(20).slice(1)) await rig.keeper.release(one);
    await rig.clock.advance(200_000);
    assertEquals(cardsOf(rig).map(([, , , count]) => count), [1]);
    assertEquals(rig.countOf("UnassignIpv6Addresses"), 0);
    const [eni] = rig.keeper.status().enis;
    const six = eni?.prefixes?.find((one) => familyOf(one) === 6) ?? "";
    await rig.stand.cloud.unassign6(eni?.id ?? "", [six]);
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.status().lost.length, 1);
    await rig.keeper.release("p0");
    await rig.lease("new");
    assertEquals(cardsOf(rig).map(([, , , count]) => count), [1]);
  }));

Deno.test("pods of IPv6 alone have a prefix a card, which leaves with it", () =>
  on(prefixed("ipv6", { eniCount: 3, maxIdle: 0 }), async (rig) => {
    await claimAll(rig, names(3));
    assertEquals(cardsOf(rig), [[1, 0, 0, 1]]);
    assertEquals(rig.keeper.status().slots.idle, 253);
    await claimAll(rig, names(254, "q"));
    assertEquals(cardsOf(rig), [[1, 0, 0, 1], [1, 0, 0, 1]]);
    const ips = new Set(rig.keeper.leases().map(({ ip }) => ip));
    assertEquals(ips.size, 257);
    assert([...ips].every((ip) => familyOf(ip) === 6));
    for (const { ownerKey } of rig.keeper.leases()) {
      await rig.keeper.release(ownerKey);
    }
    await rig.clock.advance(200_000);
    assertEquals(cardsOf(rig), []);
    assertEquals(rig.countOf("UnassignIpv6Addresses"), 0);
  }));

Deno.test("one card with a wholly idle prefix of IPv6 is kept as stock, and as many as the operator wants", () =>
  on(
    prefixed("ipv6", { maxIdle: 5, limits: { prefixes: { minCount: 1 } } }),
    async (rig) => {
      await rig.clock.advance(60_000);
      assertEquals(cardsOf(rig), [[1, 0, 0, 1]]);
      await claimAll(rig, names(3));
      for (const one of names(3)) await rig.keeper.release(one);
      await rig.clock.advance(200_000);
      assertEquals(cardsOf(rig), [[1, 0, 0, 1]]);
      const { length } = rig.calls;
      await rig.clock.advance(200_000);
      const more = rig.calls.slice(length)
        .filter((call) => !call.startsWith("Describe"));
      assertEquals(more, []);
    },
  ));

Deno.test("a second prefix of IPv6 that somebody adds is given back", () =>
  on(prefixed("dual"), async (rig) => {
    await claimAll(rig, names(2));
    const [eni] = rig.keeper.status().enis;
    await rig.stand.cloud.assign6(eni?.id ?? "", { prefixCount: 1 });
    await rig.clock.advance(400_000);
    assertEquals(cardsOf(rig).map(([, , , count]) => count), [1]);
    assertEquals(rig.keeper.leases().length, 2);
    assertEquals(rig.keeper.status().lost, []);
  }));

Deno.test("leases of a prefix of IPv6 survive a restart, and a lost journal", () =>
  on(prefixed("dual", { minIdle: 2 }), async (rig) => {
    await claimAll(rig, names(3));
    const before = rig.keeper.lease("p2");
    await rig.clock.advance(10_000);
    const had = rig.keeper.status().enis[0]?.prefixes?.toSorted();
    await rig.restart();
    assertEquals(rig.keeper.lease("p2"), before);
    assertEquals(rig.keeper.status().enis[0]?.prefixes?.toSorted(), had);
    await rig.keeper.stop();
    const { instanceId } = rig.stand;
    using journal = openJournal(":memory:", { instanceId });
    rig.keeper = rig.open({ journal });
    await rig.start();
    assertEquals(rig.keeper.status().enis[0]?.prefixes?.toSorted(), had);
    const ips = [before?.ip ?? "", before?.ip6 ?? ""];
    const wish = { ...wishFor("p2"), ips };
    await rig.within(rig.keeper.recover(wish, rig.deadline(5_000)), 5_001);
    const after = rig.keeper.lease("p2");
    assertEquals([after?.ip, after?.ip6], ips);
    await rig.clock.advance(300_000);
    const { slots, slots6 } = rig.keeper.status();
    assertEquals([slots.quarantined, slots6?.quarantined], [0, 0]);
    assertEquals([slots.leased, slots6?.leased, slots6?.idle], [1, 1, 255]);
    await rig.keeper.stop();
  }));

Deno.test("a dual-stack card from before prefixes gets one of each, and keeps its pods", () =>
  on({ stack: "dual", maxIdle: 5 }, async (rig) => {
    await claimAll(rig, names(3));
    assertEquals(cardsOf(rig), [[3, 0, 3, 0]]);
    rig.keeper.reconfigure({
      limits: poolLimits({
        instance: { eniCount: 3, ipv4PerEniCount: 6, ipv6PerEniCount: 6 },
        stack: "dual",
        prefixes: { minCount: 0 },
        vSwitches: rig.limits.vSwitches,
      }),
    });
    await claimAll(rig, names(20, "q"));
    // The type allows 6 of each: three single ones, and prefixes.
    assertEquals(cardsOf(rig), [[3, 2, 3, 1]]);
    for (const one of names(3)) assert(rig.keeper.lease(one));
    rig.keeper.reconfigure({ limits: rig.limits });
    for (const one of names(20, "q")) await rig.keeper.release(one);
    await rig.clock.advance(200_000);
    for (const one of names(3)) assert(rig.keeper.lease(one));
    assertEquals(cardsOf(rig).map(([, count]) => count), [0]);
  }));

Deno.test("no answer of an Assign of a prefix of IPv6 is asked for again, by the same token", () =>
  on(prefixed("dual", { maxIdle: 40 }), async (rig) => {
    await claimAll(rig, ["a"]);
    const [eni] = rig.keeper.status().enis;
    const six = eni?.prefixes?.find((one) => familyOf(one) === 6) ?? "";
    rig.stand.cloud.faults.add(
      { kind: "hang", done: true },
      { action: "AssignIpv6Addresses", times: 1 },
    );
    await rig.stand.cloud.unassign6(eni?.id ?? "", [six]);
    await rig.clock.advance(60_000);
    await rig.keeper.release("a");
    const claim = rig.claim("b").catch(() => {});
    await rig.clock.advance(5_000);
    await rig.restart();
    await claim;
    await rig.lease("b");
    assertEquals(cardsOf(rig).map(([, , , count]) => count), [1]);
  }));
