import { assertEquals, assertRejects } from "@std/assert";
import { openDirect } from "../../tests/emulators/alibaba/direct.ts";
import { buildStand, type Stand } from "../../tests/emulators/alibaba/stand.ts";
import { decodeConfig } from "./config.ts";
import { type NodeFacts, withConfig } from "./node.ts";

/** What a configuration comes to on the stand's node. */
async function nodeWith(stand: Stand, config: object): Promise<NodeFacts> {
  const cloud = openDirect(stand.cloud);
  const signal = AbortSignal.timeout(5_000);
  const { model } = stand.cloud;
  const record = model.instances.get(stand.instanceId);
  const primary = model.enis.get(record?.primaryEniId ?? "");
  const node: NodeFacts = {
    cloud,
    instance: {
      id: stand.instanceId,
      type: stand.instanceType,
      region: model.region,
      zone: "cn-hangzhou-a",
      vpcId: stand.vpcId,
      vSwitchId: stand.vSwitchId,
      primaryIp: primary?.primaryIp ?? "0.0.0.0",
      primaryMac: primary?.mac ?? "",
    },
    limits: await cloud.describeLimits(stand.instanceType, signal),
    vSwitches: [],
    securityGroupIds: [],
    credentials: () => undefined,
  };
  const text = JSON.stringify(config);
  return await withConfig(decodeConfig(text, "eni_conf").config, node);
}

async function vSwitchIds(stand: Stand, vswitches: object): Promise<string[]> {
  const { vSwitches } = await nodeWith(stand, { vswitches });
  return vSwitches.map(({ id }) => id);
}

Deno.test("a node takes the vSwitches of its zone, in their order, else its own", async () => {
  const stand = buildStand();
  const { vSwitchId: own, smallVSwitchId: small, farVSwitchId: far } = stand;
  const [a, b] = ["cn-hangzhou-a", "cn-hangzhou-b"] as const;
  assertEquals(await vSwitchIds(stand, { [a]: small, [b]: far }), [small]);
  assertEquals(await vSwitchIds(stand, { [a]: [small, own] }), [small, own]);
  assertEquals(await vSwitchIds(stand, { [b]: [far] }), [own], "zone absent");
  assertEquals(await vSwitchIds(stand, {}), [own]);
  await stand.cloud.close();
});

Deno.test("a vSwitch under the wrong zone is an error that names both", async () => {
  const stand = buildStand();
  const { farVSwitchId: far, smallVSwitchId: small } = stand;
  const { message } = await assertRejects(
    () => vSwitchIds(stand, { "cn-hangzhou-a": [far, "vsw-none", small] }),
    Error,
  );
  assertEquals(
    message,
    "Cannot use vswitches: the cloud knows no vSwitch vsw-none; " +
      `${far} is in cn-hangzhou-b, but stands under cn-hangzhou-a`,
  );
  await stand.cloud.close();
});

Deno.test("security groups are the primary ENI's, unless they are told", async () => {
  const stand = buildStand();
  const { model } = stand.cloud;
  const record = model.instances.get(stand.instanceId);
  const primary = model.enis.get(record?.primaryEniId ?? "");
  const untold = await nodeWith(stand, {});
  assertEquals(untold.securityGroupIds, primary?.securityGroupIds);
  const told = await nodeWith(stand, {
    "security_groups": [stand.otherSecurityGroupId],
  });
  assertEquals(told.securityGroupIds, [stand.otherSecurityGroupId]);
  await stand.cloud.close();
});
