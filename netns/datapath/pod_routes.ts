/**
 * A pod's own routes by one of its interfaces: the default route, the extra
 * ones, and for an interface beside the first a table that is looked up by
 * source, so that the interfaces' routes never fight.
 *
 * ```text
 *  pod with eth0 (A) and net1 (B, podTable 1001, extraRoutes D)
 *   512: from B       → 1001: default via 169.254.1.1 dev net1
 *   512: oif net1     → 1001
 *   main: D via 169.254.1.1 dev net1, default via 169.254.1.1 dev eth0
 * ```
 *
 * What D says to A is answered by net1 too, which the VPC may not take: a pod
 * that D calls is called by B.
 *
 * @module
 */
import type { PodNetwork } from "../attachment.ts";
import { type Cidr, familyOf, hostCidr, type Ip } from "../ip.ts";
import {
  type RouteStep,
  type RuleStep,
  type Step,
  TABLE_MAIN,
} from "../step.ts";
import { everything, nextHop, ofFamily, type Pair } from "./next_hop.ts";

/** The rules of an interface beside the first; before main (32766). */
export const RULE_INTERFACE_PRIORITY = 512;

/** What routes follow from. */
export type RouteWish = Pick<PodNetwork, "extraRoutes" | "podTable">;

/**
 * Plans the routes of one address of a pod.
 *
 * @param pair The interface, as the pod's end, and its address.
 * @param wish Extra routes and the table.
 * @param gateway The next hop, on the link.
 * @returns Steps in the pod.
 */
export function podRoutes(
  { pod, ip }: Pick<Pair, "pod" | "ip">,
  wish: RouteWish,
  gateway: Ip = nextHop(ip),
): readonly Step[] {
  const at = { place: "pod", link: pod.name } as const;
  const { podTable } = wish;
  const route = (destination: Cidr, table = TABLE_MAIN): RouteStep => ({
    kind: "route",
    ...at,
    destination,
    gateway,
    table,
  });
  return [
    route(everything(ip), podTable),
    ...ofFamily(wish.extraRoutes, ip).map((cidr) => route(cidr)),
    ...podTable === undefined ? [] : interfaceRules({
      ip,
      link: pod.name,
      table: podTable,
    }),
  ];
}

function interfaceRules(
  { ip, link, table }: {
    readonly ip: Ip;
    readonly link: string;
    readonly table: number;
  },
): readonly RuleStep[] {
  const rule = {
    kind: "rule",
    place: "pod",
    priority: RULE_INTERFACE_PRIORITY,
    table,
  } as const;
  return [
    { ...rule, from: hostCidr(ip) },
    { ...rule, oif: link, family: familyOf(ip) },
  ];
}
