import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { AlibabaCloud } from "../../../pool/alibaba/cloud.ts";
import { OpenApiTransport } from "../../../pool/alibaba/client.ts";
import {
  CredentialChain,
  staticSource,
} from "../../../pool/alibaba/credentials.ts";
import { type Cloud, CloudError } from "../../../pool/cloud.ts";
import { openDirect } from "./direct.ts";
import { IPV6_POLICY, SEED_POLICY } from "./seed_policy.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";

function soon(): AbortSignal {
  return AbortSignal.timeout(5_000);
}

type Verb = (cloud: Cloud, stand: Stand) => Promise<unknown>;

const eniId = "eni-00000000000000000000";

/** Each action of the policy that the pool's cloud needs, and by which verb. */
const NEEDED: Readonly<Record<string, Verb>> = {
  "ecs:CreateNetworkInterface": (cloud, { vSwitchId, securityGroupId }) =>
    cloud.createEni({
      vSwitchId,
      securityGroupIds: [securityGroupId],
      ipCount: 1,
      tags: {},
      description: "",
      token: "t",
    }, soon()),
  "ecs:DescribeNetworkInterfaces": (cloud) => cloud.describeEnis({}, soon()),
  "ecs:AttachNetworkInterface": (cloud, { instanceId }) =>
    cloud.attachEni({ eniId, instanceId }, soon()),
  "ecs:DetachNetworkInterface": (cloud, { instanceId }) =>
    cloud.detachEni({ eniId, instanceId }, soon()),
  "ecs:DeleteNetworkInterface": (cloud) => cloud.deleteEni(eniId, soon()),
  "ecs:DescribeInstanceTypes": (cloud, { instanceType }) =>
    cloud.describeLimits(instanceType, soon()),
  "ecs:AssignPrivateIpAddresses": (cloud) =>
    cloud.assignIps({ eniId, count: 1, token: "t" }, soon()),
  "ecs:UnassignPrivateIpAddresses": (cloud) =>
    cloud.unassignIps({ eniId, ips: ["10.0.1.9"] }, soon()),
  "ecs:DescribeInstances": (cloud, { instanceId }) =>
    cloud.describeInstance(instanceId, soon()),
  "ecs:ModifyNetworkInterfaceAttribute": (cloud, { securityGroupId }) =>
    cloud.setSecurityGroups({
      eniId,
      securityGroupIds: [securityGroupId],
    }, soon()),
  "vpc:DescribeVSwitches": (cloud, { vSwitchId }) =>
    cloud.describeVSwitches([vSwitchId], soon()),
};

/** Each action that IPv6 needs besides, and by which verb. */
const NEEDED_BY_IPV6: Readonly<Record<string, Verb>> = {
  "ecs:AssignIpv6Addresses": (cloud) =>
    cloud.assignIp6s({ eniId, count: 1, token: "t" }, soon()),
  "ecs:UnassignIpv6Addresses": (cloud) =>
    cloud.unassignIp6s({ eniId, ips: ["fd00:1::9"] }, soon()),
};

Deno.test("what IPv6 needs besides isn't in the policy for IPv4", () => {
  assertEquals(Object.keys(NEEDED_BY_IPV6), IPV6_POLICY);
  assert(!IPV6_POLICY.some((action) => SEED_POLICY.includes(action)));
});

Deno.test("the READMEs' policy is all that is needed, and no more is", async () => {
  const unneeded = SEED_POLICY.filter((action) => !(action in NEEDED));
  assertEquals(unneeded, ["ecs:DescribeInstanceAttribute"]);
  assert(Object.keys(NEEDED).every((action) => SEED_POLICY.includes(action)));
  for (const readme of ["README.md", "README.zh-CN.md"]) {
    const url = new URL(`../../../${readme}`, import.meta.url);
    const text = await Deno.readTextFile(url);
    const all = [...SEED_POLICY, ...IPV6_POLICY];
    const named = all.filter((one) => text.includes(`\`${one}\``));
    assertEquals(named, all, readme);
  }
});

const ALL_NEEDED = { ...NEEDED, ...NEEDED_BY_IPV6 };

for (const [action, verb] of Object.entries(ALL_NEEDED)) {
  Deno.test(`without ${action} the error says to add it`, async () => {
    const stand = buildStand();
    const { cloud } = stand;
    const allow = [...SEED_POLICY, ...IPV6_POLICY]
      .filter((one) => one !== action);
    const key = cloud.keys.add({ allow });
    const front = serveAlibaba(cloud);
    const transport = new OpenApiTransport({
      region: cloud.model.region,
      credentials: new CredentialChain([staticSource("the test", key)]),
      endpoints: { ecs: front.endpoint, vpc: front.endpoint, scheme: "HTTP" },
    });
    const ways = [openDirect(cloud, key), new AlibabaCloud(transport)];
    for (const way of ways) {
      const error = await assertRejects(() => verb(way, stand));
      assertInstanceOf(error, CloudError);
      assertEquals([error.kind, error.code], ["denied", "Forbidden.RAM"]);
      assertStringIncludes(error.message, `add ${action} to the RAM policy`);
      assert(error.requestId !== "");
    }
    await front.close();
    await cloud.close();
  });
}
