/**
 * What a pod gets: the words, and the names in the kernel that follow from
 * them. Pure data, written into the journal with a lease, so that an upgraded
 * daemon repairs and removes an old pod by the recipe that made it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Bandwidth } from "./bandwidth.ts";
import type { Cidr, Ip } from "./ip.ts";

/** A MAC address in lower case with colons, such as `00:16:3e:00:00:01`. */
export type Mac = string;

/**
 * Who holds an attachment: CNI's own key. One sandbox may hold several, one a
 * network and interface.
 *
 * Source: CNI spec 1.1.0, "Lifecycle & Ordering".
 */
export interface Owner {
  /** The network's name, as in the network configuration. */
  readonly network: string;
  /** `CNI_CONTAINERID`. */
  readonly containerId: string;
  /** `CNI_IFNAME`. */
  readonly ifName: string;
}

/** The pod that a sandbox belongs to, as far as the runtime said. */
export interface PodName {
  /** `K8S_POD_NAMESPACE`. */
  readonly namespace: string;
  /** `K8S_POD_NAME`. */
  readonly name: string;
  /** `K8S_POD_UID`, when the runtime gives it. */
  readonly uid?: string;
}

/** The card that carries a pod's traffic. */
export interface AttachedEni {
  /** The cloud's id, such as `eni-2ze…`. */
  readonly id: string;
  /** Its MAC, by which it is found in the kernel. */
  readonly mac: Mac;
  /** Its index in the node's kernel, from which its routing table follows. */
  readonly ifIndex: number;
  /** The gateway of its vSwitch. */
  readonly gateway: Ip;
  /** The prefix of its vSwitch. */
  readonly subnet: Cidr;
  /** The IPv6 gateway of its vSwitch, when that has IPv6. */
  readonly gateway6?: Ip;
  /** The IPv6 prefix of its vSwitch, when that has IPv6. */
  readonly subnet6?: Cidr;
}

/** What every attachment says, whatever carries the pod's traffic. */
export interface PodNetwork {
  /** Who holds it. */
  readonly owner: Owner;
  /** The pod, when the runtime named it. */
  readonly pod?: PodName;
  /** The path of the pod's network namespace, as the runtime gave it. */
  readonly netns: string;
  /** The pod's address, the first when it has several. */
  readonly ip: Ip;
  /**
   * All of the pod's addresses, `ip` first: one a family. Absent for a pod
   * with a single one, as in journals from before there were two.
   */
  readonly ips?: readonly Ip[];
  /**
   * Set for a pod whose successor of the same name may have its addresses: of
   * a StatefulSet or the like.
   */
  readonly keepsAddress?: boolean;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** How fast the pod may send and receive; absent for no limit. */
  readonly bandwidth?: Bandwidth;
  /**
   * Prefixes that lead out by this interface, whatever else the pod has.
   * Source: `extra_routes` of eni_conf and of a PodNetworking.
   */
  readonly extraRoutes?: readonly Cidr[];
  /**
   * Prefixes that the node's own stack serves, such as a node's DNS cache.
   * Source: `host_stack_cidrs` of the network configuration.
   */
  readonly hostStackCidrs?: readonly Cidr[];
  /**
   * The pod's routing table for an interface that hasn't got its default
   * route: looked up for packets from its addresses, or bound to it. Absent
   * for the interface whose default route is the pod's.
   */
  readonly podTable?: number;
  /**
   * The name of the interface whose ADD made this one too; both go by its DEL.
   * Absent for the interface that a runtime named itself.
   */
  readonly beside?: string;
}

/** A pod on an ENI that it shares, by policy routing. */
export interface VethAttachment extends PodNetwork, MaybeTagged {
  /** The datapath and its version. */
  readonly recipe: "veth/1";
  /** The ENI that the addresses belong to, or its trunk. */
  readonly eni: AttachedEni;
}

/** A pod whose packets may bear a tag on the card. */
export interface MaybeTagged {
  /**
   * Set when the addresses are of a member ENI: the tag, by which its trunk
   * tells members apart. Source: `DeviceIndex` of the member's attachment.
   */
  readonly vlanId?: number;
  /** The trunk's id in the cloud, beside a tag: `eni` has the member's. */
  readonly trunkId?: string;
}

/** A pod on an ENI that it shares, by IPvlan. */
export interface IpvlanAttachment extends PodNetwork, MaybeTagged {
  /** The datapath and its version. */
  readonly recipe: "ipvlan/1";
  /** The ENI that the addresses belong to, or its trunk. */
  readonly eni: AttachedEni;
  /** The prefixes of the cluster's services. Source: `service_cidr`. */
  readonly serviceCidrs: readonly Cidr[];
}

/** A card of the node as it was before a pod got it. */
export interface CardBefore {
  /** Its name. */
  readonly name: string;
  /** Whether it was up. */
  readonly up: boolean;
  /** Bytes in a packet; as the pod leaves it when absent. */
  readonly mtu?: number;
}

/** A pod that has an ENI to itself. */
export interface ExclusiveAttachment extends PodNetwork {
  /** The datapath and its version. */
  readonly recipe: "exclusive/1";
  /** The ENI, which becomes the pod's interface. */
  readonly eni: AttachedEni;
  /** The ENI's link as it was on the node, and shall be again. */
  readonly card: CardBefore;
  /**
   * The pair that leads to the node: for services and for the node itself.
   * Absent for an interface without, as any but the pod's first.
   */
  readonly hostPeer?: HostPeer;
}

/** A pod that has a member ENI to itself, as a VLAN of the trunk ENI. */
export interface VlanAttachment extends PodNetwork {
  /** The datapath and its version. */
  readonly recipe: "vlan/1";
  /**
   * The member, with its own vSwitch; but MAC and index are the trunk's, which
   * its frames bear.
   */
  readonly eni: AttachedEni;
  /** The tag, by which the trunk tells members apart. */
  readonly vlanId: number;
  /** The trunk's id in the cloud: `eni` has the member's. */
  readonly trunkId?: string;
  /** As for a pod with an ENI of its own. */
  readonly hostPeer?: HostPeer;
}

/** What a pod with an ENI of its own reaches through its node. */
export interface HostPeer {
  /** The node's addresses, one a family. */
  readonly nodeIps: readonly Ip[];
  /** The prefixes of the cluster's services. Source: `service_cidr`. */
  readonly serviceCidrs: readonly Cidr[];
}

/** A pod with an address of its node's pod CIDR, which the VPC routes there. */
export interface VpcAttachment extends PodNetwork {
  /** The datapath and its version. */
  readonly recipe: "vpc/1";
  /** The node's pod CIDR. */
  readonly podCidr: Cidr;
}

/** What a pod gets, and the recipe that sets it up. */
export type Attachment =
  | VethAttachment
  | IpvlanAttachment
  | ExclusiveAttachment
  | VlanAttachment
  | VpcAttachment;

/**
 * Gives all addresses of a pod.
 *
 * @param network What the pod gets, from a journal of any age.
 * @returns At least one, the first being `ip`.
 */
export function addressesOf(
  network: Pick<PodNetwork, "ip" | "ips">,
): readonly Ip[] {
  return network.ips ?? [network.ip];
}

/**
 * Writes an owner as one text, for keys of maps and journals.
 *
 * The parts can't hold a slash: CNI allows letters, digits, `_`, `.` and `-`
 * in ids and network names, and Linux no slash in an interface name.
 *
 * @param owner Who.
 * @returns `network/containerId/ifName`.
 */
export function ownerKey(owner: Owner): string {
  return `${owner.network}/${owner.containerId}/${owner.ifName}`;
}

/**
 * Names the host end of a pod's veth pair: `cali` and 11 hex digits.
 *
 * The hash is of the owner and not of the pod's name: the successor of a pod
 * with the same name must not collide with a link that is still dying. The
 * prefix is the one that tools of this field expect. 15 bytes is what Linux
 * allows (IFNAMSIZ - 1).
 *
 * @param owner Who.
 * @returns A link name of 15 characters.
 */
export function hostLinkName(owner: Owner): string {
  return "cali" + ownerHash(owner).slice(0, 11);
}

/**
 * Gives both MACs of a pod's veth pair. They follow from the owner, so that a
 * plan needs no chance and a link can be recognised as ours by its MAC.
 *
 * @param owner Who.
 * @returns Locally administered unicast addresses (IEEE 802c).
 */
export function vethMacs(owner: Owner): { host: Mac; pod: Mac } {
  const hex = ownerHash(owner).slice(11);
  const mac = (first: string, digits: string): Mac =>
    [first, ...digits.match(/../g) ?? []].join(":");
  return {
    host: mac("0e", hex.slice(0, 10)),
    pod: mac("0a", hex.slice(0, 10)),
  };
}

/** An owner is asked for its names some ten times in an ADD. */
const hashes = new WeakMap<Owner, string>();

function ownerHash(owner: Owner): string {
  const before = hashes.get(owner);
  if (before !== undefined) return before;
  const hash = createHash("sha256").update(ownerKey(owner)).digest("hex");
  hashes.set(owner, hash);
  return hash;
}
