import { assert, assertEquals, assertRejects } from "@std/assert";
import { FAULTS } from "../tests/emulators/alibaba/faults.ts";
import { PoolError } from "./error.ts";
import { Rig, type RigOptions, wishFor } from "./testing/rig.ts";

/** Runs a case on a started rig, and empties it. */
async function on(
  options: RigOptions,
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  const rig = new Rig(options);
  try {
    await rig.start();
    await run(rig);
    assertEquals(rig.newsOf("broken"), []);
  } finally {
    await rig.close();
  }
}

/** Takes a node's `count` addresses. */
async function fill(rig: Rig, count: number): Promise<void> {
  const owners = Array.from({ length: count }, (_, i) => `pod-${i}`);
  await rig.within(Promise.all(owners.map((one) => rig.claim(one))), 61_000);
}

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
      "Cannot lease an address to a within 5000 ms as 1 addresses are under way",
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

Deno.test("quota reached: creating is refused at once until a card of ours goes", () =>
  on({ eniCount: 5, maxIdle: 0 }, async (rig) => {
    await fill(rig, 12); // the type allows 2 cards beside the primary one
    const error = await assertRejects(() => rig.lease("x"), PoolError);
    assertEquals(error.kind, "full");
    assert(error.message.includes("the cloud allows no further card"));
    const { full } = rig.keeper.status();
    const restMs = (full?.untilMs ?? 0) - rig.clock.nowMs();
    assert(restMs > 20 * 60_000 - 5_000 && restMs <= 30 * 60_000, `${restMs}`);
    const before = rig.countOf("CreateNetworkInterface");
    await assertRejects(() => rig.lease("y"), PoolError);
    assertEquals(rig.countOf("CreateNetworkInterface"), before);
    for (let i = 0; i < 6; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(45_000);
    assertEquals(rig.keeper.status().full, undefined);
    await rig.lease("z");
  }));

Deno.test("quota reached: looked at again after 20 to 30 min", () =>
  on({}, async (rig) => {
    const quota = {
      kind: "refuse",
      code: "EniPerInstanceLimitExceeded",
    } as const;
    rig.stand.cloud.faults.add(quota, { action: "CreateNetworkInterface" });
    const error = await assertRejects(() => rig.lease("x"), PoolError);
    assertEquals(error.kind, "full");
    assertEquals(rig.newsOf("full").length, 1);
    await rig.clock.advance(24 * 60_000);
    await assertRejects(() => rig.lease("y"), PoolError);
    await rig.clock.advance(60_000);
    await rig.lease("z");
    assertEquals(rig.newsOf("fullEnded").length, 1);
  }));

Deno.test("a vSwitch that runs dry rests, and the next one is taken", () =>
  on({ vSwitches: ["smallVSwitchId", "vSwitchId"] }, async (rig) => {
    await fill(rig, 12);
    const { smallVSwitchId, vSwitchId } = rig.stand;
    assert(rig.newsOf("vSwitchRested").length > 0);
    const used = rig.keeper.status().enis.map((eni) => eni.vSwitchId);
    assert(used.includes(vSwitchId), `${used} ${smallVSwitchId}`);
  }));

Deno.test("the last addresses of the only vSwitch are found, then pods learn why they wait", () =>
  on({ vSwitches: ["smallVSwitchId"] }, async (rig) => {
    await fill(rig, 4);
    const error = await assertRejects(
      () => rig.within(rig.claim("x", 10_000), 11_000),
      PoolError,
    );
    assertEquals(error.kind, "timeout");
    assert(error.message.includes("no vSwitch has addresses left"));
    assert(error.message.includes("tried again by itself at 2026-11-21T12:"));
  }));

Deno.test("a throttled API is left alone until the next minute", () =>
  on({}, async (rig) => {
    rig.stand.cloud.faults.add(FAULTS.throttled, {
      action: "CreateNetworkInterface",
    });
    const lease = await rig.within(rig.claim("a", 120_000), 120_000);
    assert(lease.atMs >= Date.parse("2026-11-21T12:01:00Z"));
    assertEquals(rig.countOf("CreateNetworkInterface"), 2);
    const [failure] = rig.newsOf("callFailed");
    assertEquals(failure?.problem.kind, "throttled");
    assertEquals(
      failure?.nextStep,
      "rests for 63 s, then one call at a time",
    );
  }));

Deno.test("a refusal that an operator must cure is told to who waits", () =>
  on({}, async (rig) => {
    rig.stand.cloud.faults.add(FAULTS.denied, {
      action: "CreateNetworkInterface",
    });
    const error = await assertRejects(
      () => rig.within(rig.claim("a", 10_000), 11_000),
      PoolError,
    );
    assert(
      error.message.includes(
        "CreateNetworkInterface failed with Forbidden.RAM",
      ),
    );
    await rig.clock.advance(60_000);
    await rig.lease("b");
  }));

for (const name of ["lost", "silent", "timeout", "garbage"] as const) {
  for (
    const action of [
      "CreateNetworkInterface",
      "AttachNetworkInterface",
      "AssignPrivateIpAddresses",
      "DetachNetworkInterface",
      "DeleteNetworkInterface",
      "DescribeNetworkInterfaces",
    ]
  ) {
    Deno.test(`a ${name} answer of ${action} costs time and nothing else`, () =>
      on({ maxIdle: 1 }, async (rig) => {
        rig.stand.cloud.faults.add(FAULTS[name], { action });
        await rig.lease("a");
        await rig.lease("b");
        assertEquals(rig.cloudEnis.map(({ ips }) => ips), [2]);
        await rig.keeper.release("a");
        await rig.keeper.release("b");
        await rig.drain();
        assertEquals(rig.cloudEnis, []);
        assertEquals(rig.stand.cloud.faults.count, 0);
      }));
  }
}

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

Deno.test("what can't be journalled doesn't happen", () =>
  on({ minIdle: 2 }, async (rig) => {
    const lease = await rig.lease("a");
    await rig.clock.advance(10_000);
    const { commit } = rig.journal;
    rig.journal.commit = () => {
      throw new PoolError("journal", "the disk is full");
    };
    const error = await assertRejects(() => rig.claim("b"), PoolError);
    assertEquals(error.kind, "journal");
    await assertRejects(() => rig.keeper.release("a"), PoolError, "full");
    assertEquals(rig.keeper.leases(), [lease]);
    assertEquals(rig.newsOf("journalFailed").length, 1);
    rig.journal.commit = commit;
    await rig.lease("b");
    assertEquals(await rig.keeper.release("a"), lease);
    assertEquals(rig.newsOf("journalBack").length, 1);
  }));

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

Deno.test("a start that the cloud doesn't answer says so, and goes on", async () => {
  const rig = new Rig();
  rig.stand.cloud.faults.add(FAULTS.unavailable, { times: 4 });
  const error = await assertRejects(
    () => rig.within(rig.keeper.start(rig.deadline(3_000)), 4_000),
    PoolError,
  );
  assert(error.message.includes("ServiceUnavailable"), error.message);
  await rig.lease("a");
  await rig.close();
});

Deno.test("a card that the kernel never shows is given up for another", () =>
  on({}, async (rig) => {
    rig.host.failure = new Error("no link with its MAC");
    const claim = rig.claim("a", 600_000);
    await rig.clock.advance(200_000);
    rig.host.failure = undefined;
    await rig.within(claim, 400_000);
    assertEquals(rig.newsOf("eniGone").length, 1);
    assertEquals(rig.cloudEnis.length, 1);
  }));
