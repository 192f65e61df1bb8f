import { assert, assertEquals } from "@std/assert";
import { ORPHAN_MS } from "./limits.ts";
import { on, type Rig, type RigOptions } from "./testing/rig.ts";
import { eniTags } from "./tags.ts";

/** Leaves a loose card behind that bears a node's tags; gives its id. */
async function lose(
  rig: Rig,
  { instanceId = rig.stand.instanceId, key = "closed-long-ago" } = {},
): Promise<string> {
  const { cloud, vSwitchId } = rig.stand;
  const tags = eniTags({ clusterId: "c1", instanceId }, key);
  return (await cloud.stranger.createEni({ vSwitchId, tags })).id;
}

/** A node that holds a card, and so looks around. */
function busy(
  run: (rig: Rig) => Promise<void>,
  options: RigOptions = {},
): Promise<void> {
  return on(options, async (rig) => {
    await rig.lease("a");
    await run(rig);
  });
}

function has(rig: Rig, id: string): boolean {
  return rig.stand.cloud.model.enis.has(id);
}

Deno.test("a loose card of ours without a record is deleted after 10 min", () =>
  busy(async (rig) => {
    const id = await lose(rig);
    await rig.clock.advance(60_000);
    const [orphan] = rig.keeper.status().orphans;
    assertEquals(orphan?.eniId, id);
    await rig.clock.advance(ORPHAN_MS - 65_000);
    assert(has(rig, id), "not yet");
    await rig.clock.advance(120_000);
    assert(!has(rig, id));
    assertEquals(rig.keeper.status().orphans, []);
    assertEquals(rig.newsOf("orphanFound").map((one) => one.eniId), [id]);
    assertEquals(rig.newsOf("orphanPurged").map((one) => one.eniId), [id]);
    assertEquals(rig.cloudEnis.length, 1, "what serves stays");
  }));

Deno.test("another node's, and one without our tags, are left alone", () =>
  busy(async (rig) => {
    const { cloud, vSwitchId } = rig.stand;
    const ids = [
      await lose(rig, { instanceId: "i-another" }),
      (await cloud.stranger.createEni({ vSwitchId })).id,
    ];
    await rig.clock.advance(3 * ORPHAN_MS);
    assertEquals(rig.newsOf("orphanFound"), []);
    for (const id of ids) assert(has(rig, id));
  }));

Deno.test("a card that was attached meanwhile is adopted, not deleted", () =>
  busy(async (rig) => {
    const id = await lose(rig);
    await rig.clock.advance(ORPHAN_MS - 60_000);
    const { cloud, instanceId } = rig.stand;
    cloud.attach({ eniId: id, instanceId });
    await rig.clock.advance(180_000);
    assertEquals(rig.newsOf("orphanPurged"), []);
    const [adopted] = rig.newsOf("eniAdopted");
    assertEquals([adopted?.eniId, adopted?.isOwn], [id, true]);
  }));

Deno.test("what a survey doesn't show any more begins anew", () =>
  busy(async (rig) => {
    const id = await lose(rig);
    await rig.clock.advance(ORPHAN_MS - 60_000);
    const { cloud, instanceId } = rig.stand;
    const tags = cloud.model.enis.get(id)?.tags ?? {};
    cloud.stranger.setTags(id, {});
    await rig.clock.advance(50_000);
    cloud.stranger.setTags(id, tags);
    await rig.clock.advance(ORPHAN_MS - 60_000);
    assert(has(rig, id), instanceId);
    await rig.clock.advance(180_000);
    assert(!has(rig, id));
  }));

Deno.test("the card of an intent that is still open is no orphan", () =>
  busy(async (rig) => {
    const { faults } = rig.stand.cloud;
    const away = { kind: "hang", done: true } as const;
    faults.add(away, { action: "CreateNetworkInterface", times: 60 });
    for (let i = 0; i < 6; i++) {
      rig.claim(`x-${i}`, 1_200_000).catch(() => {});
    }
    await rig.clock.advance(900_000);
    assertEquals(rig.newsOf("orphanFound"), []);
    faults.clear();
    await rig.clock.advance(120_000);
    assertEquals(rig.keeper.leases().length, 7);
  }));

Deno.test("an empty node that closed an intent in doubt looks out for its late child", () =>
  on({ maxIdle: 0 }, async (rig) => {
    const { cloud } = rig.stand;
    cloud.faults.add({ kind: "hang", done: false }, {
      action: "CreateNetworkInterface",
    });
    const waiting = rig.claim("a", 5_000).catch(() => {});
    await rig.clock.advance(6_000);
    await waiting;
    cloud.faults.add({ kind: "refuse", code: "IdempotentFailed" }, {
      action: "CreateNetworkInterface",
    });
    await rig.clock.advance(180_000);
    assertEquals(rig.journal.load().enis, [], "the intent is closed");
    const id = await lose(rig, { key: "token-1" });
    await rig.clock.advance(2 * ORPHAN_MS);
    assert(!has(rig, id));
    const count = rig.calls.length;
    await rig.clock.advance(2 * ORPHAN_MS);
    assertEquals(rig.calls.length, count, "and sleeps again");
  }));

Deno.test("where no card may be deleted, it is told and left alone", () =>
  busy(async (rig) => {
    const denied = { kind: "refuse", code: "Forbidden.RAM" } as const;
    rig.stand.cloud.faults.add(denied, {
      action: "DeleteNetworkInterface",
      times: 3,
    });
    const ids = [await lose(rig), await lose(rig, { key: "another" })];
    await rig.clock.advance(ORPHAN_MS + 120_000);
    const [failure] = rig.newsOf("callFailed");
    assert(ids.includes(failure?.eniId ?? ""));
    assertEquals(failure?.nextStep, "an operator must allow it; again in 60 s");
    await rig.clock.advance(600_000);
    for (const id of ids) assert(!has(rig, id));
  }));

Deno.test("without hot plug no card is deleted", () =>
  on({ limits: { hotPlug: false } }, async (rig) => {
    const id = await lose(rig);
    rig.claim("a", 60_000).catch(() => {});
    await rig.clock.advance(2 * ORPHAN_MS);
    assert(has(rig, id));
    assertEquals(rig.countOf("DeleteNetworkInterface"), 0);
  }));
