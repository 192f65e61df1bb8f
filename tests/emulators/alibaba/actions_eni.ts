/**
 * The calls on cards: parameters in, the verb, the answer's body out.
 *
 * Shapes are those of the typed models of the official ECS 2014-05-26 client,
 * 7.11.6, and of its API pages of the same names, read 2026-11-21.
 *
 * @module
 */
import { apart, ips6Of } from "./actions_ipv6.ts";
import { prefixesOf, prefixSet } from "./actions_prefix.ts";
import type { EmulatedCloud } from "./cloud.ts";
import { demandGroups, eniOf } from "./eni_rules.ts";
import { SECONDARY_IPS_UNATTACHED } from "./limits.ts";
import { membersOf } from "./members.ts";
import type { EniRecord } from "./model.ts";
import { page } from "./paging.ts";
import { invalid, type Params } from "./params.ts";
import { Refusal } from "./refusal.ts";
import type { Body } from "./tokens.ts";

/** Pieces of DescribeNetworkInterfaces. Source: its `MaxResults`. */
const PAGE = { least: 10, most: 500 };

/** Cards that one call may name. Source: `NetworkInterfaceId.N`. */
const IDS_AT_MOST = 100;

/**
 * CreateNetworkInterface.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function createNetworkInterface(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  params.required("RegionId");
  const vSwitchId = params.required("VSwitchId");
  const groups = params.list("SecurityGroupIds");
  const group = params.text("SecurityGroupId");
  if ((group === undefined) === (groups.length === 0)) {
    throw group === undefined
      ? new Refusal(
        "MissingParameter",
        'The input parameter "SecurityGroupId" that is mandatory for processing this request is not supplied.',
      )
      : invalid("SecurityGroupId", `${group}, besides SecurityGroupIds.N`);
  }
  const type = params.text("InstanceType") ?? "Secondary";
  if (type !== "Secondary" && type !== "Trunk") {
    throw invalid("InstanceType", type);
  }
  const primaryIp = params.text("PrimaryIpAddress");
  const ips6 = ips6Of(params);
  const prefixes = prefixesOf(params);
  const eni = cloud.createEni({
    vSwitchId,
    securityGroupIds: group === undefined ? groups : [group],
    type,
    secondary: secondaryOf(params) ?? 0,
    tags: params.tags(),
    name: params.text("NetworkInterfaceName") ?? "",
    description: params.text("Description") ?? "",
    resourceGroupId: params.text("ResourceGroupId") ?? "",
    deleteOnRelease: params.text("DeleteOnRelease") === "true",
    ...(primaryIp === undefined ? {} : { primaryIp }),
    ...(prefixes === undefined ? {} : { prefixes }),
    ...(ips6 === undefined ? {} : { ips6 }),
  });
  return describe(cloud, eni);
}

/**
 * AttachNetworkInterface.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function attachNetworkInterface(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  const trunkId = params.text("TrunkNetworkInstanceId");
  cloud.attach({ ...idsOf(params), ...trunkId && { trunkId } });
  return {};
}

/**
 * DetachNetworkInterface.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function detachNetworkInterface(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  cloud.detach(idsOf(params));
  return {};
}

/**
 * DeleteNetworkInterface.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function deleteNetworkInterface(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  params.required("RegionId");
  cloud.remove(params.required("NetworkInterfaceId"));
  return {};
}

/**
 * AssignPrivateIpAddresses.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export async function assignPrivateIpAddresses(
  cloud: EmulatedCloud,
  params: Params,
): Promise<Body> {
  params.required("RegionId");
  const id = params.required("NetworkInterfaceId");
  const wanted = secondaryOf(params);
  const blocks = prefixesOf(params);
  if (blocks !== undefined) {
    if (wanted !== undefined) {
      throw invalid("Ipv4Prefix.N", "besides single addresses");
    }
    const prefixes = await cloud.assignPrefixes(id, blocks);
    return assignedBody(id, { prefixes });
  }
  if (wanted === undefined || wanted === 0) {
    throw new Refusal(
      "MissingParameter",
      'The input parameter "SecondaryPrivateIpAddressCount" or "PrivateIpAddress.N" that is mandatory for processing this request is not supplied.',
    );
  }
  const ips = await cloud.assign(id, wanted);
  return assignedBody(id, { ips });
}

function assignedBody(
  id: string,
  { ips = [], prefixes = [] }: {
    readonly ips?: readonly string[];
    readonly prefixes?: readonly string[];
  },
): Body {
  return {
    AssignedPrivateIpAddressesSet: {
      NetworkInterfaceId: id,
      PrivateIpSet: { PrivateIpAddress: ips },
      Ipv4PrefixSet: { Ipv4Prefixes: prefixes },
    },
  };
}

/**
 * UnassignPrivateIpAddresses.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export async function unassignPrivateIpAddresses(
  cloud: EmulatedCloud,
  params: Params,
): Promise<Body> {
  params.required("RegionId");
  const id = params.required("NetworkInterfaceId");
  const prefixes = prefixesOf(params);
  if (typeof prefixes === "object") {
    if (params.list("PrivateIpAddress").length > 0) {
      throw invalid("Ipv4Prefix.N", "besides single addresses");
    }
    await cloud.unassignPrefixes(id, prefixes);
    return {};
  }
  params.required("PrivateIpAddress.1");
  await cloud.unassign(id, params.list("PrivateIpAddress"));
  return {};
}

/**
 * ModifyNetworkInterfaceAttribute: groups, name, description and whether the
 * card goes with its instance.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function modifyNetworkInterfaceAttribute(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  params.required("RegionId");
  const eni = eniOf(cloud.model, params.required("NetworkInterfaceId"));
  const groups = params.list("SecurityGroupId");
  if (groups.length > 0) {
    demandGroups(cloud.model, groups, {
      vpcId: eni.vpcId,
      ipCount: eni.ips.length,
      eniId: eni.id,
    });
    eni.securityGroupIds = groups;
  }
  eni.name = params.text("NetworkInterfaceName") ?? eni.name;
  eni.description = params.text("Description") ?? eni.description;
  const deleteOnRelease = params.text("DeleteOnRelease");
  if (deleteOnRelease !== undefined) {
    eni.deleteOnRelease = deleteOnRelease === "true";
  }
  return {};
}

/**
 * DescribeNetworkInterfaces.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function describeNetworkInterfaces(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  params.required("RegionId");
  const ids = params.list("NetworkInterfaceId");
  if (ids.length > IDS_AT_MOST) {
    throw invalid("NetworkInterfaceId.N", `${ids.length} of them`);
  }
  const met = [...cloud.model.enis.values()].filter((eni) =>
    meets(eni, params, ids)
  );
  const { items, meta } = page(met, params, PAGE);
  return {
    ...meta,
    NetworkInterfaceSets: {
      NetworkInterfaceSet: items.map((eni) => describe(cloud, eni)),
    },
  };
}

function meets(
  eni: EniRecord,
  params: Params,
  ids: readonly string[],
): boolean {
  const wanted: readonly [string, string | undefined][] = [
    ["InstanceId", eni.instanceId],
    ["Type", typeOf(eni)],
    ["Status", eni.state],
    ["VpcId", eni.vpcId],
    ["VSwitchId", eni.vSwitchId],
    ["PrimaryIpAddress", eni.primaryIp],
    ["NetworkInterfaceName", eni.name],
  ];
  const group = params.text("SecurityGroupId");
  const ips = params.list("PrivateIpAddress");
  const ips6 = params.list("Ipv6Address");
  return (ids.length === 0 || ids.includes(eni.id)) &&
    wanted.every(([name, value]) =>
      params.text(name) === undefined || params.text(name) === value
    ) &&
    (group === undefined || eni.securityGroupIds.includes(group)) &&
    (ips.length === 0 || ips.some((ip) => eni.ips.includes(ip))) &&
    (ips6.length === 0 || ips6.some((ip) => eni.ips6.includes(ip))) &&
    Object.entries(params.tags()).every(([key, value]) =>
      Object.hasOwn(eni.tags, key) && (value === "" || eni.tags[key] === value)
    );
}

function describe(cloud: EmulatedCloud, eni: EniRecord): Body {
  const [ips6, prefixes6] = apart(eni.ips6);
  return {
    NetworkInterfaceId: eni.id,
    NetworkInterfaceName: eni.name,
    Description: eni.description,
    MacAddress: eni.mac,
    Type: typeOf(eni),
    Status: eni.state,
    VpcId: eni.vpcId,
    VSwitchId: eni.vSwitchId,
    ZoneId: eni.zone,
    InstanceId: eni.instanceId ?? "",
    OwnerId: cloud.model.ownerId,
    ResourceGroupId: eni.resourceGroupId,
    PrivateIpAddress: eni.primaryIp,
    PrivateIpSets: {
      PrivateIpSet: eni.ips.map((ip) => ({
        PrivateIpAddress: ip,
        Primary: ip === eni.primaryIp,
      })),
    },
    Ipv6Sets: {
      Ipv6Set: ips6.map((ip) => ({ Ipv6Address: ip })),
    },
    Ipv4PrefixSets: { Ipv4PrefixSet: prefixSet(eni.prefixes) },
    Ipv6PrefixSets: {
      Ipv6PrefixSet: prefixes6.map((Ipv6Prefix) => ({ Ipv6Prefix })),
    },
    SecurityGroupIds: { SecurityGroupId: [...eni.securityGroupIds] },
    Tags: {
      Tag: Object.entries(eni.tags).map(([TagKey, TagValue]) => ({
        TagKey,
        TagValue,
      })),
    },
    CreationTime: new Date(eni.createdAtMs).toISOString().slice(0, 19) + "Z",
    DeleteOnRelease: eni.deleteOnRelease,
    NetworkInterfaceTrafficMode: "Standard",
    ServiceManaged: false,
    ...(eni.instanceId === undefined
      ? {}
      : { Attachment: attachmentOf(cloud, eni, eni.instanceId) }),
  };
}

/** A card is a member only while it hangs on a trunk. */
function typeOf(eni: EniRecord): string {
  return eni.member === undefined ? eni.type : "Member";
}

function attachmentOf(
  { model }: EmulatedCloud,
  { id, type, member }: EniRecord,
  instanceId: string,
): Body {
  const members = membersOf(model, id).map((one) => one.id);
  return {
    InstanceId: instanceId,
    ...type === "Trunk" && {
      MemberNetworkInterfaceIds: { MemberNetworkInterfaceId: members },
    },
    ...member && {
      TrunkNetworkInterfaceId: member.trunkId,
      DeviceIndex: member.vlanId,
    },
  };
}

function idsOf(params: Params): { eniId: string; instanceId: string } {
  params.required("RegionId");
  return {
    eniId: params.required("NetworkInterfaceId"),
    instanceId: params.required("InstanceId"),
  };
}

function secondaryOf(params: Params): number | readonly string[] | undefined {
  const count = params.count("SecondaryPrivateIpAddressCount");
  const ips = params.list("PrivateIpAddress");
  if (count !== undefined && ips.length > 0) {
    throw invalid(
      "PrivateIpAddress.N",
      "besides SecondaryPrivateIpAddressCount",
    );
  }
  if (count !== undefined && (count < 1 || count > SECONDARY_IPS_UNATTACHED)) {
    throw invalid("SecondaryPrivateIpAddressCount", count);
  }
  return ips.length > 0 ? ips : count;
}
