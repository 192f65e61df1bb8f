import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { make } from "./caller.ts";
import type { Fabric } from "./fabric.ts";
import { Refusal } from "./refusal.ts";
import { buildStand, type Stand } from "./stand.ts";

async function attached(stand: Stand): Promise<string> {
  const eniId = await make(stand);
  stand.cloud.attach({ eniId, instanceId: stand.instanceId });
  await stand.cloud.settled();
  return eniId;
}

Deno.test("a stranger's deeds reach the fabric", async () => {
  const stand = buildStand();
  const { cloud, vSwitchId, instanceId } = stand;
  const heard: string[] = [];
  const hear = (what: string) => (): Promise<void> => {
    heard.push(what);
    return Promise.resolve();
  };
  cloud.fabric = {
    attach: hear("attach"),
    detach: hear("detach"),
    assign: hear("assign"),
    unassign: hear("unassign"),
  } satisfies Fabric;
  const { id } = await cloud.stranger.createEni({ vSwitchId, instanceId });
  const [ip = ""] = await cloud.stranger.assignIps(id, 1);
  await cloud.stranger.unassignIps(id, [ip]);
  await cloud.stranger.deleteEni(id);
  assertEquals(heard, ["attach", "assign", "unassign", "detach"]);
});

Deno.test("a stranger's deeds are seen in metadata", async () => {
  const stand = buildStand();
  const { cloud, instanceId } = stand;
  const id = await attached(stand);
  const seen = () =>
    cloud.history.read(instanceId, { nowMs: cloud.clock.nowMs() })
      .some((eni) => eni.id === id);
  assert(seen());
  await cloud.stranger.detachEni(id);
  assertFalse(seen());
});

Deno.test("a stranger's card that can't be attached leaves nothing", async () => {
  const { cloud, farVSwitchId, instanceId } = buildStand();
  const before = cloud.dump();
  await assertRejects(
    () => cloud.stranger.createEni({ vSwitchId: farVSwitchId, instanceId }),
    Refusal,
  );
  assertEquals(cloud.dump(), before);
});

Deno.test("a stranger leaves a card on its way alone", async () => {
  const stand = buildStand({ attachMs: 60_000 });
  const { cloud, instanceId } = stand;
  const eniId = await make(stand);
  cloud.attach({ eniId, instanceId });
  await assertRejects(() => cloud.stranger.deleteEni(eniId), Refusal);
  await cloud.close();
});

Deno.test("a vSwitch is occupied down to what shall be left", async () => {
  const stand = buildStand();
  const { cloud, vSwitchId } = stand;
  const left = () =>
    cloud.dump().vSwitches.find(({ id }) => id === vSwitchId)?.availableIpCount;
  cloud.stranger.occupy(vSwitchId, 1);
  assertEquals(left(), 1);
  assertEquals(cloud.stranger.occupy(vSwitchId, 9), []);
  await make(stand);
  await assertRejects(() => make(stand), Error, "IpNotEnough");
  cloud.stranger.vacate(vSwitchId);
  assertEquals(left(), 250);
});
