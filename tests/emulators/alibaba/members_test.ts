import { assertEquals } from "@std/assert";
import { type Answer, ask, make } from "./caller.ts";
import { seenEnis } from "./history.ts";
import { buildStand, type Stand } from "./stand.ts";

/** 4 cards, 20 with members: 16 of these. */
const TYPE = "ecs.g7.xlarge";
const MEMBERS_AT_MOST = 16;

function attach(
  { cloud, instanceId }: Stand,
  id: string,
  trunkId?: string,
): Promise<Answer> {
  return ask(cloud, "AttachNetworkInterface", {
    NetworkInterfaceId: id,
    InstanceId: instanceId,
    ...trunkId && { TrunkNetworkInstanceId: trunkId },
  });
}

async function detach(
  { cloud, instanceId }: Stand,
  id: string,
): Promise<string> {
  const answer = await ask(cloud, "DetachNetworkInterface", {
    NetworkInterfaceId: id,
    InstanceId: instanceId,
  });
  await cloud.settled();
  return answer.code;
}

/** A node with a trunk that is in use. */
async function withTrunk(): Promise<Stand & { trunkId: string }> {
  const stand = buildStand({ instanceType: TYPE });
  const trunkId = await make(stand, { InstanceType: "Trunk" });
  assertEquals((await attach(stand, trunkId)).code, "OK");
  await stand.cloud.settled();
  return { ...stand, trunkId };
}

async function shown({ cloud }: Stand, id: string): Promise<{
  readonly Type: string;
  readonly Attachment?: unknown;
}> {
  const { body } = await ask(cloud, "DescribeNetworkInterfaces", {
    "NetworkInterfaceId.1": id,
  });
  // deno-lint-ignore no-explicit-any -- the wire's own form
  return (body as any).NetworkInterfaceSets.NetworkInterfaceSet[0];
}

Deno.test("members of a trunk are told apart by VLAN ids, and take no card's place", async () => {
  const stand = await withTrunk();
  const { cloud, trunkId, instanceId, smallVSwitchId } = stand;
  const members: string[] = [];
  // Of another vSwitch than the trunk's, as PodNetworking wants it.
  for (const params of [{}, { VSwitchId: smallVSwitchId }]) {
    const id = await make(stand, params);
    assertEquals((await attach(stand, id, trunkId)).code, "OK");
    members.push(id);
  }
  await cloud.settled();
  for (const [i, id] of members.entries()) {
    const { Type, Attachment } = await shown(stand, id);
    assertEquals([Type, Attachment], ["Member", {
      InstanceId: instanceId,
      TrunkNetworkInterfaceId: trunkId,
      DeviceIndex: i + 1,
    }]);
  }
  assertEquals((await shown(stand, trunkId)).Attachment, {
    InstanceId: instanceId,
    MemberNetworkInterfaceIds: { MemberNetworkInterfaceId: members },
  });
  // Two more cards: the primary one and the trunk are the others.
  for (let i = 0; i < 2; i++) {
    assertEquals((await attach(stand, await make(stand))).code, "OK");
  }
  await cloud.settled();
  const inside = seenEnis(cloud.model, instanceId).map(({ id }) => id);
  assertEquals(inside.length, 4);
  assertEquals(members.filter((id) => inside.includes(id)), []);
  await cloud.close();
});

Deno.test("a VLAN id is given again once its member has left", async () => {
  const stand = await withTrunk();
  const { cloud, trunkId } = stand;
  const [first, second] = [await make(stand), await make(stand)];
  for (const id of [first, second]) await attach(stand, id, trunkId);
  await cloud.settled();
  assertEquals(await detach(stand, first), "OK");
  assertEquals((await shown(stand, first)).Type, "Secondary");
  const third = await make(stand);
  await attach(stand, third, trunkId);
  await cloud.settled();
  const { Attachment } = await shown(stand, third);
  assertEquals((Attachment as { DeviceIndex: number }).DeviceIndex, 1);
  await cloud.close();
});

Deno.test("a trunk takes as many members as its type allows, and goes last", async () => {
  const stand = await withTrunk();
  const { cloud, trunkId } = stand;
  const last = await make(stand);
  const members: string[] = [];
  for (let i = 0; i < MEMBERS_AT_MOST; i++) {
    const id = await make(stand);
    assertEquals((await attach(stand, id, trunkId)).code, "OK");
    members.push(id);
  }
  await cloud.settled();
  const over = await attach(stand, last, trunkId);
  assertEquals(over.code, "EniPerInstanceLimitExceeded");
  assertEquals(
    await detach(stand, trunkId),
    "InvalidOperation.InvalidEniState",
  );
  for (const id of members) assertEquals(await detach(stand, id), "OK");
  assertEquals(await detach(stand, trunkId), "OK");
  await cloud.close();
});

Deno.test("a member needs a trunk that is here, and a node has one", async () => {
  const stand = await withTrunk();
  const card = await make(stand);
  const refused = "InvalidOperation.InvalidEniType";
  const member = await make(stand);
  await attach(stand, card);
  await stand.cloud.settled();
  for (const trunkId of [card, "eni-nobody"]) {
    assertEquals((await attach(stand, member, trunkId)).code, refused);
  }
  const second = await make(stand, { InstanceType: "Trunk" });
  assertEquals((await attach(stand, second)).code, refused);
  await stand.cloud.close();
});
