/**
 * The cloud as the pool sees it: cards (ENIs) and the addresses on them.
 *
 * Adapters (`alibaba/`, `qingcloud/`) implement {@linkcode Cloud} and see
 * nothing else of the pool. They hold no state of their own and never retry:
 * what to do after an answer is the pool's plan. Every call takes a signal
 * that carries its deadline.
 *
 * @module
 */
import type { Cidr, Family, Ip } from "../netns/ip.ts";

/** What a card is for. Source: ECS DescribeNetworkInterfaces, `Type`. */
export type EniType = "Primary" | "Secondary" | "Trunk" | "Member";

/**
 * Where a card is in its life. Source: ECS DescribeNetworkInterfaces, `Status`;
 * an adapter maps its cloud's words to these.
 */
export type EniStatus =
  | "Creating"
  | "Available"
  | "Attaching"
  | "InUse"
  | "Detaching"
  | "Deleting"
  | "CreateFailed"
  | "Unattached"
  | "Linked"
  | "Unlinking";

/** A card, as the cloud describes it. */
export interface Eni {
  /** The cloud's id. */
  readonly id: string;
  /** In lower case, with colons. */
  readonly mac: string;
  /** What it is for. */
  readonly type: EniType;
  /** Where it is in its life. */
  readonly status: EniStatus;
  /** The vSwitch that its addresses come from. */
  readonly vSwitchId: string;
  /** The zone of that vSwitch. */
  readonly zone: string;
  /** The instance that it is attached to, if any. */
  readonly instanceId?: string;
  /** The address that lives and dies with the card. */
  readonly primaryIp: Ip;
  /** Every private IPv4 address of it, the primary one included. */
  readonly ips: readonly Ip[];
  /**
   * Every prefix of it, a /28 of IPv4 or a /80 of IPv6; absent when there are
   * none. Their addresses aren't in `ips` and `ips6`.
   */
  readonly prefixes?: readonly Cidr[];
  /** Every IPv6 address of it; none of them is primary. */
  readonly ips6: readonly Ip[];
  /** Its security groups. */
  readonly securityGroupIds: readonly string[];
  /** Its tags. */
  readonly tags: Readonly<Record<string, string>>;
}

/** A card that shall be made. */
export interface EniWish {
  /** Whether members can hang on it. @default {false} */
  readonly trunk?: boolean;
  /** Where its addresses come from. */
  readonly vSwitchId: string;
  /** 1 to 5 of them. Source: ECS CreateNetworkInterface. */
  readonly securityGroupIds: readonly string[];
  /** How many IPv4 addresses, the primary one included: 1 to the type's limit. */
  readonly ipCount: number;
  /**
   * How many IPv4 prefixes: 0 to 10; each counts as one address against the
   * type's limit. Source: ECS CreateNetworkInterface, `Ipv4PrefixCount`.
   *
   * @default {0}
   */
  readonly prefixCount?: number;
  /**
   * How many IPv6 prefixes: 0 to 10, not beside IPv6 addresses; each counts as
   * one address against the type's limit. Source: ECS CreateNetworkInterface,
   * `Ipv6PrefixCount`.
   *
   * @default {0}
   */
  readonly prefix6Count?: number;
  /**
   * How many IPv6 addresses: 0 to 10, and to the type's limit; else the card
   * can't be attached. Source: ECS CreateNetworkInterface.
   *
   * @default {0}
   */
  readonly ip6Count?: number;
  /** Whose it is; see `pool/state.ts` for the keys. */
  readonly tags: Readonly<Record<string, string>>;
  /** Of which resource group it is; the account's default when absent. */
  readonly resourceGroupId?: string;
  /** What people read in the console. */
  readonly description: string;
  /** Makes a repeated call give the same card. At most 64 ASCII characters. */
  readonly token: string;
}

/** A node of the cluster, as the cloud knows it. */
export interface Instance {
  /** The cloud's id, such as `i-…`. */
  readonly id: string;
  /** Its type, such as `ecs.g7.large`. */
  readonly type: string;
  /** Its region. */
  readonly region: string;
  /** Its zone. */
  readonly zone: string;
  /** Its VPC. */
  readonly vpcId: string;
  /** The vSwitch of its primary card. */
  readonly vSwitchId: string;
  /** The MAC of its primary card, in lower case with colons. */
  readonly primaryMac: string;
  /** The address of its primary card. */
  readonly primaryIp: Ip;
  /** The first IPv6 address of its primary card, if it has one. */
  readonly primaryIp6?: Ip;
}

/** How many cards and addresses an instance may have. */
export interface InstanceLimits {
  /** Cards, the primary one included. ECS: `EniQuantity`. */
  readonly eniCount: number;
  /** IPv4 addresses a card, the primary one included. ECS: `EniPrivateIpAddressQuantity`. */
  readonly ipv4PerEniCount: number;
  /** IPv6 addresses a card. ECS: `EniIpv6AddressQuantity`. */
  readonly ipv6PerEniCount: number;
  /** Cards and members together. ECS: `EniTotalQuantity`. */
  readonly eniTotalCount: number;
  /** Whether a trunk card can be had. ECS: `EniTrunkSupported`. */
  readonly trunk: boolean;
}

/** A subnet of the VPC in one zone. */
export interface VSwitch {
  /** The cloud's id, such as `vsw-…`. */
  readonly id: string;
  /** Its zone. */
  readonly zone: string;
  /** Its IPv4 prefix. */
  readonly cidr: Cidr;
  /** Its IPv6 prefix, a /64; absent when IPv6 isn't turned on for it. */
  readonly cidr6?: Cidr;
  /** How many IPv4 addresses it can still give. */
  readonly availableIpCount: number;
}

/** Which cards to describe; every given condition must hold. */
export interface EniFilter {
  /** Attached to this instance. */
  readonly instanceId?: string;
  /** One of these, 1 to 100. */
  readonly ids?: readonly string[];
  /** Bearing all of these tags. */
  readonly tags?: Readonly<Record<string, string>>;
}

/**
 * A cloud that lends cards and addresses.
 *
 * Every method throws {@linkcode CloudError}, and `DOMException` (`AbortError`
 * or `TimeoutError`) when its signal ends first: then nobody knows whether the
 * cloud did it.
 */
export interface Cloud {
  /** Describes an instance; `notFound` when there is none. */
  describeInstance(id: string, signal: AbortSignal): Promise<Instance>;
  /** Tells the limits of an instance type; `notFound` for an unknown type. */
  describeLimits(type: string, signal: AbortSignal): Promise<InstanceLimits>;
  /** Describes vSwitches, in the order of `ids`; unknown ones are left out. */
  describeVSwitches(
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly VSwitch[]>;
  /** Describes every card that the filter meets, all pages. */
  describeEnis(
    filter: EniFilter,
    signal: AbortSignal,
  ): Promise<readonly Eni[]>;
  /** Makes a card; the same token gives the same card again. */
  createEni(wish: EniWish, signal: AbortSignal): Promise<Eni>;
  /** Begins to attach a card; it is done when its status is `InUse`. */
  attachEni(
    call: { eniId: string; instanceId: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Begins to detach a card; resolves also when it is gone. */
  detachEni(
    call: { eniId: string; instanceId: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Deletes a detached card; resolves also when it is gone. */
  deleteEni(eniId: string, signal: AbortSignal): Promise<void>;
  /** Adds IPv4 addresses to a card and gives the new ones. */
  assignIps(
    call: { eniId: string; count: number; token: string },
    signal: AbortSignal,
  ): Promise<readonly Ip[]>;
  /** Takes IPv4 addresses from a card; resolves also when they are gone. */
  unassignIps(
    call: { eniId: string; ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Adds prefixes to a card, /28 of IPv4 or /80 of IPv6, 1 to 10 a call, and
   * gives the new ones; `exhausted` also when the vSwitch has IPv4 addresses
   * that don't lie together, `invalid` when it or the instance has no IPv6.
   */
  assignPrefixes(
    call: { eniId: string; family: Family; count: number; token: string },
    signal: AbortSignal,
  ): Promise<readonly Cidr[]>;
  /**
   * Takes prefixes of one family from a card, 1 to 10 a call; resolves also
   * when they are gone.
   */
  unassignPrefixes(
    call: { eniId: string; prefixes: readonly Cidr[] },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Adds IPv6 addresses to a card, 1 to 10 a call, and gives the new ones;
   * `invalid` when its vSwitch or its instance has no IPv6.
   */
  assignIp6s(
    call: { eniId: string; count: number; token: string },
    signal: AbortSignal,
  ): Promise<readonly Ip[]>;
  /**
   * Takes IPv6 addresses from a card, 1 to 10 a call; resolves also when they
   * are gone.
   */
  unassignIp6s(
    call: { eniId: string; ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Puts a card into these security groups, 1 to 5, and out of all others;
   * the same call may be repeated.
   */
  setSecurityGroups(
    call: { eniId: string; securityGroupIds: readonly string[] },
    signal: AbortSignal,
  ): Promise<void>;
}

/**
 * What an error means for the pool, whatever the cloud calls it.
 *
 * - `throttled`: too many calls; none until the next minute.
 * - `quota`: the instance, the card or the account is full.
 * - `exhausted`: the vSwitch has no addresses left.
 * - `notFound`: what the call names isn't there.
 * - `conflict`: what the call names is in another state just now.
 * - `denied`: the credentials may not do this.
 * - `invalid`: the call is wrong; repeating it can't help.
 * - `token`: the call's token is used up: the same call with another may work.
 * - `transient`: the service failed, or what came isn't an answer of it.
 */
export type CloudErrorKind =
  | "throttled"
  | "quota"
  | "exhausted"
  | "notFound"
  | "conflict"
  | "denied"
  | "invalid"
  | "token"
  | "transient";

/** What a {@linkcode CloudError} tells besides its message. */
export interface CloudErrorDetail {
  /** What it means. */
  readonly kind: CloudErrorKind;
  /** The call's name, such as `CreateNetworkInterface`. */
  readonly api: string;
  /** The cloud's own code, such as `InvalidVSwitchId.IpNotEnough`. */
  readonly code: string;
  /** The HTTP status; 0 when no answer came. */
  readonly httpStatus: number;
  /** What the cloud's support asks for; empty when no answer came. */
  readonly requestId: string;
}

/** A call that the cloud refused, or that found no cloud. */
export class CloudError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "CloudError";
  /** What it means. */
  readonly kind: CloudErrorKind;
  /** The call's name. */
  readonly api: string;
  /** The cloud's own code. */
  readonly code: string;
  /** The HTTP status; 0 when no answer came. */
  readonly httpStatus: number;
  /** What the cloud's support asks for. */
  readonly requestId: string;

  /**
   * Makes one.
   *
   * @param message What happened, in the cloud's words.
   * @param detail What it means.
   * @param options The cause.
   */
  constructor(
    message: string,
    detail: CloudErrorDetail,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.kind = detail.kind;
    this.api = detail.api;
    this.code = detail.code;
    this.httpStatus = detail.httpStatus;
    this.requestId = detail.requestId;
  }
}
