/**
 * What the cloud's answers must hold, and what the pool makes of them.
 *
 * Shapes: the typed models of the official clients of ECS 2014-05-26 (7.11.6)
 * and VPC 2016-04-28 (7.3.2) and the API pages, read 2026-11-21. An answer of
 * another shape isn't the cloud's: a proxy's page, or half a reply.
 *
 * @module
 */
import { z } from "zod";
import { parseCidr, parseIp } from "../../netns/ip.ts";
import {
  CloudError,
  type Eni,
  type Instance,
  type InstanceLimits,
  type VSwitch,
} from "../cloud.ts";

const ip = z.string().transform((text, context) => {
  try {
    return parseIp(text);
  } catch {
    context.addIssue("no address");
    return z.NEVER;
  }
});

const prefix = z.string().transform((text, context) => {
  try {
    const { ip, length } = parseCidr(text);
    return `${ip}/${length}`;
  } catch {
    context.addIssue("no prefix");
    return z.NEVER;
  }
});

const mac = z.string().toLowerCase().regex(/^([\da-f]{2}:){5}[\da-f]{2}$/);

/** `NextToken` is absent or empty on the last page. */
const nextToken = z.string().nullish().transform((text) => text ?? "");

const eni = z.object({
  NetworkInterfaceId: z.string().min(1),
  MacAddress: mac,
  Type: z.enum(["Primary", "Secondary", "Trunk", "Member"]),
  Status: z.enum([
    "Creating",
    "Available",
    "Attaching",
    "InUse",
    "Detaching",
    "Deleting",
    "CreateFailed",
    "Unattached",
    "Linked",
    "Unlinking",
  ]),
  VSwitchId: z.string().min(1),
  ZoneId: z.string(),
  InstanceId: z.string().nullish(),
  PrivateIpAddress: ip,
  PrivateIpSets: z.object({
    PrivateIpSet: z.array(z.object({ PrivateIpAddress: ip })),
  }),
  Ipv4PrefixSets: z.object({
    Ipv4PrefixSet: z.array(z.object({ Ipv4Prefix: prefix })).nullish(),
  }).nullish(),
  Ipv6PrefixSets: z.object({
    Ipv6PrefixSet: z.array(z.object({ Ipv6Prefix: prefix })).nullish(),
  }).nullish(),
  Ipv6Sets: z.object({
    Ipv6Set: z.array(z.object({ Ipv6Address: ip })).nullish(),
  }).nullish(),
  SecurityGroupIds: z.object({ SecurityGroupId: z.array(z.string()) })
    .nullish(),
  Tags: z.object({
    Tag: z.array(z.object({ TagKey: z.string(), TagValue: z.string() })),
  }).nullish(),
}).transform((raw): Eni => ({
  id: raw.NetworkInterfaceId,
  mac: raw.MacAddress,
  type: raw.Type,
  status: raw.Status,
  vSwitchId: raw.VSwitchId,
  zone: raw.ZoneId,
  ...(raw.InstanceId ? { instanceId: raw.InstanceId } : {}),
  primaryIp: raw.PrivateIpAddress,
  ips: raw.PrivateIpSets.PrivateIpSet.map((set) => set.PrivateIpAddress),
  ...prefixesIn([
    ...(raw.Ipv4PrefixSets?.Ipv4PrefixSet ?? []).map((set) => set.Ipv4Prefix),
    ...(raw.Ipv6PrefixSets?.Ipv6PrefixSet ?? []).map((set) => set.Ipv6Prefix),
  ]),
  ips6: (raw.Ipv6Sets?.Ipv6Set ?? []).map((set) => set.Ipv6Address),
  securityGroupIds: raw.SecurityGroupIds?.SecurityGroupId ?? [],
  tags: Object.fromEntries(
    (raw.Tags?.Tag ?? []).map((tag) => [tag.TagKey, tag.TagValue]),
  ),
}));

const eniPage = z.object({
  NetworkInterfaceSets: z.object({ NetworkInterfaceSet: z.array(eni) }),
  NextToken: nextToken,
}).transform((raw): EniPage => ({
  enis: raw.NetworkInterfaceSets.NetworkInterfaceSet,
  nextToken: raw.NextToken,
}));

const assigned = z.object({
  AssignedPrivateIpAddressesSet: z.object({
    PrivateIpSet: z.object({ PrivateIpAddress: z.array(ip) }),
  }),
}).transform((raw) =>
  raw.AssignedPrivateIpAddressesSet.PrivateIpSet.PrivateIpAddress
);

const assignedPrefixes = z.object({
  AssignedPrivateIpAddressesSet: z.object({
    Ipv4PrefixSet: z.object({ Ipv4Prefixes: z.array(prefix) }),
  }),
}).transform((raw) =>
  raw.AssignedPrivateIpAddressesSet.Ipv4PrefixSet.Ipv4Prefixes
);

const assignedPrefixes6 = z.object({
  Ipv6PrefixSets: z.object({ Ipv6Prefix: z.array(prefix) }),
}).transform((raw) => raw.Ipv6PrefixSets.Ipv6Prefix);

const assigned6 = z.object({
  Ipv6Sets: z.object({ Ipv6Address: z.array(ip) }),
}).transform((raw) => raw.Ipv6Sets.Ipv6Address);

const instances = z.object({
  Instances: z.object({
    Instance: z.array(
      z.object({
        InstanceId: z.string(),
        InstanceType: z.string(),
        RegionId: z.string(),
        ZoneId: z.string(),
        VpcAttributes: z.object({ VpcId: z.string(), VSwitchId: z.string() }),
        NetworkInterfaces: z.object({
          NetworkInterface: z.array(
            z.object({
              MacAddress: mac,
              PrimaryIpAddress: ip,
              Type: z.string(),
            }),
          ),
        }),
      }),
    ),
  }),
}).transform((raw, context): readonly Instance[] =>
  raw.Instances.Instance.map((one) => {
    const primary = one.NetworkInterfaces.NetworkInterface
      .find(({ Type }) => Type === "Primary");
    if (primary === undefined) {
      context.addIssue("an instance without a primary card");
      return z.NEVER;
    }
    return {
      id: one.InstanceId,
      type: one.InstanceType,
      region: one.RegionId,
      zone: one.ZoneId,
      vpcId: one.VpcAttributes.VpcId,
      vSwitchId: one.VpcAttributes.VSwitchId,
      primaryMac: primary.MacAddress,
      primaryIp: primary.PrimaryIpAddress,
    };
  })
);

const count = z.number().int().nonnegative();

const instanceTypes = z.object({
  InstanceTypes: z.object({
    InstanceType: z.array(
      z.object({
        InstanceTypeId: z.string(),
        EniQuantity: count,
        EniPrivateIpAddressQuantity: count,
        EniIpv6AddressQuantity: count.nullish(),
        EniTotalQuantity: count.nullish(),
        EniTrunkSupported: z.boolean().nullish(),
      }),
    ),
  }),
}).transform((raw): ReadonlyMap<string, InstanceLimits> =>
  new Map(raw.InstanceTypes.InstanceType.map((one) => [one.InstanceTypeId, {
    eniCount: one.EniQuantity,
    ipv4PerEniCount: one.EniPrivateIpAddressQuantity,
    ipv6PerEniCount: one.EniIpv6AddressQuantity ?? 0,
    eniTotalCount: one.EniTotalQuantity ?? one.EniQuantity,
    trunk: one.EniTrunkSupported ?? false,
  }]))
);

const vSwitches = z.object({
  VSwitches: z.object({
    VSwitch: z.array(
      z.object({
        VSwitchId: z.string(),
        ZoneId: z.string(),
        CidrBlock: z.string(),
        Ipv6CidrBlock: z.string().nullish(), // empty without IPv6
        AvailableIpAddressCount: count,
      }),
    ),
  }),
}).transform((raw): readonly VSwitch[] =>
  raw.VSwitches.VSwitch.map((one) => ({
    id: one.VSwitchId,
    zone: one.ZoneId,
    cidr: one.CidrBlock,
    ...(one.Ipv6CidrBlock ? { cidr6: one.Ipv6CidrBlock } : {}),
    availableIpCount: one.AvailableIpAddressCount,
  }))
);

const done = z.object({ RequestId: z.string() }).transform(() => undefined);

/** A piece of DescribeNetworkInterfaces. */
export interface EniPage {
  /** The cards. */
  readonly enis: readonly Eni[];
  /** Gives the next piece; empty on the last one. */
  readonly nextToken: string;
}

/** Reads an answer's body, or throws {@linkcode CloudError} `transient`. */
export type Decoder<T> = (api: string, body: unknown) => T;

/** CreateNetworkInterface. */
export const readEni: Decoder<Eni> = decoder(eni);
/** DescribeNetworkInterfaces. */
export const readEniPage: Decoder<EniPage> = decoder(eniPage);
/** AssignPrivateIpAddresses. */
export const readAssigned: Decoder<readonly string[]> = decoder(assigned);
/** AssignPrivateIpAddresses, of prefixes. */
export const readAssignedPrefixes: Decoder<readonly string[]> = decoder(
  assignedPrefixes,
);
/** AssignIpv6Addresses, of prefixes. */
export const readAssignedPrefixes6: Decoder<readonly string[]> = decoder(
  assignedPrefixes6,
);
/** AssignIpv6Addresses. */
export const readAssigned6: Decoder<readonly string[]> = decoder(assigned6);
/** DescribeInstances. */
export const readInstances: Decoder<readonly Instance[]> = decoder(instances);
/** DescribeInstanceTypes. */
export const readInstanceTypes: Decoder<ReadonlyMap<string, InstanceLimits>> =
  decoder(instanceTypes);
/** DescribeVSwitches. */
export const readVSwitches: Decoder<readonly VSwitch[]> = decoder(vSwitches);
/** Calls whose answer is only a request id. */
export const readDone: Decoder<undefined> = decoder(done);

function prefixesIn(prefixes: readonly string[]): Pick<Eni, "prefixes"> {
  return prefixes.length === 0 ? {} : { prefixes };
}

function decoder<T>(shape: z.ZodType<T, unknown>): Decoder<T> {
  return (api, body) => {
    const result = shape.safeParse(body);
    if (result.success) return result.data;
    throw new CloudError(
      `${api}: what came is no answer of the cloud: ${
        z.prettifyError(result.error).replaceAll("\n", " ")
      }`,
      {
        kind: "transient",
        api,
        code: "Garbage",
        httpStatus: 200,
        requestId: requestIdOf(body),
      },
    );
  };
}

/**
 * Tells the request of an answer.
 *
 * @param body The answer's body.
 * @returns What the cloud's support asks for; empty when the body has none.
 */
export function requestIdOf(body: unknown): string {
  const shape = z.object({ RequestId: z.string() });
  const result = shape.safeParse(body);
  return result.success ? result.data.RequestId : "";
}
