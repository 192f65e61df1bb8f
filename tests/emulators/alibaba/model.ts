/**
 * What an emulated cloud holds, as plain data.
 *
 * @module
 */
import type { Membership } from "./members.ts";
import type { Cidr, Ip } from "../../../netns/ip.ts";
import type { AddressBook } from "./addresses.ts";
import type { Ipv6Book } from "./ipv6_book.ts";
import { INSTANCE_TYPES, type TypeLimits } from "./limits.ts";

/** A card's state. Source: DescribeNetworkInterfaces, `Status`. */
export type EniState =
  | "Available"
  | "Attaching"
  | "InUse"
  | "Detaching"
  | "Deleting";

/** A card. */
export interface EniRecord {
  /** `eni-…` */
  readonly id: string;
  /** `00:16:3e:…` */
  readonly mac: string;
  /** What it is for. */
  readonly type: "Primary" | "Secondary" | "Trunk";
  /** Its VPC. */
  readonly vpcId: string;
  /** Its vSwitch. */
  readonly vSwitchId: string;
  /** Its zone. */
  readonly zone: string;
  /** Lives and dies with it. */
  readonly primaryIp: Ip;
  /** When it was made, in milliseconds since 1970. */
  readonly createdAtMs: number;
  /** The place in the order of creation; paging goes by it. */
  readonly order: number;
  /** Its state. */
  state: EniState;
  /** Where it is attached, or being attached or detached. */
  instanceId?: string;
  /** Set while it is attached as a member of a trunk. */
  member?: Membership;
  /** All IPv4 addresses, the primary one first. */
  ips: Ip[];
  /** All IPv4 prefixes, each a /28. */
  prefixes: Cidr[];
  /** All IPv6 addresses, none of them primary, and prefixes, each a /80. */
  ips6: (Ip | Cidr)[];
  /** Its groups. */
  securityGroupIds: string[];
  /** Its tags. */
  tags: Record<string, string>;
  /** Its name. */
  name: string;
  /** Its description. */
  description: string;
  /** Its resource group; empty for the account's default. */
  resourceGroupId: string;
  /** Whether it goes with its instance. */
  deleteOnRelease: boolean;
}

/** A virtual machine. */
export interface InstanceRecord {
  /** `i-…` */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Its type, such as `ecs.g7.large`. */
  readonly type: string;
  /** Its zone. */
  readonly zone: string;
  /** Its VPC. */
  readonly vpcId: string;
  /** The vSwitch of its primary card. */
  readonly vSwitchId: string;
  /** Its primary card. */
  readonly primaryEniId: string;
  /** The RAM role that its metadata gives credentials of. */
  readonly ramRole?: string;
  /** When it was made, in milliseconds since 1970. */
  readonly createdAtMs: number;
  /** The place in the order of creation; paging goes by it. */
  readonly order: number;
}

/** A VPC. */
export interface VpcRecord {
  /** `vpc-…` */
  readonly id: string;
  /** Its prefix. */
  readonly cidr: Cidr;
  /** `vtb-…`: its system route table, the only one. */
  readonly routeTableId: string;
}

/** A custom route of a VPC's table. */
export interface RouteRecord {
  /** `rte-…` */
  readonly id: string;
  /** Its table. */
  readonly routeTableId: string;
  /** Where to. */
  readonly cidr: Cidr;
  /** By which instance. */
  readonly nextHopId: string;
  /** Its name. */
  readonly name: string;
  /** Its description. */
  readonly description: string;
  /** The place in the order of creation; paging goes by it. */
  readonly order: number;
  /** Its state. Source: DescribeRouteEntryList, `Status`. */
  state: "Pending" | "Available";
}

/** A vSwitch. */
export interface VSwitchRecord {
  /** `vsw-…` */
  readonly id: string;
  /** Its VPC. */
  readonly vpcId: string;
  /** Its zone. */
  readonly zone: string;
  /** Its prefix. */
  readonly cidr: Cidr;
  /** Who has which of its addresses. */
  readonly book: AddressBook;
  /** Who has which of its IPv6 addresses; absent when IPv6 isn't turned on. */
  readonly book6?: Ipv6Book;
  /** When it was made, in milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** A security group. */
export interface SecurityGroupRecord {
  /** `sg-…` */
  readonly id: string;
  /** Its VPC. */
  readonly vpcId: string;
  /** How many private addresses it can hold. */
  readonly capacity: number;
}

/** Everything that an emulated cloud holds. */
export interface Model {
  /** The region's id. */
  readonly region: string;
  /** The account's id. */
  readonly ownerId: string;
  /** How many secondary cards the account may have. */
  readonly eniQuota: number;
  /** The newest place in the order of creation. */
  lastOrder: number;
  /** The known instance types. */
  readonly types: Map<string, TypeLimits>;
  /** By id. */
  readonly vpcs: Map<string, VpcRecord>;
  /** By id. */
  readonly vSwitches: Map<string, VSwitchRecord>;
  /** By id. */
  readonly securityGroups: Map<string, SecurityGroupRecord>;
  /** By id. */
  readonly instances: Map<string, InstanceRecord>;
  /** By id. */
  readonly enis: Map<string, EniRecord>;
  /** By id. */
  readonly routes: Map<string, RouteRecord>;
}

/**
 * Makes an empty cloud.
 *
 * @param options The region, the account and its quota of secondary cards.
 * @returns The model.
 */
export function emptyModel(
  options: { region: string; ownerId: string; eniQuota: number },
): Model {
  return {
    ...options,
    lastOrder: 0,
    types: new Map(Object.entries(INSTANCE_TYPES)),
    vpcs: new Map(),
    vSwitches: new Map(),
    securityGroups: new Map(),
    instances: new Map(),
    enis: new Map(),
    routes: new Map(),
  };
}

/**
 * Lists the cards of an instance, the primary one first.
 *
 * @param model The cloud.
 * @param instanceId The instance.
 * @returns Its cards, those that come or go included.
 */
export function enisOf(model: Model, instanceId: string): EniRecord[] {
  return [...model.enis.values()].filter((eni) =>
    eni.instanceId === instanceId
  );
}

/**
 * Tells the limits of an instance's type.
 *
 * @param model The cloud.
 * @param instance The instance.
 * @returns Its type's limits.
 * @throws {Error} When the type is unknown: no instance can have such.
 */
export function limitsOf(model: Model, instance: InstanceRecord): TypeLimits {
  const limits = model.types.get(instance.type);
  if (limits === undefined) {
    throw new Error(`Instance ${instance.id} has no known type`);
  }
  return limits;
}
