import { assert, assertEquals, assertRejects } from "@std/assert";
import { PoolError } from "./error.ts";
import { fill, on, Rig, wishFor } from "./testing/rig.ts";

Deno.test("a pod on an empty node gets an address of a card that is made for it", () =>
  on({}, async (rig) => {
    const lease = await rig.lease("a");
    assertEquals(rig.cloudEnis, [{ id: lease.eniId, state: "InUse", ips: 1 }]);
    assert(rig.host.prepared.has(lease.eniId));
    assertEquals(rig.journal.load().leases, [lease]);
    assertEquals(rig.keeper.lease("a"), lease);
  }));

Deno.test("a claim that is made again gets the same lease, without a second call", () =>
  on({}, async (rig) => {
    const both = await rig.within(
      Promise.all([rig.claim("a"), rig.claim("a")]),
      61_000,
    );
    assertEquals(both[0], both[1]);
    const callCount = rig.calls.length;
    assertEquals(await rig.claim("a"), both[0]);
    assertEquals(rig.calls.length, callCount);
    assertEquals(rig.keeper.leases().length, 1);
  }));

Deno.test("pods that come together share one Create, and then one Assign", () =>
  on({}, async (rig) => {
    await fill(rig, 4);
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    assertEquals(rig.countOf("AssignPrivateIpAddresses"), 0);
    await rig.within(
      Promise.all(["x", "y"].map((one) => rig.claim(one))),
      9_000,
    );
    assertEquals(rig.countOf("CreateNetworkInterface"), 1);
    assertEquals(rig.countOf("AssignPrivateIpAddresses"), 1);
  }));

Deno.test("a released address rests 30 s, then another pod gets it", () =>
  on({ eniCount: 2, addressesPerEni: 1 }, async (rig) => {
    const lease = await rig.lease("old");
    assertEquals(await rig.keeper.release("old"), lease);
    assertEquals(rig.journal.load().leases, []);
    const releasedMs = rig.clock.nowMs();
    const next = await rig.lease("new");
    assertEquals(next.ip, lease.ip);
    assertEquals(rig.clock.nowMs() - releasedMs, 30_000);
  }));

Deno.test("a late release of an older sandbox finds nothing", () =>
  on({}, async (rig) => {
    await rig.lease("net/old/eth0");
    await rig.keeper.release("net/old/eth0");
    const lease = await rig.lease("net/new/eth0");
    assertEquals(await rig.keeper.release("net/old/eth0"), undefined);
    assertEquals(rig.keeper.lease("net/new/eth0"), lease);
  }));

Deno.test("a node fills to exactly (cards - 1) times addresses, then refuses at once", () =>
  on({}, async (rig) => {
    await fill(rig, 12);
    assertEquals(new Set(rig.keeper.leases().map(({ ip }) => ip)).size, 12);
    assertEquals(rig.cloudEnis.map(({ ips }) => ips), [6, 6]);
    const startMs = rig.clock.nowMs();
    const error = await assertRejects(() => rig.lease("one more"), PoolError);
    assertEquals(error.kind, "full");
    assertEquals(
      error.message,
      "Cannot lease an address to one more as the node is full: 12 of 12 addresses are leased; a pod that leaves makes room",
    );
    assertEquals(rig.clock.nowMs(), startMs);
  }));

Deno.test("a claim that gives up leaves nothing, and says what it waited for", () =>
  on({ cloud: { replyMs: 100, attachMs: 20_000 } }, async (rig) => {
    const error = await assertRejects(
      () => rig.within(rig.claim("a", 5_000), 6_000),
      PoolError,
    );
    assertEquals(error.kind, "timeout");
    assertEquals(
      error.message,
      "Cannot lease an address to a within 5000 ms as 1 address is under way",
    );
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.leases(), []);
    assertEquals(rig.keeper.status().claims, []);
  }));

Deno.test("a claim that is aborted while it is granted isn't leaked", () =>
  on({ minIdle: 1 }, async (rig) => {
    await rig.clock.advance(10_000);
    const end = new AbortController();
    const claim = rig.keeper.claim({
      ownerKey: "a",
      attach(): { recipe: string; attachment: unknown } {
        end.abort();
        return { recipe: "test/1", attachment: {} };
      },
    }, end.signal);
    const error = await assertRejects(() => claim, PoolError);
    assertEquals(error.kind, "cancelled");
    await rig.clock.advance(100);
    assertEquals(rig.keeper.leases(), []);
    assertEquals(rig.journal.load().leases, []);
  }));

Deno.test("an attachment that can't be made fails its own claim only", () =>
  on({ minIdle: 2 }, async (rig) => {
    await rig.clock.advance(10_000);
    const bad = rig.keeper.claim({
      ownerKey: "bad",
      attach(): { recipe: string; attachment: unknown } {
        throw new TypeError("no such namespace");
      },
    }, rig.deadline(1_000));
    const good = rig.claim("good");
    await assertRejects(() => bad, Error, "no such namespace");
    assertEquals((await good).ownerKey, "good");
    assertEquals(rig.keeper.leases().length, 1);
  }));

Deno.test("a release while the claim waits cancels it", () =>
  on({}, async (rig) => {
    const claim = rig.claim("a");
    const released = rig.keeper.release("a");
    const error = await assertRejects(() => claim, PoolError);
    assertEquals(error.kind, "cancelled");
    assertEquals(await released, undefined);
  }));

Deno.test("the stock is filled up to min and emptied down to max", () =>
  on({ minIdle: 2, maxIdle: 3 }, async (rig) => {
    await rig.clock.advance(10_000);
    assertEquals(rig.keeper.status().slots.idle, 2);
    await fill(rig, 5);
    await rig.clock.advance(10_000);
    assertEquals(rig.keeper.status().slots.idle, 2);
    for (let i = 0; i < 5; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(60_000);
    assertEquals(rig.keeper.status().slots.idle, 3);
    assertEquals(rig.cloudEnis.reduce((sum, { ips }) => sum + ips, 0), 3);
  }));

Deno.test("a card that serves nobody goes as a whole", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await fill(rig, 3);
    for (let i = 0; i < 3; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(60_000);
    assertEquals(rig.cloudEnis, []);
    assertEquals(rig.countOf("UnassignPrivateIpAddresses"), 0);
    assertEquals(rig.host.prepared.size, 0);
    assertEquals(rig.journal.load(), { enis: [], slots: [], leases: [] });
  }));

Deno.test("a restart finds leases, resting addresses and cards again", () =>
  on({}, async (rig) => {
    const lease = await rig.lease("stays");
    const gone = await rig.lease("goes");
    await rig.keeper.release("goes");
    await rig.clock.advance(20_000);
    await rig.restart();
    assertEquals(rig.keeper.lease("stays"), lease);
    assertEquals(await rig.claim("stays"), lease);
    assertEquals(rig.keeper.status().slots.cooling, 1);
    await rig.clock.advance(1_000);
    const next = await rig.lease("next");
    assert(next.ip !== gone.ip, "it still rests");
    assertEquals(rig.host.prepareCount, 2);
  }));

Deno.test("a card that isn't ours is counted and never touched", async () => {
  const rig = new Rig();
  const { cloud, vSwitchId, securityGroupId, instanceId } = rig.stand;
  const foreign = cloud.createEni({
    vSwitchId,
    securityGroupIds: [securityGroupId],
    type: "Secondary",
    secondary: 0,
    tags: { creator: "terway", "terway/cluster": "another" },
    name: "",
    description: "",
    deleteOnRelease: true,
  });
  cloud.attach({ eniId: foreign.id, instanceId });
  await rig.clock.advance(5_000);
  try {
    await rig.start();
    assertEquals(rig.keeper.status().foreignEniIds, [foreign.id]);
    await fill(rig, 6);
    const error = await assertRejects(() => rig.lease("x"), PoolError);
    assert(error.message.includes("1 of 2 cards aren't ours"), error.message);
    for (let i = 0; i < 6; i++) await rig.keeper.release(`pod-${i}`);
    await rig.drain();
    assertEquals(rig.cloudEnis.map(({ id }) => id), [foreign.id]);
  } finally {
    await rig.close();
  }
});

Deno.test("drain waits for pods, then leaves nothing", () =>
  on({ minIdle: 3 }, async (rig) => {
    await rig.lease("a");
    const error = await assertRejects(
      () => rig.within(rig.keeper.drain(rig.deadline(5_000)), 6_000),
      PoolError,
    );
    assert(
      error.message.includes("1 leases hold them, whose pods must go first: a"),
    );
    const refusal = await assertRejects(() => rig.claim("b"), PoolError);
    assertEquals(refusal.kind, "closing");
    assertEquals((await rig.claim("a")).ownerKey, "a");
    await rig.keeper.release("a");
    await rig.drain();
    assertEquals(rig.cloudEnis, []);
    assertEquals(rig.journal.load(), { enis: [], slots: [], leases: [] });
  }));

Deno.test("stop tells who waits, and releases nothing", () =>
  on({}, async (rig) => {
    await rig.lease("a");
    const claim = rig.keeper.claim(wishFor("b"), rig.deadline(60_000));
    await rig.keeper.stop();
    const error = await assertRejects(() => claim, PoolError);
    assertEquals(error.kind, "closing");
    assertEquals(rig.cloudEnis.length, 1);
    await assertRejects(() => rig.keeper.release("a"), PoolError);
    assertEquals(rig.journal.load().leases.length, 1);
  }));
