/**
 * A pod's next hop on its node, the same in every pod: an address that nobody
 * has, whose neighbour entry is the host end's MAC, set for ever. Neither ARP
 * nor neighbour discovery is needed, and the pod's network needs no address
 * of its own on the node.
 *
 * @module
 */
import type { Mac } from "../attachment.ts";
import { type Cidr, familyOf, hostCidr, type Ip } from "../ip.ts";
import type { NeighbourStep, Place, RouteStep, SysctlStep } from "../step.ts";

/** Each pod's next hop: link-local, so it can be no one's address (RFC 3927). */
export const POD_GATEWAY: Ip = "169.254.1.1";

/** The same for IPv6 (RFC 4291, section 2.5.6). */
export const POD_GATEWAY6: Ip = "fe80::1";

/**
 * Gives a pod's next hop.
 *
 * @param of An address or prefix of the family that is asked for.
 * @returns The next hop.
 */
export function nextHop(of: Ip | Cidr): Ip {
  return familyOf(of) === 4 ? POD_GATEWAY : POD_GATEWAY6;
}

/**
 * Gives the destination of a default route.
 *
 * @param of An address or prefix of the family that is asked for.
 * @returns The prefix of all addresses.
 */
export function everything(of: Ip | Cidr): Cidr {
  return familyOf(of) === 4 ? "0.0.0.0/0" : "::/0";
}

/**
 * Picks the prefixes of an address's family.
 *
 * @param cidrs Prefixes of both families; absent is none.
 * @param ip The address.
 * @returns Those that a route beside `ip` can lead to.
 */
export function ofFamily(
  cidrs: readonly Cidr[] | undefined,
  ip: Ip,
): readonly Cidr[] {
  return (cidrs ?? []).filter((cidr) => familyOf(cidr) === familyOf(ip));
}

/** Both ends of a pair, and an address of the pod. */
export interface Pair {
  /** The end in the node. */
  readonly host: { readonly name: string; readonly mac: Mac };
  /** The end in the pod. */
  readonly pod: { readonly name: string; readonly mac: Mac };
  /** The pod's address. */
  readonly ip: Ip;
}

/**
 * Tells the pod its next hop's MAC.
 *
 * @param pair Both ends.
 * @returns A neighbour in the pod.
 */
export function nextHopNeighbour({ host, pod, ip }: Pair): NeighbourStep {
  return {
    kind: "neighbour",
    place: "pod",
    link: pod.name,
    ip: nextHop(ip),
    mac: host.mac,
  };
}

/**
 * Tells the node the pod's MAC. IPv6 needs it: a node asks for a neighbour
 * only once its link-local address on the pair is known to be unique, which
 * takes a second or two, and a pod answers only for the link's own addresses.
 *
 * @param pair Both ends.
 * @returns A neighbour on the node.
 */
export function podNeighbour({ host, pod, ip }: Pair): NeighbourStep {
  return {
    kind: "neighbour",
    place: "host",
    link: host.name,
    ip,
    mac: pod.mac,
  };
}

/**
 * Leads the node to a pod.
 *
 * @param pair Both ends.
 * @param table The node's table.
 * @returns A route on the node.
 */
export function hostRoute({ host, ip }: Pair, table: number): RouteStep {
  return {
    kind: "route",
    place: "host",
    link: host.name,
    destination: hostCidr(ip),
    table,
  };
}

/**
 * Switches IPv6 on for a link, whatever the default of its namespace is.
 *
 * @param place Where.
 * @param link The link.
 * @returns A setting of the link.
 */
export function ipv6On(place: Place, link: string): SysctlStep {
  const key = `net/ipv6/conf/${link}/disable_ipv6`;
  return { kind: "sysctl", place, link, key, value: "0" };
}

/**
 * Makes a link deaf to router advertisements: its routes are ours to make.
 *
 * @param place Where.
 * @param link The link.
 * @returns A setting of the link.
 */
export function ipv6Deaf(place: Place, link: string): SysctlStep {
  const key = `net/ipv6/conf/${link}/accept_ra`;
  return { kind: "sysctl", place, link, key, value: "0" };
}

/**
 * Lets the node forward IPv6. The kernel has one switch for all links, so it
 * stays on, and whoever applies the plan is told when it wasn't.
 *
 * A link that forwards forgets what router advertisements told it, unless it
 * accepts them all the same (2): `uplink` keeps its default route so.
 *
 * @param uplink The node's own card, if advertisements give it its routes.
 * @returns Settings of the node.
 */
export function ipv6Forwarding(uplink?: string): SysctlStep[] {
  const at = { kind: "sysctl", place: "host", keep: true } as const;
  const accept = uplink === undefined
    ? []
    : [{ ...at, key: `net/ipv6/conf/${uplink}/accept_ra`, value: "2" }];
  return [...accept, {
    ...at,
    key: "net/ipv6/conf/all/forwarding",
    value: "1",
  }];
}
