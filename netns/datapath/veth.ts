/**
 * Shared ENI by policy routing: a veth pair, and rules that send what a pod
 * says out of the ENI that its address belongs to.
 *
 * ```text
 *  pod                         node                                   VPC
 *  eth0 P/32 ──────────────── caliXXXXXXXXXXX
 *   default via 169.254.1.1    │  512: to P   → main:  P/32 dev cali…
 *   169.254.1.1 is the host    │ 2048: from P → 1000+i: default via G ── ENI i ── G
 *   end's MAC, permanently     │
 * ```
 *
 * Out: the pod's default route leads to 169.254.1.1, an address that nobody
 * has, whose neighbour entry is the host end's MAC. On the node rule 2048
 * sends it to the ENI's own table, so it leaves by the card that the VPC
 * expects this source on; nothing is translated or wrapped. In, and between
 * pods of the node: rule 512 comes first and leads to the pod's host route.
 *
 * This module reads no kernel, no clock and no configuration.
 *
 * @module
 */
import {
  type Attachment,
  hostLinkName,
  linkAlias,
  type Mac,
  vethMacs,
} from "../attachment.ts";
import { familyOf, hostCidr, type Ip } from "../ip.ts";
import { type Plan, TABLE_MAIN } from "../step.ts";

/** Packets to a pod, before those from one. Source: Terway's own recipe. */
export const RULE_TO_POD_PRIORITY = 512;

/** Packets from a pod; after 512, before main (32766). Source: ip-rule(8). */
export const RULE_FROM_POD_PRIORITY = 2048;

/** An ENI's table is this plus its ifindex. Source: Terway's own recipe. */
export const ENI_TABLE_BASE = 1000;

/** Each pod's next hop: link-local, so it can be no one's address (RFC 3927). */
export const POD_GATEWAY: Ip = "169.254.1.1";

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
  /** Bytes in a packet. */
  readonly mtu: number;
}

/**
 * Plans an ENI that pods share: up, forwarding, its own table.
 *
 * The node's address on it gives its ARP a source that the VPC knows. Reverse
 * path filtering is off: a pod's packet comes back by another card than the
 * main table would choose.
 *
 * @param wish The ENI and the node.
 * @returns Steps on the node alone.
 */
export function eniPlan(wish: EniWish): Plan {
  const { name, ifIndex, mac } = wish.link;
  return {
    steps: [
      { kind: "link", place: "host", link: name, mac, mtu: wish.mtu },
      { kind: "conf", place: "host", link: name, forwarding: 1, rpFilter: 0 },
      {
        kind: "address",
        place: "host",
        link: name,
        cidr: hostCidr(wish.nodeIp),
      },
      {
        kind: "route",
        place: "host",
        link: name,
        destination: everything(wish.gateway),
        gateway: wish.gateway,
        table: ENI_TABLE_BASE + ifIndex,
      },
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
  attachment: Attachment,
  eni: Pick<EniLink, "ifIndex">,
): Plan {
  const name = hostLinkName(attachment.owner);
  const macs = vethMacs(attachment.owner);
  const link = attachment.owner.ifName;
  const self = hostCidr(attachment.ip);
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
      { kind: "address", place: "pod", link, cidr: self },
      {
        kind: "neighbour",
        place: "pod",
        link,
        ip: POD_GATEWAY,
        mac: macs.host,
      },
      {
        kind: "route",
        place: "pod",
        link,
        destination: everything(attachment.ip),
        gateway: POD_GATEWAY,
        table: TABLE_MAIN,
      },
      {
        kind: "route",
        place: "host",
        link: name,
        destination: self,
        table: TABLE_MAIN,
      },
      {
        kind: "rule",
        place: "host",
        priority: RULE_TO_POD_PRIORITY,
        to: self,
        table: TABLE_MAIN,
      },
      {
        kind: "rule",
        place: "host",
        priority: RULE_FROM_POD_PRIORITY,
        from: self,
        table: ENI_TABLE_BASE + eni.ifIndex,
      },
    ],
  };
}

function everything(ip: Ip): string {
  return familyOf(ip) === 4 ? "0.0.0.0/0" : "::/0";
}
