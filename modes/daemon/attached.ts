/**
 * What a pod gets, as the journal's records and the kernel's plans have it.
 *
 * @module
 */
import {
  addressesOf,
  type AttachedEni,
  type Attachment,
  hostLinkName,
  type Owner,
  ownerKey,
  type PodName,
  type PodNetwork,
  vethMacs,
} from "../../netns/attachment.ts";
import { type Cidr, hostCidr, type Ip } from "../../netns/ip.ts";
import type { Difference, VethStep } from "../../netns/step.ts";
import type { Grant } from "../../pool/contract.ts";
import type { Lease } from "../../pool/state.ts";
import type { NodeEnis } from "./enis.ts";
import { mismatches } from "./previous.ts";
import { CNI_CODE, type CniRequest, RequestError } from "./request.ts";
import { CODE_CHANGED } from "./result.ts";

/** What is known of a pod before it has an address. */
export interface PodWish extends
  Pick<
    PodNetwork,
    | "bandwidth"
    | "beside"
    | "extraRoutes"
    | "hostStackCidrs"
    | "podTable"
    | "keepsAddress"
  > {
  /** Whose it is. */
  readonly owner: Owner;
  /** The pod, when the runtime named it. */
  readonly pod?: PodName;
  /** The path of its namespace; empty when that isn't known. */
  readonly netns: string;
  /** Bytes in a packet, when the network says so. */
  readonly mtu?: number;
  /** Set when it shall share an ENI by IPvlan, where ENIs are shared. */
  readonly ipvlan?: {
    /** The prefixes of the cluster's services. */
    readonly serviceCidrs: readonly Cidr[];
  };
}

/** Ethernet's own. Source: RFC 894. */
export const DEFAULT_MTU = 1500;

/** An ENI isn't set up in the node's kernel, or not yet. */
export class NotSetUpError extends Error {
  /** Its class. */
  override readonly name = "NotSetUpError";
}

/**
 * Says what a pod gets with an address of an ENI, or with the ENI itself.
 *
 * @param wish What is known of the pod.
 * @param grant The address.
 * @param enis The node's ENIs.
 * @returns What the journal holds with the lease.
 * @throws {NotSetUpError} When the kernel hasn't got the ENI.
 */
export function attachmentFor(
  wish: PodWish,
  grant: Grant,
  enis: NodeEnis,
): { recipe: string; attachment: Attachment } {
  const eni = enis.attached(grant.eni.id);
  if (eni === undefined) {
    throw new NotSetUpError(
      `Cannot use ${grant.eni.id} as it isn't set up on this node`,
    );
  }
  const { ip, ip6 } = grant;
  const held = ip6 === undefined ? { ip } : { ip, ips: [ip, ip6] };
  const mtu = wish.mtu ?? enis.mtu(grant.eni.id) ?? DEFAULT_MTU;
  const { ipvlan, ...pod } = wish;
  const network = { ...pod, mtu, ...held };
  const whole = enis.whole(grant.eni.id);
  if (whole === undefined && ipvlan !== undefined) {
    const recipe = "ipvlan/1";
    return { recipe, attachment: { recipe, ...network, eni, ...ipvlan } };
  }
  if (whole === undefined) {
    const recipe = "veth/1";
    return { recipe, attachment: { recipe, ...network, eni } };
  }
  const recipe = "exclusive/1";
  const { card, hostPeer } = whole;
  // The pod's way to its node is that of its first interface.
  const pair = wish.podTable === undefined ? { hostPeer } : {};
  return { recipe, attachment: { recipe, ...network, eni, card, ...pair } };
}

/**
 * Says what a pod with a card of its own was made with, whose record was lost:
 * since then the node's addresses and the services may have become others.
 *
 * @param made What such a pod gets today.
 * @param byPair Where the pod's pair leads, as the kernel has it.
 * @returns What this pod has.
 */
export function asFound(
  made: ReturnType<typeof attachmentFor>,
  byPair: readonly Cidr[],
): ReturnType<typeof attachmentFor> {
  const { recipe, attachment } = made;
  if (attachment.recipe !== "exclusive/1") return made;
  const { hostPeer, hostStackCidrs: _, ...rest } = attachment;
  if (hostPeer === undefined) return made;
  const nodeIps = hostPeer.nodeIps.filter((ip) =>
    byPair.includes(hostCidr(ip))
  );
  const serviceCidrs = hostPeer.serviceCidrs.filter((cidr) =>
    byPair.includes(cidr)
  );
  const known = [...serviceCidrs, ...nodeIps.map(hostCidr)];
  const more = byPair.filter((cidr) => !known.includes(cidr));
  const hostStackCidrs = more.length > 0 ? { hostStackCidrs: more } : {};
  const found = { hostPeer: { nodeIps, serviceCidrs }, ...hostStackCidrs };
  return { recipe, attachment: { ...rest, ...found } };
}

/** How pods of the node's pod CIDR are. */
export interface VpcPods {
  /** The prefix. */
  readonly podCidr: Cidr;
  /** Bytes in a packet of the card that carries their traffic. */
  readonly mtu: number;
}

/**
 * Says what a pod gets with an address of the node's pod CIDR.
 *
 * @param wish What is known of the pod.
 * @param ip The address.
 * @param pods How such pods are.
 * @returns What the journal holds with the lease.
 */
export function vpcAttachment(
  wish: PodWish,
  ip: Ip,
  { podCidr, mtu }: VpcPods,
): { recipe: string; attachment: Attachment } {
  const recipe = "vpc/1";
  const { ipvlan: _, ...pod } = wish;
  return { recipe, attachment: { recipe, mtu, ...pod, ip, podCidr } };
}

/**
 * Gives the ENI that carries an attachment's traffic.
 *
 * @param attachment What a pod has.
 * @returns The ENI; undefined for an address that VPC routes lead to.
 */
export function eniOf(attachment: Attachment): AttachedEni | undefined {
  return attachment.recipe === "vpc/1" ? undefined : attachment.eni;
}

/**
 * Tells which ENI an attachment needs on the node.
 *
 * @param attachment What a pod has.
 * @returns The cloud's id: the trunk's, for a member.
 */
export function cardIdOf(attachment: Attachment): string | undefined {
  const trunkId = "trunkId" in attachment ? attachment.trunkId : undefined;
  return trunkId ?? eniOf(attachment)?.id;
}

/**
 * Reads the attachment that a lease was recorded with.
 *
 * @param lease A lease of this daemon's journal.
 * @returns What the pod got.
 */
export function attachmentOf(lease: Pick<Lease, "attachment">): Attachment {
  return lease.attachment as Attachment;
}

/**
 * Gives the host's end of an owner's veth pair, by the marks that make it ours.
 *
 * @param owner Whose.
 * @returns A step to walk back.
 */
export function hostEnd(owner: Owner): VethStep {
  const macs = vethMacs(owner);
  return {
    kind: "veth",
    host: { name: hostLinkName(owner), mac: macs.host },
    pod: { name: owner.ifName, mac: macs.pod },
    mtu: DEFAULT_MTU,
    alias: "",
  };
}

/**
 * Writes a difference for people.
 *
 * @param difference What isn't as planned.
 * @returns The command that makes the object, and what is there instead.
 */
export function sentence(difference: Difference): string {
  const seen = difference.seen === undefined
    ? ""
    : `, it is ${difference.seen}`;
  return `${difference.problem}: ${difference.object}${seen}`;
}

/**
 * Refuses the result of another attachment: a runtime's memory of that says
 * nothing about this one.
 *
 * @param attachment What the pod has.
 * @param request What the runtime kept, and where it has the pod.
 * @throws {RequestError} That says what differs.
 */
export function requireResultOf(
  attachment: Attachment,
  { config: { prevResult }, netns = attachment.netns }: Pick<
    CniRequest,
    "config" | "netns"
  >,
): void {
  if (prevResult === undefined) return;
  const { owner: { ifName } } = attachment;
  const ips = addressesOf(attachment);
  const problems = mismatches(prevResult, { ifName, netns, ips });
  if (problems.length === 0) return;
  throw new RequestError(
    CODE_CHANGED,
    `the result that the runtime kept isn't of ${ownerKey(attachment.owner)}`,
    problems,
  );
}

/**
 * Refuses an ADD of an owner that is attached elsewhere.
 *
 * @param earlier What the owner has.
 * @param netns The path of the sandbox's namespace now.
 * @throws {RequestError} That says where it is attached.
 */
export function requireSame(earlier: Attachment, netns: string): void {
  if (earlier.netns === netns) return;
  throw new RequestError(
    CNI_CODE.invalidVariable,
    `CNI_NETNS is ${netns}, but ${ownerKey(earlier.owner)} is attached in ` +
      `${earlier.netns}: DEL it first`,
  );
}

/**
 * Says where a pod's address comes from, for people.
 *
 * @param attachment What the pod has.
 * @returns The addresses, and the ENI or the pod CIDR.
 */
export function whereOf(attachment: Attachment): string {
  const where = attachment.recipe === "vpc/1"
    ? `of ${attachment.podCidr}`
    : `on ${attachment.eni.id} (${attachment.eni.mac})`;
  const by = "vlanId" in attachment && attachment.vlanId !== undefined
    ? `, VLAN ${attachment.vlanId} of ${attachment.trunkId}`
    : "";
  return `${addressesOf(attachment).join(", ")} ${where}${by}`;
}
