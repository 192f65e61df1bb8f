/**
 * VPC routes: a pod has an address of its node's pod CIDR, and a route entry
 * of the VPC leads that CIDR to the node.
 *
 * ```text
 *  pod                             node                         VPC
 *  eth0 172.30.0.4/24 ─────────── caliXXXXXXXXXXX
 *   default via 169.254.1.1        main: 172.30.0.4/32 dev cali…
 *   169.254.1.1 is the host              unreachable 172.30.0.0/24
 *   end's MAC, permanently               default ── eth0 ────── 172.30.0.0/24
 *                                  512: to 172.30.0.0/24 → main   via the node
 * ```
 *
 * Out: the pod's default route leads to the node, and the node's own leads on
 * by its primary card, where the VPC takes the whole CIDR as source. In: the
 * route entry leads to that card, and the host route to the pod.
 *
 * The pod shows the CIDR's prefix, but no route follows from it: its
 * neighbours are reached by the node like everybody else.
 *
 * The rule is for policy-routed pods on the same node. Without it a packet of
 * theirs to a pod of the CIDR leaves by their ENI (their own rule comes before
 * main), the VPC leads it back to the node, and so on. An address that no pod
 * has would loop in the same way by the default route: it is unreachable.
 *
 * The VPC's route entries are of IPv4 alone. This module reads no kernel, no
 * clock and no configuration.
 *
 * @module
 */
import { linkAlias } from "../alias.ts";
import {
  addressesOf,
  hostLinkName,
  vethMacs,
  type VpcAttachment,
} from "../attachment.ts";
import { bandwidthSteps } from "../bandwidth.ts";
import { addressAt, type Cidr, familyOf, type Ip, parseCidr } from "../ip.ts";
import { type AddressStep, type Plan, TABLE_MAIN } from "../step.ts";
import { NotSupportedError } from "../unsupported.ts";
import { hostRoute, nextHopNeighbour, type Pair } from "./next_hop.ts";
import { podRoutes } from "./pod_routes.ts";
import { RULE_TO_POD_PRIORITY } from "./veth.ts";

/** After any route to the CIDR that somebody else may have made. */
export const UNREACHABLE_METRIC = 65_535;

/**
 * Plans what a node with a pod CIDR holds before any pod has an address of it.
 *
 * @param podCidr The node's pod CIDR.
 * @returns Steps on the node alone.
 * @throws {NotSupportedError} When the CIDR is of IPv6.
 */
export function vpcNodePlan(podCidr: Cidr): Plan {
  requireIpv4(podCidr);
  return {
    steps: [
      {
        kind: "unreachable",
        place: "host",
        destination: podCidr,
        table: TABLE_MAIN,
        metric: UNREACHABLE_METRIC,
      },
      {
        kind: "rule",
        place: "host",
        priority: RULE_TO_POD_PRIORITY,
        to: podCidr,
        table: TABLE_MAIN,
      },
    ],
  };
}

/**
 * Plans a pod with an address of the node's pod CIDR.
 *
 * @param attachment What the pod gets.
 * @returns Steps in the pod and on the node.
 * @throws {NotSupportedError} When an address is of IPv6.
 */
export function vpcPlan(attachment: VpcAttachment): Plan {
  const { owner, mtu, netns, podCidr } = attachment;
  const ips = addressesOf(attachment);
  ips.forEach(requireIpv4);
  const macs = vethMacs(owner);
  const host = { name: hostLinkName(owner), mac: macs.host };
  const pod = { name: owner.ifName, mac: macs.pod };
  const pairs = ips.map((ip): Pair => ({ host, pod, ip }));
  return {
    netns,
    steps: [
      { kind: "veth", host, pod, mtu, alias: linkAlias(attachment) },
      {
        kind: "conf",
        place: "host",
        link: host.name,
        forwarding: 1,
        rpFilter: 0,
      },
      ...bandwidthSteps({
        bandwidth: attachment.bandwidth,
        mtu,
        podLinks: [pod.name],
        ingress: { hostLink: host.name },
      }),
      ...pairs.flatMap((pair) => [
        address(pair, podCidr),
        nextHopNeighbour(pair),
        ...podRoutes(pair, attachment),
        hostRoute(pair, TABLE_MAIN),
      ]),
    ],
  };
}

function address({ pod, ip }: Pair, podCidr: Cidr): AddressStep {
  const { length } = parseCidr(podCidr);
  return {
    kind: "address",
    place: "pod",
    link: pod.name,
    cidr: `${ip}/${length}`,
    broadcast: addressAt(podCidr, -1),
    prefixRoute: false,
  };
}

function requireIpv4(what: Ip | Cidr): void {
  if (familyOf(what) === 4) return;
  throw new NotSupportedError(
    `IPv6 by VPC routes (${what})`,
    "route entries of a VPC are of IPv4; use pods on ENIs for IPv6",
  );
}
