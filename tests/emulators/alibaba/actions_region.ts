/**
 * The calls that describe instances, instance types and vSwitches.
 *
 * Shapes are those of the typed models of the official clients of ECS
 * 2014-05-26 (7.11.6) and VPC 2016-04-28 (7.3.2), read 2026-11-21; fields that
 * no network plugin reads are left out.
 *
 * @module
 */
import type { EmulatedCloud } from "./cloud.ts";
import { enisOf, type InstanceRecord } from "./model.ts";
import { page, pageByNumber } from "./paging.ts";
import { invalid, type Params } from "./params.ts";
import { Refusal } from "./refusal.ts";
import type { Body } from "./tokens.ts";

/**
 * DescribeInstances.
 *
 * @param cloud The cloud.
 * @param params The call; `InstanceIds` is a JSON array.
 * @returns The answer's body.
 */
export function describeInstances(cloud: EmulatedCloud, params: Params): Body {
  params.required("RegionId");
  const ids = idsOf(params);
  const wanted = (name: string, value: string): boolean =>
    params.text(name) === undefined || params.text(name) === value;
  const met = [...cloud.model.instances.values()].filter((instance) =>
    (ids === undefined || ids.includes(instance.id)) &&
    wanted("VpcId", instance.vpcId) &&
    wanted("VSwitchId", instance.vSwitchId) &&
    wanted("ZoneId", instance.zone) &&
    wanted("InstanceType", instance.type) &&
    wanted("InstanceName", instance.name)
  );
  const { items, meta } = page(met, params, { least: 10, most: 100 });
  return {
    ...meta,
    Instances: {
      Instance: items.map((instance) => ({
        ...describe(cloud, instance),
        NetworkInterfaces: {
          NetworkInterface: enisOf(cloud.model, instance.id).map((eni) => ({
            NetworkInterfaceId: eni.id,
            MacAddress: eni.mac,
            PrimaryIpAddress: eni.primaryIp,
            Type: eni.type,
            PrivateIpSets: {
              PrivateIpSet: eni.ips.map((ip) => ({
                PrivateIpAddress: ip,
                Primary: ip === eni.primaryIp,
              })),
            },
            Ipv6Sets: {
              Ipv6Set: eni.ips6.filter((ip) => !ip.includes("/")).map((ip) => ({
                Ipv6Address: ip,
              })),
            },
          })),
        },
      })),
    },
  };
}

/**
 * DescribeInstanceAttribute.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function describeInstanceAttribute(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  const id = params.required("InstanceId");
  const instance = cloud.model.instances.get(id);
  if (instance === undefined) {
    throw new Refusal(
      "InvalidInstanceId.NotFound",
      "The specified InstanceId does not exist.",
    );
  }
  return describe(cloud, instance);
}

/**
 * DescribeInstanceTypes.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body; unknown types are left out.
 */
export function describeInstanceTypes(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  const wanted = params.list("InstanceTypes");
  const family = params.text("InstanceTypeFamily");
  const met = [...cloud.model.types]
    .map(([id, limits], place) => ({
      id,
      limits,
      family: id.split(".").slice(0, 2).join("."),
      order: place + 1,
    }))
    .filter((type) =>
      (wanted.length === 0 || wanted.includes(type.id)) &&
      (family === undefined || family === type.family)
    );
  const { items, meta } = page(met, params, { least: 100, most: 100 });
  return {
    NextToken: meta["NextToken"] ?? "",
    InstanceTypes: {
      InstanceType: items.map(({ id, limits, family }) => ({
        ...limits,
        InstanceTypeId: id,
        InstanceTypeFamily: family,
        InstanceFamilyLevel: "EnterpriseLevel",
        CpuArchitecture: "X86",
        EriQuantity: 0,
        GPUAmount: 0,
      })),
    },
  };
}

/**
 * DescribeVSwitches.
 *
 * @param cloud The cloud.
 * @param params The call; it pages by number only.
 * @returns The answer's body.
 */
export function describeVSwitches(cloud: EmulatedCloud, params: Params): Body {
  const wanted = (name: string, value: string): boolean =>
    params.text(name) === undefined || params.text(name) === value;
  const met = [...cloud.model.vSwitches.values()].filter((vSwitch) =>
    wanted("VSwitchId", vSwitch.id) &&
    wanted("VpcId", vSwitch.vpcId) &&
    wanted("ZoneId", vSwitch.zone)
  );
  const { items, meta } = pageByNumber(met, params, { least: 10, most: 50 });
  return {
    ...meta,
    VSwitches: {
      VSwitch: items.map((vSwitch) => ({
        VSwitchId: vSwitch.id,
        VSwitchName: "",
        VpcId: vSwitch.vpcId,
        ZoneId: vSwitch.zone,
        CidrBlock: vSwitch.cidr,
        Ipv6CidrBlock: vSwitch.book6?.cidr ?? "",
        Status: "Available",
        AvailableIpAddressCount: vSwitch.book.availableCount,
        IsDefault: false,
        CreationTime: iso(vSwitch.createdAtMs),
      })),
    },
  };
}

function describe(cloud: EmulatedCloud, instance: InstanceRecord): Body {
  const primary = cloud.model.enis.get(instance.primaryEniId);
  return {
    InstanceId: instance.id,
    InstanceName: instance.name,
    HostName: instance.name,
    InstanceType: instance.type,
    RegionId: cloud.model.region,
    ZoneId: instance.zone,
    Status: "Running",
    InstanceNetworkType: "vpc",
    CreationTime: iso(instance.createdAtMs),
    VpcAttributes: {
      VpcId: instance.vpcId,
      VSwitchId: instance.vSwitchId,
      NatIpAddress: "",
      PrivateIpAddress: { IpAddress: primary ? [primary.primaryIp] : [] },
    },
    SecurityGroupIds: { SecurityGroupId: primary?.securityGroupIds ?? [] },
  };
}

function idsOf(params: Params): readonly string[] | undefined {
  const text = params.text("InstanceIds");
  if (text === undefined) return undefined;
  try {
    const ids: unknown = JSON.parse(text);
    if (
      Array.isArray(ids) && ids.length <= 100 &&
      ids.every((id): id is string => typeof id === "string")
    ) return ids;
  } catch {
    // Not JSON: as wrong as any other value.
  }
  throw invalid("InstanceIds", text);
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16) + "Z";
}
