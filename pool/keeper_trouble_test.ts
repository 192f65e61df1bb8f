import { assert, assertEquals, assertRejects } from "@std/assert";
import { FAULTS } from "../tests/emulators/alibaba/faults.ts";
import { PoolError } from "./error.ts";
import { fill, on, Rig } from "./testing/rig.ts";

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

Deno.test("an API that throttled one kind of call isn't called by another", () =>
  on({}, async (rig) => {
    const waits = rig.claim("a", 120_000);
    await rig.clock.until(
      () => rig.countOf("AttachNetworkInterface") > 0,
      9_000,
    );
    const { faults } = rig.stand.cloud;
    faults.add(FAULTS.throttled, { action: "DescribeNetworkInterfaces" });
    const failures = () => rig.newsOf("callFailed");
    await rig.clock.until(() => failures().length > 0, 9_000);
    const { gates, nowMs } = rig.keeper.status();
    const held = gates.filter(({ notBeforeMs }) => notBeforeMs > nowMs);
    const kinds = held.map(({ call }) => call).sort();
    assertEquals(kinds, ["describe", "purge", "survey"]);
    const before = rig.countOf("DescribeNetworkInterfaces");
    await rig.clock.until(
      () => rig.countOf("DescribeNetworkInterfaces") > before,
      90_000,
    );
    assert(rig.clock.nowMs() >= Date.parse("2026-11-21T12:01:00Z"));
    await rig.within(waits, 60_000);
  }));

Deno.test("an answer that was on its way before ends no throttling", () =>
  on({}, async (rig) => {
    const action = "CreateNetworkInterface";
    rig.stand.cloud.faults.add({ kind: "slow", ms: 5_000 }, { action });
    rig.stand.cloud.faults.add(FAULTS.throttled, { action });
    const pods = Array.from(
      { length: 12 },
      (_, i) => rig.claim(`pod-${i}`, 120_000),
    );
    await rig.clock.until(() => rig.countOf(action) === 3, 70_000);
    assert(rig.clock.nowMs() >= Date.parse("2026-11-21T12:01:00Z"));
    await rig.within(Promise.all(pods), 60_000);
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

Deno.test("a card that came loose while the node was off is attached again, with its leases", () =>
  on({}, async (rig) => {
    const lease = await rig.lease("a");
    rig.host.prepared.clear();
    await rig.stand.cloud.stranger.detachEni(lease.eniId);
    await rig.restart();
    await rig.clock.advance(30_000);
    assertEquals([...rig.host.prepared], [lease.eniId]);
    assertEquals(rig.keeper.lease("a"), lease);
  }));

Deno.test("a card that is attached and whose link the kernel hasn't is plugged in anew", () =>
  on({}, async (rig) => {
    const lease = await rig.lease("a");
    rig.host.prepared.clear();
    // As `prepare` ends when no link with the card's MAC comes in time.
    const late = new DOMException("no answer", "TimeoutError");
    rig.host.failure = late;
    await rig.restart();
    const attached = rig.countOf("AttachNetworkInterface");
    const { detachEni } = rig.cloud;
    rig.cloud.detachEni = (...of) => {
      rig.host.failure = undefined;
      return detachEni.apply(rig.cloud, of);
    };
    await rig.clock.advance(60_000);
    assertEquals([...rig.host.prepared], [lease.eniId]);
    assertEquals(rig.countOf("AttachNetworkInterface"), attached + 1);
    assertEquals(rig.countOf("DeleteNetworkInterface"), 0);
    assertEquals(rig.keeper.lease("a"), lease);
  }));
