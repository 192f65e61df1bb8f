/**
 * How many cards and addresses an instance type may have.
 *
 * Figures are those of public material, read on 2026-11-21:
 * - EniQuantity and EniPrivateIpAddressQuantity of g6 and g7: the ECS page
 *   "Instance families" (columns "ENIs" and "Private IP addresses per ENI").
 * - All five of g6.large and g6.16xlarge: samples of the API page
 *   "DescribeInstanceTypes"; of g7.xlarge and u1-c1m4.xlarge: answers recorded
 *   in the tests of Terway and of Alibaba's CSI plugin; of ebmg5.24xlarge and
 *   t1.xsmall: recorded answers in public repositories.
 * - Not found in public, hence cautious: EniTotalQuantity of the other g6 and
 *   g7 types (no trunk, so the same as EniQuantity); EniIpv6AddressQuantity of
 *   the other g7 types (as many as IPv4, as for g7.xlarge) and g6 types (1).
 *
 * @module
 */

/** What DescribeInstanceTypes tells of a type, as far as cards go. */
export interface TypeLimits {
  /** Cards, the primary one included. */
  readonly EniQuantity: number;
  /** IPv4 addresses a card, the primary one included. */
  readonly EniPrivateIpAddressQuantity: number;
  /** IPv6 addresses a card. */
  readonly EniIpv6AddressQuantity: number;
  /** Cards and members of trunks together. */
  readonly EniTotalQuantity: number;
  /** Whether a trunk card can be attached. */
  readonly EniTrunkSupported: boolean;
  /** Virtual processors. */
  readonly CpuCoreCount: number;
  /** Memory in GiB. */
  readonly MemorySize: number;
}

/** The types that an emulated cloud knows from its start. */
export const INSTANCE_TYPES: Readonly<Record<string, TypeLimits>> = {
  "ecs.t1.xsmall": limits([1, 1, 0, 1], { cpu: 1, memory: 0.5 }),
  "ecs.g6.large": limits([2, 6, 1, 2], { cpu: 2, memory: 8 }),
  "ecs.g6.xlarge": limits([3, 10, 1, 3], { cpu: 4, memory: 16 }),
  "ecs.g6.2xlarge": limits([4, 10, 1, 4], { cpu: 8, memory: 32 }),
  "ecs.g6.4xlarge": limits([8, 20, 1, 8], { cpu: 16, memory: 64 }),
  "ecs.g6.8xlarge": limits([8, 20, 1, 8], { cpu: 32, memory: 128 }),
  "ecs.g6.16xlarge": limits([8, 20, 1, 60], { cpu: 64, memory: 256 }),
  "ecs.g7.large": limits([3, 6, 6, 3], { cpu: 2, memory: 8 }),
  "ecs.g7.xlarge": limits([4, 15, 15, 20], { cpu: 4, memory: 16 }),
  "ecs.g7.2xlarge": limits([4, 15, 15, 4], { cpu: 8, memory: 32 }),
  "ecs.g7.4xlarge": limits([8, 30, 30, 8], { cpu: 16, memory: 64 }),
  "ecs.g7.8xlarge": limits([8, 30, 30, 8], { cpu: 32, memory: 128 }),
  "ecs.g7.16xlarge": limits([8, 30, 30, 8], { cpu: 64, memory: 256 }),
  "ecs.g7.32xlarge": limits([15, 30, 30, 15], { cpu: 128, memory: 512 }),
  "ecs.u1-c1m4.xlarge": limits([3, 10, 1, 6], { cpu: 4, memory: 16 }),
  "ecs.ebmg5.24xlarge": limits([32, 10, 0, 32], { cpu: 96, memory: 384 }),
};

/** Groups a card may be in. Source: ECS "Limits", read 2026-11-21. */
export const GROUPS_PER_ENI = 5;

/**
 * Private addresses that a basic security group may hold by default. Source:
 * ECS "Limits" ("Security groups"), from memory, not found in stored pages.
 */
export const ADDRESSES_PER_GROUP = 2000;

/**
 * Secondary addresses of a card that isn't attached. Source: API pages
 * "AssignPrivateIpAddresses" and "CreateNetworkInterface", read 2026-11-21.
 */
export const SECONDARY_IPS_UNATTACHED = 49;

/**
 * IPv6 addresses of a card that isn't attached. Source: API page
 * "AssignIpv6Addresses", read 2026-11-21.
 */
export const IPV6_UNATTACHED = 10;

/**
 * IPv6 addresses that one call may ask for or name. Source: `Ipv6AddressCount`
 * and `Ipv6Address.N` of CreateNetworkInterface, AssignIpv6Addresses and
 * UnassignIpv6Addresses, read 2026-11-21.
 */
export const IPV6_A_CALL = 10;

/** Tags a card may bear. Source: CreateNetworkInterface, `Tag.N`. */
export const TAGS_PER_ENI = 20;

function limits(
  [eni, ipv4, ipv6, total]: readonly [number, number, number, number],
  size: { cpu: number; memory: number },
): TypeLimits {
  return {
    EniQuantity: eni,
    EniPrivateIpAddressQuantity: ipv4,
    EniIpv6AddressQuantity: ipv6,
    EniTotalQuantity: total,
    EniTrunkSupported: total > eni,
    CpuCoreCount: size.cpu,
    MemorySize: size.memory,
  };
}
