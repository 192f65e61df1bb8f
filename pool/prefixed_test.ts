import { assert, assertEquals, assertThrows } from "@std/assert";
import { contains } from "../netns/ip.ts";
import { openJournal } from "./journal.ts";
import { poolLimits } from "./limits.ts";
import { ipsOfPrefix } from "./prefix.ts";
import { writeOldJournal } from "./testing/old_journals.ts";
import { fill, on, type Rig, type RigOptions, wishFor } from "./testing/rig.ts";

/** A node whose cards get prefixes. */
function prefixed(more: RigOptions = {}): RigOptions {
  return { ...more, limits: { prefixes: { minCount: 0 }, ...more.limits } };
}

/** The cards in the region, as single addresses and prefixes. */
function cardsOf(rig: Rig): readonly (readonly [number, number])[] {
  return [...rig.stand.cloud.model.enis.values()]
    .filter(({ type }) => type !== "Primary")
    .map(({ ips, prefixes }) => [ips.length, prefixes.length] as const);
}

async function claimAll(rig: Rig, owners: readonly string[]): Promise<void> {
  await rig.within(
    Promise.all(owners.map((one) => rig.claim(one))),
    61_000,
  );
}

function names(count: number, start: string = "p"): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${start}${at}`);
}

Deno.test("a card is made with a prefix, and grows by as many as pods need", () =>
  on(prefixed({ maxIdle: 16 }), async (rig) => {
    await claimAll(rig, names(2));
    assertEquals(cardsOf(rig), [[1, 1]]);
    await claimAll(rig, names(40, "q"));
    assertEquals(cardsOf(rig), [[1, 3]]);
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    assertEquals(rig.countOf("AssignPrivateIpAddresses"), 1);
    const leases = rig.keeper.leases();
    assertEquals(new Set(leases.map(({ ip }) => ip)).size, 42);
    const [eni] = rig.keeper.status().enis;
    const blocks = eni?.prefixes ?? [];
    assertEquals(blocks.length, 3);
    assertEquals(
      leases.filter(({ ip }) => !blocks.some((one) => contains(one, ip)))
        .length,
      1,
    );
  }));

Deno.test("the least stock is counted in addresses, and one prefix is its due", () =>
  on(prefixed({ minIdle: 5, maxIdle: 5 }), async (rig) => {
    await rig.clock.advance(30_000);
    assertEquals(cardsOf(rig), [[1, 1]]);
    assertEquals(rig.keeper.status().slots.idle, 17);
    const { length } = rig.calls;
    await rig.clock.advance(200_000);
    const more = rig.calls.slice(length)
      .filter((call) => !call.startsWith("Describe"));
    assertEquals(more, []);
  }));

Deno.test("a prefix goes when none of its addresses is lent or cooling", () =>
  on(prefixed({ maxIdle: 4 }), async (rig) => {
    await claimAll(rig, names(20));
    assertEquals(cardsOf(rig), [[1, 2]]);
    const [first] = rig.keeper.status().enis[0]?.prefixes ?? [];
    const inside = new Set(ipsOfPrefix(first ?? ""));
    const of = rig.keeper.leases().filter(({ ip }) => inside.has(ip));
    assert(of.length > 1);
    for (const { ownerKey } of of.slice(1)) await rig.keeper.release(ownerKey);
    await rig.clock.advance(120_000);
    assertEquals(cardsOf(rig), [[1, 2]]);
    await rig.keeper.release(of[0]?.ownerKey ?? "");
    await rig.clock.advance(15_000);
    assertEquals(cardsOf(rig), [[1, 2]]);
    await rig.clock.advance(120_000);
    assertEquals(cardsOf(rig), [[1, 1]]);
    assertEquals(rig.countOf("UnassignPrivateIpAddresses"), 1);
  }));

Deno.test("as many prefixes are kept as the operator wants", () =>
  on(
    prefixed({ maxIdle: 0, limits: { prefixes: { minCount: 7 } } }),
    async (rig) => {
      await rig.clock.advance(60_000);
      assertEquals(cardsOf(rig), [[1, 5], [1, 2]]);
      const { length } = rig.calls;
      await rig.clock.advance(300_000);
      const more = rig.calls.slice(length)
        .filter((call) => !call.startsWith("Describe"));
      assertEquals(more, []);
    },
  ));

Deno.test("a card holds as many prefixes as the type lets it, less the primary address", () =>
  on(prefixed({ eniCount: 2, maxIdle: 100 }), async (rig) => {
    await fill(rig, 81);
    assertEquals(cardsOf(rig), [[1, 5]]);
    const error = await rig.within(
      rig.claim("late", 5_000).catch((error) => error as Error),
      6_000,
    );
    assert(error instanceof Error);
    assert(error.message.includes("81 of 81 addresses"), error.message);
  }));

Deno.test("a vSwitch whose free addresses don't lie together is told of", () =>
  on(prefixed({ eniCount: 2 }), async (rig) => {
    await fill(rig, 1);
    const { cloud, vSwitchId } = rig.stand;
    cloud.stranger.occupy(vSwitchId, 15);
    const error = await rig.within(
      rig.claim("late", 30_000).catch((error) => error as Error),
      31_000,
    );
    assert(error instanceof Error);
    assert(error.message.includes("sixteen free addresses"), error.message);
    const tries = rig.countOf("AssignPrivateIpAddresses");
    await rig.clock.advance(240_000);
    assertEquals(rig.countOf("AssignPrivateIpAddresses"), tries);
    cloud.stranger.vacate(vSwitchId);
    await rig.clock.advance(600_000);
    assert(rig.keeper.status().rests.length > 0);
    await rig.lease("later");
    assertEquals(cardsOf(rig), [[1, 1]]);
  }));

Deno.test("leases of prefixes survive a restart, and a lost journal", () =>
  on(prefixed({ minIdle: 2 }), async (rig) => {
    await claimAll(rig, names(3));
    const before = rig.keeper.lease("p2");
    await rig.clock.advance(10_000);
    const had = rig.keeper.status().enis[0]?.prefixes;
    await rig.restart();
    assertEquals(rig.keeper.lease("p2"), before);
    assertEquals(rig.keeper.status().enis[0]?.prefixes, had);
    await rig.keeper.stop();
    const { instanceId } = rig.stand;
    using journal = openJournal(":memory:", { instanceId });
    rig.keeper = rig.open({ journal });
    await rig.start();
    const [seen] = rig.keeper.status().enis;
    assertEquals([seen?.slots.quarantined, seen?.prefixes], [17, had]);
    for (const owner of names(3)) {
      const wish = { ...wishFor(owner), ips: [before?.ip ?? ""] };
      if (owner !== "p2") continue;
      await rig.within(rig.keeper.recover(wish, rig.deadline(5_000)), 5_001);
    }
    assertEquals(rig.keeper.lease("p2")?.ip, before?.ip);
    await rig.clock.advance(200_000);
    const { slots } = rig.keeper.status();
    assertEquals([slots.quarantined, slots.leased], [0, 1]);
    await rig.keeper.stop();
  }));

Deno.test("a prefix that somebody takes away is told, and its leases with it", () =>
  on(prefixed({ maxIdle: 16 }), async (rig) => {
    await claimAll(rig, names(3));
    const { cloud } = rig.stand;
    const [eni] = rig.keeper.status().enis;
    const [prefix = ""] = eni?.prefixes ?? [];
    await cloud.unassignPrefixes(eni?.id ?? "", [prefix]);
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.status().lost.length, 2);
    assertEquals(rig.keeper.status().slots.idle, 0);
    for (const { ownerKey } of rig.keeper.status().lost) {
      await rig.keeper.release(ownerKey);
    }
    await rig.clock.advance(120_000);
    assertEquals(rig.keeper.status().enis[0]?.prefixes, undefined);
    assertEquals(rig.keeper.status().slots.quarantined, 0);
    await claimAll(rig, ["new"]);
    assertEquals(cardsOf(rig), [[1, 1]]);
  }));

Deno.test("a prefix that somebody adds is used once nothing speaks for it", () =>
  on(prefixed({ maxIdle: 40 }), async (rig) => {
    await claimAll(rig, ["a"]);
    const { cloud } = rig.stand;
    const [eni] = rig.keeper.status().enis;
    await cloud.assignPrefixes(eni?.id ?? "", 1);
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.status().slots.quarantined, 16);
    await rig.clock.advance(120_000);
    const [after] = rig.keeper.status().enis;
    assertEquals([after?.slots.idle, after?.prefixes?.length], [16, 1]);
  }));

Deno.test("single addresses from before serve on beside prefixes, and back again", () =>
  on({ maxIdle: 5 }, async (rig) => {
    await claimAll(rig, names(4));
    assertEquals(cardsOf(rig), [[4, 0]]);
    const single = rig.limits;
    const limits = poolLimits({
      instance: { eniCount: 3, ipv4PerEniCount: 6 },
      prefixes: { minCount: 0 },
      vSwitches: single.vSwitches,
    });
    rig.keeper.reconfigure({ limits });
    await claimAll(rig, names(30, "q"));
    // The type allows 6: four single ones, and two prefixes.
    assertEquals(cardsOf(rig), [[4, 2]]);
    for (const one of names(4)) assert(rig.keeper.lease(one));
    rig.keeper.reconfigure({ limits: single });
    for (const one of names(30, "q")) await rig.keeper.release(one);
    await rig.clock.advance(120_000);
    assertEquals(cardsOf(rig), [[4, 0]]);
  }));

Deno.test("no answer of an Assign of prefixes is asked for again, by the same token", () =>
  on(prefixed({ maxIdle: 40 }), async (rig) => {
    await claimAll(rig, ["a"]);
    rig.stand.cloud.faults.add(
      { kind: "hang", done: true },
      { action: "AssignPrivateIpAddresses", times: 1 },
    );
    const claim = rig.claim("b").catch(() => {});
    await rig.clock.advance(5_000);
    await rig.restart();
    await claim;
    await rig.lease("b");
    assertEquals(cardsOf(rig), [[1, 1]]);
    assertEquals(rig.keeper.status().slots.idle, 15);
  }));

Deno.test("a journal from before prefixes opens, and has none", async () => {
  const path = await Deno.makeTempFile();
  writeOldJournal(path, 2);
  using journal = openJournal(path, { instanceId: "i-1" });
  assertEquals(journal.load().enis.map(({ prefixes }) => prefixes), [
    undefined,
  ]);
  await Deno.remove(path);
});

Deno.test("prefixes are refused where a card has room for none", () => {
  const vSwitches = [{ id: "v", cidr: "10.0.0.0/24", cidr6: "fd00::/64" }];
  const prefixes = { minCount: 0 };
  for (const stack of ["ipv4", "dual"] as const) {
    const instance = { eniCount: 3, ipv4PerEniCount: 1, ipv6PerEniCount: 1 };
    assertThrows(
      () => poolLimits({ instance, stack, vSwitches, prefixes }),
      RangeError,
      "prefixes need cards with secondary addresses",
    );
  }
});
