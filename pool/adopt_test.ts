import { assert, assertEquals, assertRejects } from "@std/assert";
import { openJournal } from "./journal.ts";
import { PoolError } from "./error.ts";
import { fill, Rig, type RigOptions } from "./testing/rig.ts";

/** A node with a card of three addresses that somebody else has attached. */
async function withForeign(
  options: RigOptions,
  tags: Record<string, string>,
  run: (rig: Rig, eniId: string) => Promise<void>,
): Promise<void> {
  const rig = new Rig(options);
  const { vSwitchId, instanceId, cloud } = rig.stand;
  const { id } = await cloud.stranger.createEni({
    vSwitchId,
    instanceId,
    secondaryCount: 2,
    tags,
  });
  try {
    await rig.start();
    await run(rig, id);
  } finally {
    await rig.close();
  }
}

const POINTED: RigOptions = { config: { adopt: { tags: { use: "pods" } } } };

Deno.test("a card that the operator points at is used, never detached or deleted", () =>
  withForeign({ ...POINTED, maxIdle: 1 }, { use: "pods" }, async (rig, id) => {
    assertEquals(rig.newsOf("eniAdopted").map((one) => one.isOwn), [false]);
    assertEquals(rig.keeper.status().slots.quarantined, 3);
    await rig.clock.advance(120_000);
    assertEquals(rig.cloudEnis, [{ id, state: "InUse", ips: 1 }]);
    assertEquals((await rig.lease("a")).eniId, id);
    await rig.restart();
    assertEquals(rig.keeper.status().enis.map((one) => one.isAdopted), [true]);
    await rig.keeper.release("a");
    await rig.drain();
    assertEquals(rig.cloudEnis, [{ id, state: "InUse", ips: 1 }]);
    assertEquals(rig.journal.load().enis, []);
    await rig.clock.advance(300_000);
    assertEquals(rig.keeper.status().enis, [], "nor adopted while it drains");
  }));

Deno.test("an adopted address isn't lent while something on the host speaks for it", () =>
  withForeign(POINTED, { use: "pods" }, async (rig, id) => {
    const ips = rig.stand.cloud.model.enis.get(id)?.ips ?? [];
    for (const ip of ips.slice(0, 2)) rig.host.spoken.add(ip);
    await rig.clock.advance(120_000);
    assertEquals(rig.keeper.status().slots.quarantined, 2);
    assertEquals((await rig.lease("a")).ip, ips[2]);
  }));

Deno.test("a card is adopted by its MAC, and a blocked one by nothing", async () => {
  const rig = new Rig();
  const { vSwitchId, instanceId, cloud } = rig.stand;
  const wish = { vSwitchId, instanceId };
  const { mac } = await cloud.stranger.createEni(wish);
  await rig.keeper.stop();
  await rig.close();
  const named = { config: { adopt: { macs: [mac] } } };
  await withForeign(named, {}, (each) => {
    assertEquals(each.newsOf("eniAdopted").length, 1);
    return Promise.resolve();
  });
  const excluded = { use: "pods", "terway.alibabacloud.com/excluded": "true" };
  await withForeign(POINTED, excluded, (each, id) => {
    assertEquals(each.keeper.status().foreignEniIds, [id]);
    return Promise.resolve();
  });
});

Deno.test("without hot plug only addresses change, and a full node says so", () => {
  const options = {
    ...POINTED,
    minIdle: 2,
    maxIdle: 2,
    limits: { hotPlug: false },
  };
  return withForeign(options, { use: "pods" }, async (rig, id) => {
    await rig.clock.advance(120_000);
    await fill(rig, 6);
    assertEquals(rig.cloudEnis, [{ id, state: "InUse", ips: 6 }]);
    const error = await assertRejects(() => rig.lease("x"), PoolError);
    assertEquals(error.kind, "full");
    for (let i = 0; i < 6; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(120_000);
    assertEquals(rig.cloudEnis, [{ id, state: "InUse", ips: 2 }]);
    await rig.drain();
    const forbidden = ["Create", "Attach", "Detach", "Delete"];
    for (const verb of forbidden) {
      assertEquals(rig.countOf(`${verb}NetworkInterface`), 0, verb);
    }
  });
});

Deno.test("a lost journal is built anew from the cloud, its addresses proven first", async () => {
  const rig = new Rig({ minIdle: 1 });
  await rig.start();
  const held = await rig.lease("pod");
  await rig.lease("other");
  await rig.clock.advance(10_000);
  await rig.keeper.stop();
  const { instanceId } = rig.stand;
  using journal = openJournal(":memory:", { instanceId });
  rig.host.spoken.add(held.ip);
  rig.keeper = rig.open({ journal });
  await rig.start();
  assertEquals(rig.newsOf("eniAdopted").map((one) => one.isOwn), [true]);
  await rig.clock.advance(90_000);
  const { slots } = rig.keeper.status();
  // One more was assigned at once, since none could be lent meanwhile.
  assertEquals([slots.quarantined, slots.idle], [1, 3]);
  const next = await rig.lease("next");
  assert(next.ip !== held.ip);
  rig.host.spoken.clear();
  await rig.keeper.release("next");
  await rig.drain();
  assertEquals(rig.cloudEnis, [], "it is ours, so it goes");
  await rig.close();
});
