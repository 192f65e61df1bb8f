/**
 * Exclusive ENI: the card itself is the pod's interface, so the pod's packets
 * meet the VPC as the node's do. A veth pair beside it leads to the node.
 *
 * ```text
 *  pod                                                        VPC
 *  eth0 = the ENI, P/20 ───────────────────────────────────── G
 *   default via G
 *  veth1, no address ──────────── caliXXXXXXXXXXX     node
 *   service_cidr via 169.254.1.1   P/32 dev cali…     (kube-proxy, kubelet)
 *   the node     via 169.254.1.1
 *   169.254.1.1 is the host end's MAC, permanently (IPv6: fe80::1)
 * ```
 *
 * Out and in: as if the pod were an instance. The node sees none of it, so its
 * kernel costs nothing; nor do its rules or its packet filter apply.
 *
 * Services and the node: by the pair, because kube-proxy's rules are the
 * node's, and because a node's packets come from the node. The source is the
 * pod's address, which the VPC takes from the pod's ENI only: the node must
 * translate what it forwards for the pod to elsewhere. kube-proxy does so for
 * sources outside its `clusterCIDR`, or with `masqueradeAll`.
 *
 * A card is found by its MAC. Walking the plan back brings it home under its
 * old name; a physical one whose pod died comes home by itself, under a name
 * of the kernel's choice, and is then put in order there. A veth that stands
 * for a card in a test dies with the pod, and is plugged in again as new.
 *
 * This module reads no kernel, no clock and no configuration.
 *
 * @module
 */
import { linkAlias } from "../alias.ts";
import {
  addressesOf,
  type AttachedEni,
  type ExclusiveAttachment,
  hostLinkName,
  type HostPeer,
  type PodNetwork,
  vethMacs,
} from "../attachment.ts";
import { bandwidthSteps, ifbOf } from "../bandwidth.ts";
import {
  addressAt,
  type Cidr,
  familyOf,
  hostCidr,
  type Ip,
  parseCidr,
} from "../ip.ts";
import {
  type AddressStep,
  type Plan,
  type RouteStep,
  type Step,
  type SysctlStep,
  TABLE_MAIN,
} from "../step.ts";
import { NotSupportedError } from "../unsupported.ts";
import {
  hostRoute,
  ipv6Deaf,
  ipv6Forwarding,
  ipv6On,
  nextHop,
  nextHopNeighbour,
  ofFamily,
  type Pair,
  podNeighbour,
} from "./next_hop.ts";
import { podRoutes } from "./pod_routes.ts";

/** The pod's end of the pair to the node. Source: Terway's own README. */
export const HOST_PEER_LINK = "veth1";

/**
 * Plans a pod with an ENI of its own.
 *
 * The pair comes before the card: moving the card takes the kernel longest,
 * and what fails before that costs less to undo.
 *
 * @param attachment What the pod gets.
 * @returns Steps in the pod and on the node.
 * @throws {NotSupportedError} When the vSwitch hasn't the family of an address.
 */
export function exclusivePlan(attachment: ExclusiveAttachment): Plan {
  const { card: host, eni: { mac }, mtu, owner: { ifName } } = attachment;
  // With a pair it is the pair that tells whose the card is.
  const alias = attachment.hostPeer === undefined && {
    alias: linkAlias(attachment),
  };
  return ownInterfacePlan(attachment, {
    comes: [{ kind: "moveLink", mac, host, pod: { name: ifName } }],
    isReady: [{ kind: "link", place: "pod", link: ifName, mac, mtu, ...alias }],
  });
}

/** A pod with an interface of its own to the VPC. */
export type OwnInterface = PodNetwork & {
  /** The ENI. */
  readonly eni: AttachedEni;
  /** The pair that leads to the node. */
  readonly hostPeer?: HostPeer;
};

/**
 * Plans a pod with an interface of its own to the VPC, whatever that is.
 *
 * @param attachment What the pod gets.
 * @param card Steps by which its interface comes into the pod, and, once its
 * settings are made, is up.
 * @returns Steps in the pod and on the node.
 * @throws {NotSupportedError} When the vSwitch hasn't the family of an address.
 */
export function ownInterfacePlan(
  attachment: OwnInterface,
  card: { readonly comes: readonly Step[]; readonly isReady: readonly Step[] },
): Plan {
  const { hostPeer } = attachment;
  const ips = addressesOf(attachment);
  return {
    netns: attachment.netns,
    steps: [
      ...hostPeer === undefined ? [] : pairSteps(attachment, ips),
      ...card.comes,
      ...cardSteps(attachment, ips, card.isReady),
      ...hostPeer === undefined
        ? []
        : ips.flatMap((ip) => peerSteps({ attachment, hostPeer, ip })),
    ],
  };
}

/** The card, and all that the pod says to the VPC. */
function cardSteps(
  attachment: OwnInterface,
  ips: readonly Ip[],
  isReady: readonly Step[],
): readonly Step[] {
  const { eni, owner } = attachment;
  const link = owner.ifName;
  const ipv6 = ips.some((ip) => familyOf(ip) === 6);
  return [
    ...ipv6 ? [ipv6On("pod", "lo"), ipv6On("pod", link)] : [],
    ...ipv6 ? [ipv6Deaf("pod", link)] : [],
    ...isReady,
    ...limits(attachment),
    ...ips.flatMap((ip): readonly Step[] => [
      address(ip, attachment),
      ...podRoutes(
        { pod: { name: link, mac: eni.mac }, ip },
        attachment,
        gatewayOf(ip, attachment),
      ),
    ]),
  ];
}

/** What comes in by card and pair is limited together. */
function limits(attachment: OwnInterface): readonly Step[] {
  const { bandwidth, hostPeer, mtu, owner } = attachment;
  const pair = hostPeer === undefined ? [] : [HOST_PEER_LINK];
  const podLinks = [owner.ifName, ...pair];
  const ingress = { ifb: ifbOf(owner) };
  return bandwidthSteps({ bandwidth, mtu, podLinks, ingress });
}

/**
 * IPv4 shows the vSwitch's prefix. Its route to the vSwitch would fight with
 * that of another interface on the same one, so only the pod's first has it.
 * IPv6 hears of every neighbour by the gateway, as an instance does.
 */
function address(ip: Ip, attachment: OwnInterface): AddressStep {
  const { eni, owner, podTable } = attachment;
  const at = { kind: "address", place: "pod", link: owner.ifName } as const;
  if (familyOf(ip) === 6) return { ...at, cidr: hostCidr(ip) };
  const { length } = parseCidr(eni.subnet);
  const first = { ...at, cidr: `${ip}/${length}` };
  const broadcast = addressAt(eni.subnet, -1);
  return podTable === undefined
    ? { ...first, broadcast }
    : { ...first, broadcast, prefixRoute: false };
}

function gatewayOf(ip: Ip, { eni }: OwnInterface): Ip {
  const gateway = familyOf(ip) === 4 ? eni.gateway : eni.gateway6;
  if (gateway !== undefined) return gateway;
  throw new NotSupportedError(
    `IPv6 by ${eni.id}`,
    "its vSwitch has no IPv6 prefix; give it one, or set ip_stack to ipv4",
  );
}

/** The pair, ready for the families of the addresses. */
function pairSteps(
  attachment: OwnInterface,
  ips: readonly Ip[],
): readonly Step[] {
  const { mtu } = attachment;
  const { host, pod } = pairOf(attachment);
  const ipv6 = ips.some((ip) => familyOf(ip) === 6);
  return [
    {
      kind: "veth",
      host,
      pod,
      mtu,
      alias: linkAlias(attachment),
    },
    {
      kind: "conf",
      place: "host",
      link: host.name,
      forwarding: 1,
      rpFilter: 0,
    },
    // What another pod of this node says comes by the pair and is answered by
    // the card; the larger of both settings holds.
    noPathFilter("all"),
    { ...noPathFilter(pod.name), link: pod.name },
    ...ipv6 ? [ipv6On("host", host.name), ipv6On("pod", pod.name)] : [],
    ...ipv6 ? [ipv6Deaf("pod", pod.name), ...ipv6Forwarding()] : [],
  ];
}

function noPathFilter(link: string): SysctlStep {
  const key = `net/ipv4/conf/${link}/rp_filter`;
  return { kind: "sysctl", place: "pod", key, value: "0" };
}

/** The way between an address of the pod and its node. */
function peerSteps(
  { attachment, hostPeer, ip }: {
    readonly attachment: OwnInterface;
    readonly hostPeer: HostPeer;
    readonly ip: Ip;
  },
): readonly Step[] {
  const pair: Pair = { ...pairOf(attachment), ip };
  const gateway = nextHop(ip);
  const byPair = (destination: Cidr): RouteStep => ({
    kind: "route",
    place: "pod",
    link: pair.pod.name,
    destination,
    gateway,
    source: ip,
    table: TABLE_MAIN,
  });
  const nodeCidrs = hostPeer.nodeIps.map(hostCidr);
  return [
    nextHopNeighbour(pair),
    podNeighbour(pair),
    {
      kind: "route",
      place: "pod",
      link: pair.pod.name,
      destination: hostCidr(gateway),
      table: TABLE_MAIN,
    },
    ...ofFamily(hostPeer.serviceCidrs, ip).map(byPair),
    ...ofFamily(nodeCidrs, ip).map((cidr): RouteStep => ({
      ...byPair(cidr),
      onlink: false,
    })),
    ...ofFamily(attachment.hostStackCidrs, ip).map(byPair),
    hostRoute(pair, TABLE_MAIN),
  ];
}

function pairOf({ owner }: OwnInterface): Omit<Pair, "ip"> {
  const macs = vethMacs(owner);
  return {
    host: { name: hostLinkName(owner), mac: macs.host },
    pod: { name: HOST_PEER_LINK, mac: macs.pod },
  };
}
