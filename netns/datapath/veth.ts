/**
 * Shared ENI by policy routing: a veth pair, and rules that send what a pod
 * says out of the ENI that its address belongs to.
 *
 * ```text
 *  pod                         node                                   VPC
 *  eth0 P/32 ──────────────── caliXXXXXXXXXXX
 *   default via 169.254.1.1    │  512: to P   → main:  P/32 dev cali…
 *   169.254.1.1 is the host    │ 1024: from P to D → main (host_stack_cidrs)
 *   end's MAC, permanently     │ 2048: from P → 1000+i: default via G ── ENI i ── G
 *   (IPv6: P/128, fe80::1)     │
 * ```
 *
 * Out: the pod's default route leads to 169.254.1.1, an address that nobody
 * has, whose neighbour entry is the host end's MAC. On the node rule 2048
 * sends it to the ENI's own table, so it leaves by the card that the VPC
 * expects this source on; nothing is translated or wrapped. In, and between
 * pods of the node: rule 512 comes first and leads to the pod's host route.
 * Both families do the same, side by side.
 *
 * An interface beside the pod's first keeps its routes in a table of its own,
 * looked up by source: `podTable` of the attachment.
 *
 * This module reads no kernel, no clock and no configuration.
 *
 * @module
 */
import { linkAlias } from "../alias.ts";
import {
  addressesOf,
  hostLinkName,
  type Mac,
  type VethAttachment,
  vethMacs,
} from "../attachment.ts";
import { bandwidthSteps } from "../bandwidth.ts";
import { familyOf, hostCidr, type Ip } from "../ip.ts";
import { type Plan, type RuleStep, type Step, TABLE_MAIN } from "../step.ts";
import {
  everything,
  hostRoute,
  ipv6Deaf,
  ipv6Forwarding,
  ipv6On,
  nextHopNeighbour,
  ofFamily,
  type Pair,
  podNeighbour,
} from "./next_hop.ts";
import { podRoutes } from "./pod_routes.ts";

export { POD_GATEWAY } from "./next_hop.ts";

/** Packets to a pod, before those from one. Source: Terway's own recipe. */
export const RULE_TO_POD_PRIORITY = 512;

/** Packets that the node's own stack serves; between the other two. */
export const RULE_HOST_STACK_PRIORITY = 1024;

/** Packets from a pod; after 512, before main (32766). Source: ip-rule(8). */
export const RULE_FROM_POD_PRIORITY = 2048;

/** An ENI's table is this plus its ifindex. Source: Terway's own recipe. */
export const ENI_TABLE_BASE = 1000;

/** An ENI as the node sees it. */
export interface EniLink {
  /** The link's name. */
  readonly name: string;
  /** The link's index, from which its table follows. */
  readonly ifIndex: number;
  /** Its MAC. */
  readonly mac: Mac;
}

/** What a node must hold for an ENI before any pod uses it. */
export interface EniWish {
  /** The ENI as the node sees it. */
  readonly link: EniLink;
  /** The node's primary address; the ENI gets it as a /32 for its ARP. */
  readonly nodeIp: Ip;
  /** The gateway of the ENI's vSwitch. */
  readonly gateway: Ip;
  /** The vSwitch's IPv6 gateway, when pods have IPv6. */
  readonly gateway6?: Ip;
  /** Bytes in a packet; as the card came when absent. */
  readonly mtu?: number;
  /** The node's own card, if it owes its IPv6 routes to advertisements. */
  readonly uplink?: string;
}

/**
 * Plans an ENI that pods share: up, forwarding, its own table.
 *
 * The node's address on it gives its ARP a source that the VPC knows. Reverse
 * path filtering is off: a pod's packet comes back by another card than the
 * main table would choose. For IPv6 the card asks for neighbours by its
 * link-local address, which is used at once: who has which address is the
 * VPC's to know, so looking for duplicates would only cost a second.
 *
 * @param wish The ENI and the node.
 * @returns Steps on the node alone.
 */
export function eniPlan(wish: EniWish): Plan {
  const { gateway, gateway6, mtu, nodeIp, uplink } = wish;
  const { name, ifIndex, mac } = wish.link;
  const at = { place: "host", link: name } as const;
  const defaultRoute = (gateway: Ip): Step => ({
    kind: "route",
    ...at,
    destination: everything(gateway),
    gateway,
    table: ENI_TABLE_BASE + ifIndex,
  });
  const card: Step = {
    kind: "link",
    ...at,
    mac,
    ...mtu !== undefined && { mtu },
  };
  const steps: readonly Step[] = [
    card,
    { kind: "conf", ...at, forwarding: 1, rpFilter: 0 },
    { kind: "address", ...at, cidr: hostCidr(nodeIp) },
    defaultRoute(gateway),
  ];
  if (gateway6 === undefined) return { steps };
  const dad = `net/ipv6/conf/${name}/accept_dad`;
  return {
    steps: [
      ipv6On("host", name),
      ipv6Deaf("host", name),
      { kind: "sysctl", ...at, key: dad, value: "0" },
      ...steps,
      ...ipv6Forwarding(uplink),
      defaultRoute(gateway6),
    ],
  };
}

/**
 * Plans a pod on a shared ENI.
 *
 * The rules come last: until they are there no packet of the pod leaves, and
 * when the plan is walked back they go first.
 *
 * @param attachment What the pod gets.
 * @param eni The ENI as the node sees it now.
 * @returns Steps in the pod and on the node.
 */
export function podPlan(
  attachment: VethAttachment,
  eni: Pick<EniLink, "ifIndex">,
): Plan {
  const name = hostLinkName(attachment.owner);
  const macs = vethMacs(attachment.owner);
  const link = attachment.owner.ifName;
  const pairs = addressesOf(attachment).map((ip): Pair => ({
    host: { name, mac: macs.host },
    pod: { name: link, mac: macs.pod },
    ip,
  }));
  return {
    netns: attachment.netns,
    steps: [
      {
        kind: "veth",
        host: { name, mac: macs.host },
        pod: { name: link, mac: macs.pod },
        mtu: attachment.mtu,
        alias: linkAlias(attachment),
      },
      { kind: "conf", place: "host", link: name, forwarding: 1, rpFilter: 0 },
      ...bandwidthSteps({
        bandwidth: attachment.bandwidth,
        mtu: attachment.mtu,
        podLinks: [link],
        ingress: { hostLink: name },
      }),
      ...ipv6Steps(pairs),
      ...pairs.flatMap((pair) => insidePod(pair, attachment)),
      ...pairs.map((pair) => hostRoute(pair, TABLE_MAIN)),
      ...pairs.flatMap((pair) => rules(pair, { attachment, eni })),
    ],
  };
}

/** `lo` too: a runtime may have made the sandbox without IPv6. */
function ipv6Steps(pairs: readonly Pair[]): readonly Step[] {
  const pair = pairs.find(({ ip }) => familyOf(ip) === 6);
  if (pair === undefined) return [];
  return [
    ipv6On("host", pair.host.name),
    ipv6On("pod", "lo"),
    ipv6On("pod", pair.pod.name),
    ipv6Deaf("pod", pair.pod.name),
    podNeighbour(pair),
  ];
}

function insidePod(pair: Pair, attachment: VethAttachment): readonly Step[] {
  const { pod, ip } = pair;
  return [
    { kind: "address", place: "pod", link: pod.name, cidr: hostCidr(ip) },
    nextHopNeighbour(pair),
    ...podRoutes(pair, attachment),
  ];
}

function rules(
  { ip }: Pair,
  { attachment, eni }: {
    readonly attachment: VethAttachment;
    readonly eni: Pick<EniLink, "ifIndex">;
  },
): readonly RuleStep[] {
  const self = hostCidr(ip);
  const rule = { kind: "rule", place: "host" } as const;
  return [
    {
      ...rule,
      priority: RULE_TO_POD_PRIORITY,
      to: self,
      table: TABLE_MAIN,
    },
    ...ofFamily(attachment.hostStackCidrs, ip).map((to): RuleStep => ({
      ...rule,
      priority: RULE_HOST_STACK_PRIORITY,
      from: self,
      to,
      table: TABLE_MAIN,
    })),
    {
      ...rule,
      priority: RULE_FROM_POD_PRIORITY,
      from: self,
      table: ENI_TABLE_BASE + eni.ifIndex,
    },
  ];
}
