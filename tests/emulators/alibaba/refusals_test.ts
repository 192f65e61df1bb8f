import { assertEquals } from "@std/assert";
import { type Answer, ask, make } from "./caller.ts";
import { type Code, STATUSES } from "./refusal.ts";
import { buildStand, type Stand } from "./stand.ts";

/** Codes of faults, signatures, routes, IPv6, prefixes, OIDC have their own tests. */
const ELSEWHERE: ReadonlySet<Code> = new Set<Code>([
  "AuthenticationFail.NoPermission",
  "AuthenticationFail.OIDCToken.Expired",
  "AuthenticationFail.OIDCToken.Invalid",
  "Forbidden.RAM",
  "IdempotentFailed",
  "IncompleteSignature",
  "IncorrectRouteEntryStatus",
  "InternalError",
  "InvalidAccessKeyId.Inactive",
  "InvalidAccessKeyId.NotFound",
  "InvalidCIDRBlock.Duplicate",
  "InvalidCidrBlock",
  "InvalidCidrBlock.Malformed",
  "InvalidIp.Address",
  "InvalidNextHop.NotFound",
  "InvalidOperation.EniCountExceeded",
  "InvalidOperation.Ipv6CountExceeded",
  "InvalidOperation.Ipv6NotSupport",
  "InvalidRouteEntry.NotFound",
  "InvalidRouteTableId.NotFound",
  "InvalidSecurityToken.Expired",
  "InvalidSecurityToken.Malformed",
  "InvalidTimeStamp.Expired",
  "InvalidTimeStamp.Format",
  "InvalidVSwitch.Ipv6NotTurnOn",
  "InvalidVSwitchId.IpPrefixNotEnough",
  "InvalidVersion",
  "MaxEniIpv6IpsCountExceeded",
  "MissingSecurityToken",
  "Operation.Conflict",
  "QuotaExceeded",
  "QuotaExceeded.PrivateIpAddress",
  "ServiceUnavailable",
  "SignatureDoesNotMatch",
  "SignatureNonceUsed",
  "Throttling",
  "Throttling.Api",
  "Throttling.User",
]);

type Provocation = (stand: Stand) => Promise<Answer>;

const PROVOCATIONS: readonly [Code, string, Provocation][] = [
  [
    "InvalidAction.NotFound",
    "a call that doesn't exist",
    ({ cloud }) => ask(cloud, "RunInstances", {}),
  ],
  [
    "MissingParameter",
    "a card without a vSwitch",
    ({ cloud, securityGroupId }) =>
      ask(cloud, "CreateNetworkInterface", {
        SecurityGroupId: securityGroupId,
      }),
  ],
  [
    "MissingParameter",
    "a card without a group",
    ({ cloud, vSwitchId }) =>
      ask(cloud, "CreateNetworkInterface", { VSwitchId: vSwitchId }),
  ],
  [
    "MissingParameter",
    "an assignment of nothing",
    async (stand) => assign(stand, await make(stand), {}),
  ],
  [
    "InvalidParameter",
    "a card with 50 secondary addresses",
    (stand) => create(stand, { SecondaryPrivateIpAddressCount: "50" }),
  ],
  [
    "InvalidParameter",
    "a count that is no number",
    (stand) => create(stand, { SecondaryPrivateIpAddressCount: "two" }),
  ],
  [
    "InvalidParameter",
    "a group named both ways",
    (stand) => create(stand, { "SecurityGroupIds.1": stand.securityGroupId }),
  ],
  [
    "InvalidParameter",
    "a tag of the service's own kind",
    (stand) => create(stand, { "Tag.1.Key": "acs:x", "Tag.1.Value": "" }),
  ],
  [
    "InvalidParameter",
    "21 tags",
    (stand) =>
      create(
        stand,
        Object.fromEntries(
          Array.from({ length: 21 }, (_, i) => [`Tag.${i + 1}.Key`, `k${i}`]),
        ),
      ),
  ],
  [
    "InvalidParameter",
    "a ClientToken of 65 characters",
    (stand) => create(stand, { ClientToken: "x".repeat(65) }),
  ],
  [
    "InvalidVSwitchId.NotFound",
    "a vSwitch that doesn't exist",
    (stand) => create(stand, { VSwitchId: "vsw-nowhere" }),
  ],
  [
    "InvalidSecurityGroupId.NotFound",
    "a group that doesn't exist",
    (stand) => create(stand, { SecurityGroupId: "sg-nowhere" }),
  ],
  [
    "InvalidOperation.VpcMismatch",
    "a group of another VPC",
    (stand) => {
      const { id: vpcId } = stand.cloud.addVpc("172.16.0.0/12");
      const { id } = stand.cloud.addSecurityGroup({ vpcId });
      return create(stand, { SecurityGroupId: id });
    },
  ],
  [
    "SecurityGroupInstanceLimitExceed",
    "a sixth group",
    ({ cloud, vpcId, vSwitchId }) =>
      ask(cloud, "CreateNetworkInterface", {
        VSwitchId: vSwitchId,
        ...Object.fromEntries(
          [1, 2, 3, 4, 5, 6].map((n) => [
            `SecurityGroupIds.${n}`,
            cloud.addSecurityGroup({ vpcId }).id,
          ]),
        ),
      }),
  ],
  [
    "SecurityGroupInstanceLimitExceed",
    "a full group",
    (stand) => {
      const { cloud, vpcId } = stand;
      const { id } = cloud.addSecurityGroup({ vpcId, capacity: 2 });
      return create(stand, {
        SecurityGroupId: id,
        SecondaryPrivateIpAddressCount: "2",
      });
    },
  ],
  [
    "InvalidVSwitchId.IpNotEnough",
    "a fifth address of four",
    (stand) =>
      create(stand, {
        VSwitchId: stand.smallVSwitchId,
        SecondaryPrivateIpAddressCount: "4",
      }),
  ],
  [
    "InvalidVSwitchId.IpInvalid",
    "an address of another vSwitch",
    (stand) => create(stand, { PrimaryIpAddress: "10.0.3.7" }),
  ],
  [
    "InvalidVSwitchId.IpInvalid",
    "the gateway's address",
    (stand) => create(stand, { PrimaryIpAddress: "10.0.1.253" }),
  ],
  [
    "InvalidIp.IpAssigned",
    "an address that somebody has",
    (stand) => create(stand, { PrimaryIpAddress: "10.0.1.1" }),
  ],
  [
    "InvalidIp.IpRepeated",
    "an address twice",
    async (stand) =>
      assign(stand, await make(stand), {
        "PrivateIpAddress.1": "10.0.1.9",
        "PrivateIpAddress.2": "10.0.1.9",
      }),
  ],
  [
    "MaxEniCountExceeded",
    "one card more than the account may have",
    async (stand) => {
      for (let i = 0; i < 7; i++) await make(stand);
      return await create(stand, {});
    },
  ],
  [
    "IdempotentParameterMismatch",
    "a spent token with other parameters",
    async (stand) => {
      await make(stand, { ClientToken: "t" });
      return await create(stand, { ClientToken: "t", Description: "other" });
    },
  ],
  [
    "InvalidEniId.NotFound",
    "a card that doesn't exist",
    (stand) => attach(stand, "eni-nowhere"),
  ],
  [
    "InvalidEcsId.NotFound",
    "an instance that doesn't exist",
    async (stand) =>
      attach({ ...stand, instanceId: "i-nowhere" }, await make(stand)),
  ],
  [
    "InvalidInstanceId.NotFound",
    "the attributes of an instance that doesn't exist",
    ({ cloud }) =>
      ask(cloud, "DescribeInstanceAttribute", { InstanceId: "i-nowhere" }),
  ],
  [
    "InvalidOperation.AvailabilityZoneMismatch",
    "a card of another zone",
    async (stand) =>
      attach(stand, await make({ ...stand, vSwitchId: stand.farVSwitchId })),
  ],
  [
    "InvalidOperation.Ipv4CountExceeded",
    "a card with more addresses than the instance's type allows",
    async (stand) =>
      attach(
        stand,
        await make(stand, { SecondaryPrivateIpAddressCount: "6" }),
      ),
  ],
  [
    "InvalidOperation.Ipv4CountExceeded",
    "the 50th secondary address of a free card",
    async (stand) => {
      const id = await make(stand, { SecondaryPrivateIpAddressCount: "49" });
      return await assign(stand, id, { SecondaryPrivateIpAddressCount: "1" });
    },
  ],
  [
    "EniPerInstanceLimitExceeded",
    "the fourth card of three",
    async (stand) => {
      await attach(stand, await make(stand));
      await attach(stand, await make(stand));
      return await attach(stand, await make(stand));
    },
  ],
  [
    "InvalidOperation.InvalidEniType",
    "a trunk for a type that takes none",
    async (stand) =>
      attach(stand, await make(stand, { InstanceType: "Trunk" })),
  ],
  [
    "InvalidOperation.InvalidEniType",
    "the primary card's deletion",
    (stand) => remove(stand, primaryOf(stand)),
  ],
  [
    "InvalidOperation.DetachPrimaryEniNotAllowed",
    "the primary card's detachment",
    (stand) =>
      ask(stand.cloud, "DetachNetworkInterface", {
        NetworkInterfaceId: primaryOf(stand),
        InstanceId: stand.instanceId,
      }),
  ],
  [
    "InvalidOperation.InvalidEniState",
    "the deletion of a card that is attached",
    async (stand) => {
      const id = await make(stand);
      await attach(stand, id);
      return await remove(stand, id);
    },
  ],
  [
    "InvalidOperation.InvalidEniState",
    "an address for a card that is being attached",
    async (stand) => {
      const id = await make(stand);
      await attach(stand, id);
      return await assign(stand, id, { SecondaryPrivateIpAddressCount: "1" });
    },
  ],
  [
    "InvalidIp.IpUnassigned",
    "an address that the card hasn't",
    async (stand) =>
      ask(stand.cloud, "UnassignPrivateIpAddresses", {
        NetworkInterfaceId: await make(stand),
        "PrivateIpAddress.1": "10.0.1.77",
      }),
  ],
  [
    "InvalidVSwitchId.IpInvalid",
    "the primary address's return",
    (stand) =>
      ask(stand.cloud, "UnassignPrivateIpAddresses", {
        NetworkInterfaceId: primaryOf(stand),
        "PrivateIpAddress.1": "10.0.1.1",
      }),
  ],
  [
    "InvalidParameter",
    "a token of another listing",
    ({ cloud }) =>
      ask(cloud, "DescribeNetworkInterfaces", { NextToken: "AAAA" }),
  ],
  [
    "InvalidParameter",
    "instances that are no JSON",
    ({ cloud }) => ask(cloud, "DescribeInstances", { InstanceIds: "i-1" }),
  ],
];

for (const [code, what, provoke] of PROVOCATIONS) {
  Deno.test(`${what} is refused: ${code}`, async () => {
    const stand = buildStand({ eniQuota: 7, attachMs: 60_000 });
    const before = JSON.stringify(stand.cloud.dump().vSwitches);
    const answer = await provoke(stand);
    assertEquals(answer.code, code, String(answer.body["Message"]));
    assertEquals(answer.status, STATUSES[code]);
    const made = stand.cloud.dump().enis.length > 1;
    if (!made) {
      assertEquals(JSON.stringify(stand.cloud.dump().vSwitches), before);
    }
    await stand.cloud.close();
  });
}

Deno.test("every code that the service may answer is tried somewhere", () => {
  const tried = new Set(PROVOCATIONS.map(([code]) => code));
  const untried = (Object.keys(STATUSES) as Code[])
    .filter((code) => !tried.has(code) && !ELSEWHERE.has(code));
  assertEquals(untried, []);
});

function create(
  { cloud, vSwitchId, securityGroupId }: Stand,
  params: Readonly<Record<string, string>>,
): Promise<Answer> {
  return ask(cloud, "CreateNetworkInterface", {
    VSwitchId: vSwitchId,
    SecurityGroupId: securityGroupId,
    ...params,
  });
}

function attach({ cloud, instanceId }: Stand, id: string): Promise<Answer> {
  return ask(cloud, "AttachNetworkInterface", {
    NetworkInterfaceId: id,
    InstanceId: instanceId,
  });
}

function assign(
  { cloud }: Stand,
  id: string,
  params: Readonly<Record<string, string>>,
): Promise<Answer> {
  return ask(cloud, "AssignPrivateIpAddresses", {
    NetworkInterfaceId: id,
    ...params,
  });
}

function remove({ cloud }: Stand, id: string): Promise<Answer> {
  return ask(cloud, "DeleteNetworkInterface", { NetworkInterfaceId: id });
}

function primaryOf({ cloud }: Stand): string {
  return cloud.dump().enis.find(({ type }) => type === "Primary")?.id ?? "";
}
