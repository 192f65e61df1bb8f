/**
 * Shared ENI by IPvlan: the pod's interface lies on the card itself, so what
 * it says to the VPC passes neither a pair nor the node's routes.
 *
 * ```text
 *  pod                               node                                 VPC
 *  eth0, IPvlan L2 on ENI i, P/20 ── ENI i ────────────────────────────── G
 *   default via G                     │ what the card sends to a service
 *   N dev eth0, at the ENI's MAC      │ or to host_stack_cidrs is turned
 *                                     ▼ back (tc: u32, mirred)
 *                                    ipvl_i, IPvlan L2 on ENI i, N/32
 *                                     P/32 dev ipvl_i
 * ```
 *
 * Out: the pod's frames go from its slave to the card's queue and away; the
 * node's kernel looks at its filters there and at nothing else. In: the card
 * finds the slave by the packet's address. Slaves of one card share its MAC: a
 * frame to that MAC goes from slave to slave by address and never leaves, which
 * is how two pods of one card meet, and how the pod and the node do: the node
 * has a slave of its own, `ipvl_i`, with its address N, valid on this machine
 * alone, so that nothing takes it for a source.
 *
 * Services: kube-proxy's rules are the node's, and the pod's packets don't pass
 * them. So what a card sends to a service is turned back into the node, as if
 * it had come in by `ipvl_i`. It is translated there and goes on by the node's
 * own routes, with the pod's address for a source, which the VPC takes from the
 * pod's ENI only: the node must translate that, too, as kube-proxy does for
 * sources outside its `clusterCIDR`, or with `masqueradeAll`.
 *
 * By u32 and not by eBPF: see ARCHITECTURE.md.
 *
 * This module reads no kernel, no clock and no configuration.
 *
 * @module
 */
import { addressesOf, type IpvlanAttachment, type Mac } from "../attachment.ts";
import { bandwidthSteps, ifbOf } from "../bandwidth.ts";
import {
  addressAt,
  type Cidr,
  familyOf,
  hostCidr,
  type Ip,
  parseCidr,
} from "../ip.ts";
import { type Plan, type Step, TABLE_MAIN } from "../step.ts";
import { NotSupportedError } from "../unsupported.ts";
import { ipv6Deaf, ipv6On } from "./next_hop.ts";
import { podRoutes } from "./pod_routes.ts";
import type { EniLink } from "./veth.ts";

/** Where filters that turn packets back stand. Source: Terway's own recipe. */
export const TURN_BACK_PRIORITY = 40_000;

/** The MAC of every gateway of a VPC. Source: Terway's own recipe. */
export const GATEWAY_MAC: Mac = "ee:ff:ff:ff:ff:ff";

/** The node, as the plans need it. */
export interface IpvlanNode {
  /** The ENI as the node sees it now. */
  readonly link: EniLink;
  /** The node's addresses, one a family. */
  readonly nodeIps: readonly Ip[];
  /** Bytes in a packet of the node's own slave; as the card has it when absent. */
  readonly mtu?: number;
}

/**
 * Names the node's own slave on an ENI. Source: Terway's own recipe.
 *
 * @param ifIndex The ENI's index.
 * @returns `ipvl_` and the index.
 */
export function ownSlave(ifIndex: number): string {
  return `ipvl_${ifIndex}`;
}

/**
 * Plans what the pods of an ENI share: the node's own slave, and the filters
 * that turn packets to services back.
 *
 * @param node The ENI and the node.
 * @param pods What the node's own stack serves, and the vSwitch's gateway.
 * @returns Steps on the node alone.
 */
export function ipvlanEniPlan(
  { link, nodeIps, mtu }: IpvlanNode,
  { cidrs, gateway }: { readonly cidrs: readonly Cidr[]; readonly gateway: Ip },
): Plan {
  const slave = ownSlave(link.ifIndex);
  const card = { place: "host", link: link.name } as const;
  const own = { place: "host", link: slave } as const;
  const ipv6 = nodeIps.some((ip) => familyOf(ip) === 6);
  return {
    steps: [
      { kind: "link", ...card, mac: link.mac },
      // The card asks with the node's address, and the slave has that too: it
      // would get the answers, and pods on pairs would find no gateway.
      { kind: "neighbour", ...card, ip: gateway, mac: GATEWAY_MAC },
      {
        kind: "sublink",
        ...own,
        parent: link.name,
        type: { kind: "ipvlan" },
        mac: link.mac,
        ...mtu !== undefined && { mtu },
        arp: false,
      },
      { kind: "conf", ...own, forwarding: 1, rpFilter: 0 },
      ...ipv6 ? [ipv6On("host", slave), ipv6Deaf("host", slave)] : [],
      ...nodeIps.map((ip): Step => ({
        kind: "address",
        ...own,
        cidr: hostCidr(ip),
        // IPv6 knows no such scope; nor does it take it for a source, as the
        // node's own card has the same address.
        ...familyOf(ip) === 4 && { scope: "host" },
      })),
      ...cidrs.length === 0 ? [] : [{ kind: "clsact", ...card } as const],
      ...cidrs.map((to): Step => ({
        kind: "steer",
        ...card,
        priority: TURN_BACK_PRIORITY,
        match: { to },
        action: { kind: "intoNode", link: slave },
      })),
    ],
  };
}

/**
 * Gives the prefixes that an attachment wants turned back.
 *
 * @param attachment What the pod gets.
 * @returns Services first, each once.
 */
export function turnedBack(
  { serviceCidrs, hostStackCidrs = [] }: Pick<
    IpvlanAttachment,
    "serviceCidrs" | "hostStackCidrs"
  >,
): readonly Cidr[] {
  return [...new Set([...serviceCidrs, ...hostStackCidrs])];
}

/**
 * Plans a pod on an ENI that it shares by IPvlan.
 *
 * @param attachment What the pod gets.
 * @param node The ENI and the node.
 * @returns Steps in the pod and on the node.
 * @throws {NotSupportedError} When the vSwitch hasn't the family of an address.
 */
export function ipvlanPlan(
  attachment: IpvlanAttachment,
  { link, nodeIps }: Pick<IpvlanNode, "link" | "nodeIps">,
): Plan {
  const { bandwidth, eni, mtu, netns, owner } = attachment;
  const name = owner.ifName;
  const at = { place: "pod", link: name } as const;
  const ips = addressesOf(attachment);
  const ipv6 = ips.some((ip) => familyOf(ip) === 6);
  return {
    netns,
    steps: [
      // Found by its MAC: nothing is ever laid on a namesake.
      { kind: "link", place: "host", link: link.name, mac: eni.mac },
      {
        kind: "sublink",
        ...at,
        parent: link.name,
        type: { kind: "ipvlan" },
        mac: eni.mac,
        mtu,
      },
      ...bandwidthSteps({
        ...{ bandwidth, mtu, podLinks: [name] },
        ingress: { ifb: ifbOf(owner) },
      }),
      ...ipv6 ? [ipv6On("pod", "lo"), ipv6On("pod", name)] : [],
      ...ipv6 ? [ipv6Deaf("pod", name)] : [],
      ...ips.flatMap((ip) => [
        podAddress(ip, attachment),
        ...gatewaySteps(ip, attachment),
        ...nodeSteps(ip, { attachment, nodeIps, mac: eni.mac }),
        ...podRoutes(
          { pod: { name, mac: eni.mac }, ip },
          attachment,
          gatewayOf(ip, attachment),
        ),
      ]),
      ...ips.map((ip) => routeToPod(ip, { link, nodeIps })),
    ],
  };
}

/**
 * IPv4 has the vSwitch's prefix, so that pods of one card ask for one another
 * and meet on it. For IPv6 all go by the gateway, as on an instance.
 */
function podAddress(ip: Ip, attachment: IpvlanAttachment): Step {
  const { eni, owner, podTable, vlanId } = attachment;
  const at = { kind: "address", place: "pod", link: owner.ifName } as const;
  const isLone = familyOf(ip) === 6 || vlanId !== undefined;
  if (isLone) return { ...at, cidr: hostCidr(ip) };
  const { length } = parseCidr(eni.subnet);
  const address = {
    ...at,
    cidr: `${ip}/${length}`,
    broadcast: addressAt(eni.subnet, -1),
  };
  return podTable === undefined ? address : { ...address, prefixRoute: false };
}

/** A member's question for its gateway would bear no tag: it isn't asked. */
function gatewaySteps(
  ip: Ip,
  attachment: IpvlanAttachment,
): readonly Step[] {
  if (attachment.vlanId === undefined) return [];
  return [{
    kind: "neighbour",
    place: "pod",
    link: attachment.owner.ifName,
    ip: gatewayOf(ip, attachment),
    mac: GATEWAY_MAC,
  }];
}

/** The node is a neighbour whose MAC is the pod's own. */
function nodeSteps(
  ip: Ip,
  { attachment, nodeIps, mac }: {
    readonly attachment: IpvlanAttachment;
    readonly nodeIps: readonly Ip[];
    readonly mac: Mac;
  },
): readonly Step[] {
  const at = { place: "pod", link: attachment.owner.ifName } as const;
  return sameFamily(nodeIps, ip).flatMap((nodeIp): readonly Step[] => [
    { kind: "neighbour", ...at, ip: nodeIp, mac },
    {
      kind: "route",
      ...at,
      destination: hostCidr(nodeIp),
      table: TABLE_MAIN,
    },
  ]);
}

/** The source is said: the slave's own address is no source by itself. */
function routeToPod(
  ip: Ip,
  { link, nodeIps }: Pick<IpvlanNode, "link" | "nodeIps">,
): Step {
  const [source] = sameFamily(nodeIps, ip);
  return {
    kind: "route",
    place: "host",
    link: ownSlave(link.ifIndex),
    destination: hostCidr(ip),
    ...source !== undefined && { source },
    table: TABLE_MAIN,
  };
}

function sameFamily(ips: readonly Ip[], ip: Ip): readonly Ip[] {
  return ips.filter((one) => familyOf(one) === familyOf(ip));
}

function gatewayOf(ip: Ip, { eni }: IpvlanAttachment): Ip {
  const gateway = familyOf(ip) === 4 ? eni.gateway : eni.gateway6;
  if (gateway !== undefined) return gateway;
  throw new NotSupportedError(
    `IPv6 by ${eni.id}`,
    "its vSwitch has no IPv6 prefix; give it one, or set ip_stack to ipv4",
  );
}
