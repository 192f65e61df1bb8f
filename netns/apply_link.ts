/**
 * Links of a plan: pairs are made, cards are brought up or moved.
 *
 * @module
 */
import { forgiving, NetlinkError } from "./errno.ts";
import {
  deleteLink,
  type LinkChange,
  linkIndex,
  type LinkSeen,
  setLink,
} from "./link.ts";
import { addLink, addVeth, type LinkWish } from "./link_add.ts";
import { bringHome, findCard } from "./home.ts";
import { type Places, taken } from "./places.ts";
import type { RouteSocket } from "./socket.ts";
import type { LinkStep, MoveLinkStep, Place, VethStep } from "./step.ts";
import { NEWBORN, type SublinkStep } from "./sublink.ts";
import { added, type Work } from "./work.ts";

/**
 * Makes a pair, or accepts one that is there.
 *
 * @param step The pair.
 * @param work Where.
 */
export function makeVeth(step: VethStep, work: Work): void {
  const { places, undo } = work;
  const { host, podNamespace } = places;
  if (podNamespace === undefined) {
    throw new TypeError("Cannot make a veth as the plan names no namespace");
  }
  const { mtu } = step;
  const peer = { ...step.pod, mtu, namespace: podNamespace };
  const made = added(() =>
    addVeth(host, { ...step.host, mtu, up: true, peer })
  );
  if (made) {
    const hostEnd = madeEnd(host, { ...step.host, mtu, up: true });
    undo.defer(forgiving(() => deleteLink(host, hostEnd.ifIndex)));
    places.markMade("host", hostEnd);
    const podEnd = { ...step.pod, mtu, up: false };
    places.markMade("pod", madeEnd(places.socket("pod"), podEnd));
  } else {
    checkVeth(step, places);
  }
  const { alias } = step;
  const wanted = { up: true, mtu };
  const hostEnd = places.link("host", step.host.name);
  adjust(work, { place: "host", link: hostEnd, wanted, alias });
  const podEnd = places.link("pod", step.pod.name);
  adjust(work, { place: "pod", link: podEnd, wanted });
}

/** An end that was made just now is as it was asked for. */
function madeEnd(
  socket: RouteSocket,
  end: Omit<LinkSeen, "kind" | "ifIndex">,
): LinkSeen {
  return { ...end, kind: "veth", ifIndex: linkIndex(socket, end.name) };
}

/** One of the names is there: says whose, unless both ends are ours. */
function checkVeth(step: VethStep, places: Places): void {
  const host = places.namesake("host", step.host.name);
  const pod = places.namesake("pod", step.pod.name);
  if (host !== undefined && host.mac !== step.host.mac) throw taken(host);
  if (pod !== undefined && pod.mac !== step.pod.mac) throw taken(pod);
  if (host === undefined && pod !== undefined) throw taken(pod);
  // Ours, but its other end isn't where the plan has it: it may carry traffic
  // under another name, so it isn't replaced.
  if (host !== undefined && pod === undefined) throw taken(host);
}

/**
 * Brings a link up that is there.
 *
 * @param step The link.
 * @param work Where.
 */
export function makeLink(step: LinkStep, work: Work): void {
  const link = work.places.link(step.place, step.link);
  const { alias, place } = step;
  const wanted = { up: true, mtu: step.mtu ?? link.mtu };
  const named = alias !== undefined && { alias };
  adjust(work, { place, link, wanted, ...named });
}

/**
 * Makes a link on a card, or accepts one that is there.
 *
 * @param step The link.
 * @param work Where.
 */
export function makeSublink(step: SublinkStep, work: Work): void {
  const { places, undo } = work;
  const { place, link: name, type } = step;
  const socket = places.socket(place);
  const seen = places.namesake(place, name);
  if (seen !== undefined) {
    if (!isSublink(seen, step)) throw taken(seen);
    const wanted = { up: true, mtu: step.mtu ?? seen.mtu };
    adjust(work, { place, link: seen, wanted });
    // Setting a slave up makes it ask again: this comes after that.
    if (step.arp === false) setLink(socket, seen.ifIndex, { arp: false });
    return;
  }
  const { ifIndex: parent } = places.link("host", step.parent);
  const wish = {
    ...{ kind: type.kind, parent },
    ...step.mtu !== undefined && { mtu: step.mtu },
    ...type.kind === "vlan" && { vlanId: type.id },
  };
  if (place === "host") addLink(socket, { ...wish, name, up: true });
  else addInPod(places, wish, name);
  const { ifIndex } = places.link(place, name);
  undo.defer(forgiving(() => deleteLink(socket, ifIndex)));
  if (step.arp === false) setLink(socket, ifIndex, { arp: false });
}

/** Made by another name, as the node may have one of that name. */
function addInPod(
  places: Places,
  wish: Omit<LinkWish, "name">,
  name: string,
): void {
  const { host, podNamespace: namespace } = places;
  if (namespace === undefined) {
    throw new TypeError("Cannot make a link as the plan names no namespace");
  }
  const pod = places.socket("pod");
  const left = places.namesake("pod", NEWBORN);
  if (left !== undefined) deleteLink(pod, left.ifIndex);
  addLink(host, { ...wish, name: NEWBORN, namespace });
  const ifIndex = linkIndex(pod, NEWBORN);
  try {
    setLink(pod, ifIndex, { name, up: true });
  } catch (error) {
    forgiving(() => deleteLink(pod, ifIndex))();
    throw error;
  }
}

/**
 * Tells whether a link is the one that a step makes.
 *
 * @param seen A link of the step's name.
 * @param step The step.
 * @returns False for any other's, which isn't to be touched.
 */
export function isSublink(seen: LinkSeen, step: SublinkStep): boolean {
  const { type, mac } = step;
  if (seen.kind !== type.kind || seen.mac !== mac) return false;
  return type.kind !== "vlan" || seen.vlanId === type.id;
}

/** A link as it shall be. */
interface Adjustment {
  readonly place: Place;
  readonly link: LinkSeen;
  readonly wanted: { readonly up: boolean; readonly mtu: number };
  readonly alias?: string;
}

/** Brings a link up, with its MTU and alias, if it isn't so. */
function adjust({ places, undo }: Work, what: Adjustment): void {
  const { place, link, wanted, alias } = what;
  const change: LinkChange = {
    ...link.up !== wanted.up && { up: wanted.up },
    ...link.mtu !== wanted.mtu && { mtu: wanted.mtu },
    ...alias !== undefined && alias !== link.alias && { alias },
  };
  if (Object.keys(change).length === 0) return;
  const socket = places.socket(place);
  setLink(socket, link.ifIndex, change);
  const { up, mtu } = link;
  undo.defer(forgiving(() => setLink(socket, link.ifIndex, { up, mtu })));
}

/**
 * Moves a card into the pod, or accepts that it is there. The kernel sets a
 * link down before it moves, and its addresses and routes are gone.
 *
 * @param step The card.
 * @param work Where.
 */
export function makeMoveLink(step: MoveLinkStep, work: Work): void {
  const { places, undo } = work;
  const { host, podNamespace } = places;
  if (podNamespace === undefined) {
    throw new TypeError("Cannot move a link as the plan names no namespace");
  }
  const { name } = step.pod;
  const inPod = places.namesake("pod", name);
  if (inPod?.mac === step.mac) return;
  if (inPod !== undefined) throw taken(inPod);
  const link = findCard(host, step.host.name, step.mac);
  if (link === undefined) {
    throw new NetlinkError({
      op: `ip link show dev ${step.host.name}`,
      errno: "ENODEV",
      detail: `No link of MAC ${step.mac} is on the node`,
    });
  }
  const { mtu, up } = link;
  const was = { ...step, host: { name: link.name, mtu, up } };
  const pod = places.socket("pod");
  undo.defer(forgiving(() => bringHome(was, { pod, host })));
  setLink(host, link.ifIndex, { namespace: podNamespace, name });
}
