/**
 * Walks a plan back: what it made goes, last thing first. What is gone
 * already, also the whole pod, is forgiven; what isn't as planned isn't ours
 * and stays.
 *
 * @module
 */
import { deleteAddress } from "./address.ts";
import type { Mac } from "./attachment.ts";
import { isGone } from "./errno.ts";
import { bringHomeAside } from "./home.ts";
import { deleteLinkAside } from "./link.ts";
import { deleteNeighbour } from "./neighbour.ts";
import { Places } from "./places.ts";
import { deleteRoute, deleteUnreachable, routeOf } from "./route.ts";
import { deleteRule } from "./rule.ts";
import { isSublink } from "./apply_link.ts";
import { unmakeShape } from "./shape.ts";
import type { RouteSocket } from "./socket.ts";
import { unmakeSteering } from "./steering.ts";
import type { MoveLinkStep, Plan, Step, VethStep } from "./step.ts";
import type { SublinkStep } from "./sublink.ts";

/** A removal: rules and routes are gone, a link may still be dying. */
export interface Removal {
  /** The name of the link on the node that is being deleted, if any. */
  readonly link: string | undefined;
  /** The MACs of the cards that are on their way home. */
  readonly cards: readonly Mac[];
  /** The keys of the links on cards that are being deleted: see {@linkcode sublinkKey}. */
  readonly sublinks: readonly string[];
  /** Resolves when the link is gone and the cards are home; rejects when the kernel refused. */
  readonly done: Promise<void>;
}

/**
 * Removes what a plan made.
 *
 * When this returns, no packet finds the pod any more: rules and routes are
 * gone. Deleting a veth pair takes the kernel 16 to 25 ms more, and bringing a
 * card home from the pod as much, on other threads; both take along all that
 * lies on the link. A card that is neither in the pod nor on the node is left
 * to be found when it appears. A `link` step stays as it is, up, and so do the
 * `conf` and `sysctl` steps on it: what they were before isn't known.
 *
 * Effects: one netlink message an object. Safe to repeat: yes.
 *
 * @param plan What was applied.
 * @param host The node's socket; it may be closed before `done` resolves, its namespace not.
 * @returns The rest of the work.
 * @throws {NetlinkError} What the kernel refused other than with "gone".
 */
export function removePlan(plan: Plan, host: RouteSocket): Removal {
  using places = new Places(plan, host);
  const veths = plan.steps.filter((step) => step.kind === "veth");
  const moves = plan.steps.filter((step) => step.kind === "moveLink");
  const sublinks = plan.steps.filter((step) => step.kind === "sublink");
  for (const step of plan.steps.toReversed()) {
    if (veths.some((veth) => diesWith(veth, step))) continue;
    if (moves.some((move) => leavesWith(move, step))) continue;
    if (sublinks.some((sublink) => diesOn(sublink, step))) continue;
    if ("place" in step && !places.reaches(step.place)) continue;
    try {
      unmake(step, places);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  const dying = veths.map((veth) => places.find("host", veth.host.name))
    .filter((link) => link !== undefined);
  const pod = places.reaches("pod") && moves.length > 0
    ? places.socket("pod")
    : undefined;
  const ends = [
    ...moves.map((move) => bringHomeAside(move, { pod, host })),
    ...dying.map((link) => destroy(host, link.ifIndex)),
  ];
  for (const step of plan.steps) {
    if (step.kind !== "ifb" && step.kind !== "sublink") continue;
    if (!places.reaches(step.place)) continue;
    const link = places.find(step.place, step.link);
    if (link === undefined) continue;
    if (step.kind === "sublink" && !isSublink(link, step)) continue;
    ends.push(destroy(places.socket(step.place), link.ifIndex));
  }
  return {
    link: dying[0]?.name,
    cards: moves.map(({ mac }) => mac),
    sublinks: sublinks.map((step) => sublinkKey(step, plan)),
    done: allOf(ends),
  };
}

function unmake(step: Step, places: Places): void {
  switch (step.kind) {
    case "veth":
    case "link":
    case "moveLink":
    case "conf":
    case "sysctl":
    case "ifb":
    case "sublink":
      return;
    case "clsact":
    case "steer":
      return unmakeSteering(step, places);
    case "tbf":
    case "redirect":
      return unmakeShape(step, places);
    case "unreachable":
      return deleteUnreachable(places.socket(step.place), step);
    case "rule":
      return deleteRule(places.socket(step.place), step);
    case "route":
    case "address":
    case "neighbour":
      return unmakeOnLink(step, places);
  }
}

function unmakeOnLink(
  step: Extract<Step, { kind: "route" | "address" | "neighbour" }>,
  places: Places,
): void {
  const socket = places.socket(step.place);
  // A namesake of the plan's link is not ours, nor is what lies on it.
  const link = places.find(step.place, step.link);
  if (link === undefined) return;
  const { ifIndex } = link;
  switch (step.kind) {
    case "route":
      return deleteRoute(socket, routeOf(step, ifIndex));
    case "address":
      return deleteAddress(socket, { ifIndex, cidr: step.cidr });
    case "neighbour":
      return deleteNeighbour(socket, { ifIndex, ip: step.ip });
  }
}

/**
 * Tells what needs no message of its own. The node's routes to the pod do:
 * traffic shall end before the link does.
 */
function diesWith(veth: VethStep, step: Step): boolean {
  if (!("link" in step)) return false;
  if (step.place === "pod") return step.link === veth.pod.name;
  return step.link === veth.host.name && step.kind !== "route";
}

/** The node's routes by it go first: traffic shall end before the link does. */
function diesOn(sublink: SublinkStep, step: Step): boolean {
  if (!("link" in step) || step.kind === "sublink") return false;
  if (step.place !== sublink.place || step.link !== sublink.link) return false;
  return step.place === "pod" || step.kind !== "route";
}

/**
 * Names a link on a card, for who waits until it is gone.
 *
 * @param step The link.
 * @param plan The plan that it is of.
 * @returns One text a namespace and name.
 */
export function sublinkKey(step: SublinkStep, plan: Plan): string {
  return step.place === "host" ? step.link : `${plan.netns} ${step.link}`;
}

/** On a card that leaves the pod nothing of the pod's stays. */
function leavesWith({ pod }: MoveLinkStep, step: Step): boolean {
  return "link" in step && step.place === "pod" && step.link === pod.name;
}

/** Waits for all, also when one fails. */
async function allOf(ends: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(ends)) {
    if (end.status === "rejected") throw end.reason;
  }
}

async function destroy(host: RouteSocket, ifIndex: number): Promise<void> {
  try {
    await deleteLinkAside(host, ifIndex);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
