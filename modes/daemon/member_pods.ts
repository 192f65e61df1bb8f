/**
 * Pods that have a member ENI: one that the controller made for them, and that
 * hangs on this node's trunk. Which one that is tells the pod's PodENI.
 *
 * @module
 */
import {
  type AttachedEni,
  type Attachment,
  type HostPeer,
  ownerKey,
} from "../../netns/attachment.ts";
import {
  type Cidr,
  contains,
  familyOf,
  gatewayOf,
  type Ip,
  parseCidr,
  parseIp,
} from "../../netns/ip.ts";
import type { Keeper } from "../../pool/contract.ts";
import type { VSwitchChoice } from "../../pool/limits.ts";
import type { Journal } from "../../pool/journal.ts";
import { Members } from "../../pool/members.ts";
import type { Lease } from "../../pool/state.ts";
import { DEFAULT_MTU, type PodWish } from "./attached.ts";
import type { NodeEnis } from "./enis.ts";
import type { MemberAnswer, PodMember } from "./pod_book.ts";
import type { DaemonConfig } from "./config.ts";
import type { NodeFacts } from "./node.ts";
import { CNI_CODE, RequestError } from "./request.ts";
import { trunkingStatus, whyNoTrunk } from "./trunking.ts";

/** VLAN ids of 802.1Q, without 0 and 4095. */
const VLAN_IDS = { first: 1, last: 4094 } as const;

/** Asks the orchestrator which member a pod has, and waits for it. */
export type AskMember = (
  node: { readonly instanceId: string },
  signal: AbortSignal,
) => Promise<MemberAnswer>;

/** How a pod shall have its member ENI. */
export interface MemberAsk {
  /** Tells which. */
  readonly ask: AskMember;
  /**
   * `vlan`: the member's packets come as a VLAN into the pod; `filter`: the pod
   * shares the trunk, and filters push and pop the tag. Source: Terway's
   * `vlan_strip_type`.
   */
  readonly strip: "vlan" | "filter";
}

/** From what pods with members are opened. */
export interface MemberNode {
  /** The configuration. */
  readonly config: DaemonConfig;
  /** The node. */
  readonly node: NodeFacts;
  /** Remembers. */
  readonly journal: Journal;
  /** Has the trunk. */
  readonly keeper: Keeper;
  /** The ENIs in the node's kernel. */
  readonly enis: NodeEnis;
}

/**
 * Opens what gives pods their members.
 *
 * @param open From what.
 * @returns It, with the leases that the journal holds.
 */
export function openMemberPods(
  { config, node, journal, keeper, enis }: MemberNode,
): MemberPods {
  const { id: instanceId, primaryIp, primaryIp6 } = node.instance;
  const nodeIps = primaryIp6 ? [primaryIp, primaryIp6] : [primaryIp];
  const serviceCidrs = Object.values(config.serviceCidrs ?? {});
  const { vSwitches } = node;
  return new MemberPods({
    ...{ keeper, enis, instanceId, vSwitches },
    members: new Members(journal),
    hostPeer: { nodeIps, serviceCidrs },
    whyNoTrunk: () =>
      whyNoTrunk(config, trunkingStatus(config, node, keeper.status())),
  });
}

/** What it works with. */
export interface MemberPodsParts {
  /** Keeps the leases. */
  readonly members: Members;
  /** Has the trunk. */
  readonly keeper: Pick<Keeper, "status">;
  /** The ENIs in the node's kernel. */
  readonly enis: Pick<NodeEnis, "attached" | "mtu">;
  /** The node's instance. */
  readonly instanceId: string;
  /** vSwitches whose prefixes are known. */
  readonly vSwitches: readonly VSwitchChoice[];
  /** What such a pod reaches by its node. */
  readonly hostPeer: HostPeer;
  /** Says why there is no trunk, and what to do. */
  readonly whyNoTrunk: () => string;
}

/** Gives pods their members. */
export class MemberPods {
  readonly #parts: MemberPodsParts;

  /**
   * Makes one.
   *
   * @param parts What it works with.
   */
  constructor(parts: MemberPodsParts) {
    this.#parts = parts;
  }

  /** The leases of such pods. */
  get members(): Members {
    return this.#parts.members;
  }

  /**
   * Gives a pod the ENI that was made for it.
   *
   * @param wish The pod.
   * @param member How it shall have it.
   * @param signal Ends the wait for the controller.
   * @returns The lease, which the journal holds.
   * @throws {RequestError} That says what to do.
   * @throws {PoolError} As {@linkcode Members.claim} does.
   */
  async claim(
    wish: PodWish,
    { ask, strip }: MemberAsk,
    signal: AbortSignal,
  ): Promise<Lease> {
    const { instanceId, members } = this.#parts;
    const trunk = this.#trunk();
    const answer = await ask({ instanceId }, signal);
    if ("hindrance" in answer) {
      const { message, problems } = answer.hindrance;
      throw new RequestError(CNI_CODE.tryAgain, message, problems);
    }
    const { member } = answer;
    requireOurs(member, trunk.id);
    const [ip, ip6] = addressesIn(member);
    const attachment = this.#attachment(wish, { member, strip, trunk });
    const { recipe } = attachment;
    return members.claim({
      ...{ ownerKey: ownerKey(wish.owner), eniId: member.eniId },
      ...{ ip, ...ip6 !== undefined && { ip6 }, recipe, attachment },
    });
  }

  #trunk(): AttachedEni {
    const { keeper, enis, whyNoTrunk } = this.#parts;
    const { eniId = "" } = keeper.status().trunk ?? {};
    const trunk = enis.attached(eniId);
    if (trunk !== undefined) return trunk;
    throw new RequestError(
      CNI_CODE.tryAgain,
      "the pod has an ENI of its own by a PodNetworking, which needs a trunk, " +
        `and this node has none: ${whyNoTrunk()}`,
    );
  }

  #attachment(
    wish: PodWish,
    { member, strip, trunk }: {
      readonly member: PodMember;
      readonly strip: MemberAsk["strip"];
      readonly trunk: AttachedEni;
    },
  ): Attachment {
    const { ipvlan, ...pod } = wish;
    const [ip, ip6] = addressesIn(member);
    const held = ip6 === undefined ? { ip } : { ip, ips: [ip, ip6] };
    const mtu = wish.mtu ?? this.#parts.enis.mtu(trunk.id) ?? DEFAULT_MTU;
    const { vlanId, trunkId } = member;
    const tagged = { ...pod, ...held, mtu, vlanId, trunkId };
    const { hostPeer } = this.#parts;
    if (strip === "vlan") {
      const eni = this.#ownEni(member, trunk);
      const pair = wish.podTable === undefined ? { hostPeer } : {};
      return { recipe: "vlan/1", ...tagged, eni, ...pair };
    }
    // With filters its packets pass the trunk's own gateway.
    const eni = { ...trunk, id: member.eniId };
    return ipvlan === undefined
      ? { recipe: "veth/1", ...tagged, eni }
      : { recipe: "ipvlan/1", ...tagged, eni, ...ipvlan };
  }

  /** The member with its own vSwitch, and the trunk's link. */
  #ownEni(member: PodMember, { mac, ifIndex }: AttachedEni): AttachedEni {
    const { eniId: id, ip4, ip6, subnet4, subnet6 } = member;
    const four = ip4 && this.#subnet(member, ip4, subnet4);
    const six = ip6 && this.#subnet(member, ip6, subnet6);
    // A pod of IPv6 alone looks at no IPv4 prefix.
    const subnet = four || "0.0.0.0/0";
    return {
      ...{ id, mac, ifIndex, subnet, gateway: gatewayOf(subnet) },
      ...six && { subnet6: six, gateway6: gatewayOf(six) },
    };
  }

  #subnet({ eniId }: PodMember, ip: Ip, told: Cidr | undefined): Cidr {
    const known = this.#parts.vSwitches.flatMap(({ cidr, cidr6 }) =>
      familyOf(ip) === 4 ? [cidr] : cidr6 ?? []
    );
    const found = told ?? known.find((cidr) => contains(cidr, ip));
    if (found !== undefined) return found;
    const key = familyOf(ip) === 4 ? "ipv4CIDR" : "ipv6CIDR";
    throw new RequestError(
      CNI_CODE.tryAgain,
      `the PodENI doesn't tell the prefix of ${eniId}'s vSwitch ` +
        `(spec.allocation.${key}), and none of this node's vSwitches has ${ip}`,
    );
  }
}

/** The first is IPv4, where the member has it. */
function addressesIn({ ip4, ip6 }: PodMember): readonly [Ip, Ip?] {
  if (ip4 !== undefined) return ip6 === undefined ? [ip4] : [ip4, ip6];
  return [ip6 ?? ""];
}

function requireOurs(member: PodMember, ownTrunkId: string): void {
  const { eniId, trunkId, vlanId, ip4, ip6, subnet4, subnet6 } = member;
  const problems: string[] = [];
  if (trunkId !== ownTrunkId) {
    problems.push(
      `status.trunkENIID is ${trunkId}, but this node's trunk is ` +
        `${ownTrunkId}: the pod was bound to another node, or the trunk was ` +
        "made anew; delete the pod, so that its ENI is bound here",
    );
  }
  if (vlanId < VLAN_IDS.first || vlanId > VLAN_IDS.last) {
    problems.push(
      `status.eniInfos["${eniId}"].vid must be ${VLAN_IDS.first} to ` +
        `${VLAN_IDS.last}: it is ${vlanId}`,
    );
  }
  if (ip4 === undefined && ip6 === undefined) {
    problems.push("spec.allocation has neither ipv4 nor ipv6");
  }
  for (const [key, ip] of [["ipv4", ip4], ["ipv6", ip6]] as const) {
    if (ip === undefined || isOfFamily(key, () => familyOf(parseIp(ip)))) {
      continue;
    }
    problems.push(
      `spec.allocation.${key} must be such an address: it is ${ip}`,
    );
  }
  for (const [key, cidr] of [["ipv4", subnet4], ["ipv6", subnet6]] as const) {
    if (cidr === undefined) continue;
    if (isOfFamily(key, () => parseCidr(cidr).family)) continue;
    problems.push(
      `spec.allocation.${key}CIDR must be such a prefix: it is ${cidr}`,
    );
  }
  if (problems.length === 0) return;
  throw new RequestError(
    CNI_CODE.tryAgain,
    "the pod's PodENI can't be used on this node",
    problems,
  );
}

function isOfFamily(key: "ipv4" | "ipv6", read: () => number): boolean {
  try {
    return `ipv${read()}` === key;
  } catch {
    return false;
  }
}
