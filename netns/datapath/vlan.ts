/**
 * Member ENIs: one card, the trunk, carries the packets of many, each with a
 * VLAN tag of its own, by which the VPC knows whose they are. Two ways
 * (`vlan_strip_type`):
 *
 * ```text
 *  vlan     pod                                  node            VPC
 *           eth0, VLAN v of the trunk, P/20 ──── trunk ENI ═ v ═ G of the member
 *            default via G
 *           veth1 ────────────────────────────── caliXXX         (as exclusive)
 *
 *  filter   the pod shares the trunk as it would any ENI, by a pair or IPvlan;
 *           at the trunk, tc:  what is sent from P   → tag v is pushed
 *                              what comes with a tag → the tag is popped
 * ```
 *
 * A VLAN leaves its frames the trunk's MAC, and the VPC expects that. With
 * filters the pod's packets pass the trunk's own gateway: every gateway of a
 * VPC has the same MAC, and whose a packet is tells the tag. Tags come off what
 * is for such a pod before anything else looks at it, and off nothing else: on
 * one trunk there may be pods of both ways.
 *
 * This module reads no kernel, no clock and no configuration.
 *
 * @module
 */
import {
  addressesOf,
  type MaybeTagged,
  type PodNetwork,
  type VlanAttachment,
} from "../attachment.ts";
import { familyOf, hostCidr } from "../ip.ts";
import type { Plan, Step } from "../step.ts";
import { ownInterfacePlan } from "./exclusive.ts";
import type { EniLink } from "./veth.ts";

/** Where filters that take tags off stand. Source: Terway's own recipe. */
export const POP_PRIORITY = 20_000;

/** Where filters that add tags stand, by family. Source: Terway's own recipe. */
export const PUSH_PRIORITIES = { 4: 50_001, 6: 50_002 } as const;

/**
 * Plans a pod whose interface is a VLAN of the trunk.
 *
 * @param attachment What the pod gets.
 * @param trunk The trunk ENI as the node sees it now.
 * @returns Steps in the pod and on the node.
 * @throws {NotSupportedError} When the vSwitch hasn't the family of an address.
 */
export function vlanPlan(
  attachment: VlanAttachment,
  trunk: Pick<EniLink, "name">,
): Plan {
  const { eni: { mac }, mtu, owner: { ifName }, vlanId: id } = attachment;
  return ownInterfacePlan(attachment, {
    comes: [
      // Found by its MAC: nothing is ever laid on a namesake.
      { kind: "link", place: "host", link: trunk.name, mac },
      {
        kind: "sublink",
        place: "pod",
        link: ifName,
        parent: trunk.name,
        type: { kind: "vlan", id },
        mac,
        mtu,
      },
    ],
    isReady: [],
  });
}

/**
 * Plans the tags of a pod that shares its trunk as it would any ENI.
 *
 * @param attachment What the pod gets.
 * @param trunk The trunk ENI as the node sees it now.
 * @returns Steps on the node; none for a pod without a tag.
 */
export function tagSteps(
  attachment: PodNetwork & MaybeTagged,
  { name: link, mac }: Pick<EniLink, "name" | "mac">,
): readonly Step[] {
  const { vlanId: id } = attachment;
  if (id === undefined) return [];
  const at = { place: "host", link } as const;
  return [
    { kind: "link", ...at, mac },
    ...addressesOf(attachment).flatMap((ip): readonly Step[] => [
      {
        kind: "steer",
        ...at,
        priority: POP_PRIORITY,
        match: { taggedTo: hostCidr(ip) },
        action: { kind: "popVlan" },
      },
      {
        kind: "steer",
        ...at,
        priority: PUSH_PRIORITIES[familyOf(ip)],
        match: { from: hostCidr(ip) },
        action: { kind: "pushVlan", id },
      },
    ]),
  ];
}

/**
 * Plans what pods with tags share on their trunk.
 *
 * @param attachment What one of them gets.
 * @param trunk The trunk ENI as the node sees it now.
 * @returns Steps on the node; none for a pod without a tag.
 */
export function trunkSteps(
  { vlanId }: MaybeTagged,
  { name: link }: Pick<EniLink, "name">,
): readonly Step[] {
  if (vlanId === undefined) return [];
  return [{ kind: "clsact", place: "host", link }];
}
