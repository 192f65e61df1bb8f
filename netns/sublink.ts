/**
 * Links that lie on a card and take its packets: IPvlan slaves and VLANs, as
 * steps of a plan. Nothing here reads a kernel.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import type { Place } from "./step.ts";

/** What a link on a card is. */
export type SublinkType =
  /** IPvlan in mode L2: the card's MAC, told apart by address. */
  | { readonly kind: "ipvlan" }
  /** A VLAN of the card: the card's MAC, told apart by a tag. */
  | { readonly kind: "vlan"; readonly id: number };

/**
 * A link on a card of the node, made where it shall be, up. It goes with the
 * card, as with the namespace that it is in.
 */
export interface SublinkStep {
  /** Discriminates. */
  readonly kind: "sublink";
  /** Where. */
  readonly place: Place;
  /** Its name. */
  readonly link: string;
  /** The card's name on the node. */
  readonly parent: string;
  /** What it is. */
  readonly type: SublinkType;
  /** The card's MAC, which it has too. */
  readonly mac: Mac;
  /** Bytes in a packet; as the card has it when absent. */
  readonly mtu?: number;
  /** False: it neither asks nor answers. */
  readonly arp?: false;
}

/**
 * What a link is called until it is in its pod: the kernel refuses a name that
 * the node has, though the link isn't made there.
 */
export const NEWBORN = "terway-new";

/**
 * Writes the step as the command that does the same.
 *
 * @example The node's own slave
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const step = {
 *   kind: "sublink", place: "host", link: "ipvl_5", parent: "eth1",
 *   type: { kind: "ipvlan" }, mac: "00:16:3e:00:00:01", mtu: 1500,
 * } as const;
 * assertEquals(
 *   sublinkCommand(step, "POD"),
 *   "ip link add link eth1 name ipvl_5 up mtu 1500 type ipvlan mode l2",
 * );
 * ```
 * @param step The step.
 * @param netns The pod's namespace.
 * @returns A line for a shell.
 */
export function sublinkCommand(step: SublinkStep, netns: string): string {
  const { place, link, parent, type, arp = true } = step;
  const mtu = step.mtu === undefined ? "" : ` mtu ${step.mtu}`;
  const kind = type.kind === "ipvlan" ? "ipvlan mode l2" : `vlan id ${type.id}`;
  const add = `ip link add link ${parent} name`;
  if (place === "host") {
    // Setting a slave up makes it ask, whatever was said before.
    const quiet = arp ? "" : ` && ip link set ${link} arp off`;
    return `${add} ${link} up${mtu} type ${kind}${quiet}`;
  }
  return `${add} ${NEWBORN} netns ${netns}${mtu} type ${kind} && ` +
    `nsenter --net=${netns} ip link set ${NEWBORN} name ${link} up`;
}
