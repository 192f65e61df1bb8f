/**
 * Makes a plan true. What is there as planned is accepted, so that a retried
 * ADD and a repair are the same call; what is there otherwise is put right
 * where it lies on a link of the plan, and is somebody else's where it
 * doesn't. When a step fails, what this call did is undone, last thing first.
 *
 * Nothing here reads a dump of the node unless the kernel says that an object
 * is there already: the cost of an ADD doesn't grow with the node's pods.
 *
 * @module
 */
import { addAddress, deleteAddress } from "./address.ts";
import { getInetConf, setInetConf } from "./conf.ts";
import { forgiving, isThere, NetlinkError } from "./errno.ts";
import { deleteLink, type LinkChange, type LinkSeen, setLink } from "./link.ts";
import { addVeth } from "./link_add.ts";
import {
  addNeighbour,
  deleteNeighbour,
  listNeighbours,
  replaceNeighbour,
} from "./neighbour.ts";
import { Places, taken, TakenError } from "./places.ts";
import {
  addRoute,
  deleteRoute,
  describeRoute,
  listRoutes,
  replaceRoute,
  type Route,
  routeOf,
  type RouteSeen,
  RTPROT_BOOT,
} from "./route.ts";
import { addRule, deleteRule } from "./rule.ts";
import { makeShape } from "./shape.ts";
import type { RouteSocket } from "./socket.ts";
import {
  type AddressStep,
  command,
  type ConfStep,
  type LinkStep,
  type NeighbourStep,
  type Place,
  type Plan,
  type RouteStep,
  type RuleStep,
  type Step,
  type VethStep,
} from "./step.ts";

/** Where the work is done, and what undoes it, last thing first. */
export interface Work {
  /** Where. */
  readonly places: Places;
  /** Undoes it. */
  readonly undo: DisposableStack;
}

/**
 * Makes a plan true, or leaves everything as it was.
 *
 * Effects: one netlink message and at most one look-up an object; 1 ms for a
 * pod. Safe to repeat: yes. A rule of the same priority and prefix that leads
 * to another table isn't looked for (that would be a dump): `comparePlan`
 * names it.
 *
 * @param plan What the kernel shall hold.
 * @param host The node's socket.
 * @throws {NamespaceError} When the pod's namespace can't be used.
 * @throws {TakenError} When an object's place is taken by somebody else's.
 * @throws {NetlinkError} What the kernel refused a step with; `op` is the step's command.
 */
export function applyPlan(plan: Plan, host: RouteSocket): void {
  using places = new Places(plan, host);
  if (places.podProblem !== undefined) throw places.podProblem;
  using undo = new DisposableStack();
  for (const step of plan.steps) {
    try {
      make(step, { places, undo });
    } catch (error) {
      throw undone(undo, explain(error, command(step, plan.netns)));
    }
  }
  undo.move(); // nothing failed: keep what was made
}

function make(step: Step, work: Work): void {
  switch (step.kind) {
    case "veth":
      return makeVeth(step, work);
    case "link":
      return makeLink(step, work);
    case "conf":
      return makeConf(step, work);
    case "address":
      return makeAddress(step, work);
    case "neighbour":
      return makeNeighbour(step, work);
    case "route":
      return makeRoute(step, work);
    case "rule":
      return makeRule(step, work);
    case "ifb":
    case "tbf":
    case "redirect":
      return makeShape(step, work);
  }
}

function makeVeth(step: VethStep, work: Work): void {
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
  if (!made) checkVeth(step, places);
  const hostEnd = places.link("host", step.host.name);
  if (made) {
    undo.defer(forgiving(() => deleteLink(host, hostEnd.ifIndex)));
    places.markMade(hostEnd);
  }
  const { alias } = step;
  const wanted = { up: true, mtu };
  adjust(work, { place: "host", link: hostEnd, wanted, alias });
  const podEnd = places.link("pod", step.pod.name);
  adjust(work, { place: "pod", link: podEnd, wanted });
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

function makeLink(step: LinkStep, work: Work): void {
  const link = work.places.link(step.place, step.link);
  const wanted = { up: true, mtu: step.mtu ?? link.mtu };
  adjust(work, { place: step.place, link, wanted });
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

function makeConf(step: ConfStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const link = places.link(step.place, step.link);
  const { ifIndex } = link;
  const { forwarding, rpFilter } = step;
  const made = places.wasMade(step.place, link);
  const seen = made ? undefined : getInetConf(socket, ifIndex);
  if (seen?.forwarding === forwarding && seen.rpFilter === rpFilter) return;
  setInetConf(socket, ifIndex, { forwarding, rpFilter });
  if (seen === undefined) return;
  const old = { forwarding: seen.forwarding, rpFilter: seen.rpFilter };
  undo.defer(forgiving(() => setInetConf(socket, ifIndex, old)));
}

function makeAddress(step: AddressStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const { ifIndex } = places.link(step.place, step.link);
  const address = { ifIndex, cidr: step.cidr };
  if (!added(() => addAddress(socket, address))) return;
  undo.defer(forgiving(() => deleteAddress(socket, address)));
}

function makeNeighbour(step: NeighbourStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const { ifIndex } = places.link(step.place, step.link);
  const { ip, mac } = step;
  const wanted = { ifIndex, ip, mac };
  const remove = forgiving(() => deleteNeighbour(socket, wanted));
  if (added(() => addNeighbour(socket, wanted))) return undo.defer(remove);
  const seen = listNeighbours(socket).find((entry) =>
    entry.ifIndex === ifIndex && entry.ip === ip
  );
  if (seen?.permanent && seen.mac === mac) return;
  replaceNeighbour(socket, wanted);
  // A learnt entry needn't come back: it will be learnt again.
  if (!seen?.permanent) return undo.defer(remove);
  undo.defer(forgiving(() => replaceNeighbour(socket, seen)));
}

function makeRoute(step: RouteStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const { ifIndex } = places.link(step.place, step.link);
  const wanted = routeOf(step, ifIndex);
  if (added(() => addRoute(socket, wanted))) {
    undo.defer(forgiving(() => deleteRoute(socket, wanted)));
    return;
  }
  const { destination, table, gateway } = step;
  const seen = listRoutes(socket, table).filter((route) =>
    route.destination === destination
  );
  if (seen.some((r) => r.ifIndex === ifIndex && r.gateway === gateway)) return;
  const old = seen[0];
  if (old !== undefined && !isCorrectable(old, ifIndex)) {
    throw new TakenError(
      `route ${destination} of table ${table}`,
      describeRoute(old),
    );
  }
  replaceRoute(socket, wanted);
  if (old === undefined) return;
  undo.defer(forgiving(() => replaceRoute(socket, seenRoute(old))));
}

function makeRule(step: RuleStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  if (!added(() => addRule(socket, step))) return;
  undo.defer(forgiving(() => deleteRule(socket, step)));
}

/**
 * A route on the plan's own link that was made by `ip route` or by us is put
 * right; one that leads elsewhere, or that DHCP or the administrator's network
 * manager made, is not ours to overwrite.
 */
function isCorrectable(route: RouteSeen, ifIndex: number): boolean {
  return route.ifIndex === ifIndex && route.protocol === RTPROT_BOOT;
}

function seenRoute(route: RouteSeen): Route {
  const { ifIndex, destination, gateway, table, metric } = route;
  return {
    ifIndex,
    destination,
    table,
    metric,
    ...gateway !== undefined && { gateway, onlink: true },
  };
}

/** Runs an addition: false when the object is there already. */
function added(add: () => void): boolean {
  try {
    add();
    return true;
  } catch (error) {
    if (isThere(error)) return false;
    throw error;
  }
}

/** Names the step's command in a kernel's refusal. */
function explain(error: unknown, op: string): unknown {
  if (!(error instanceof NetlinkError)) return error;
  const { errno, detail } = error;
  return new NetlinkError(
    { op, errno, ...detail !== undefined && { detail } },
    {
      cause: error,
    },
  );
}

/** Undoes, and gives the error to throw: both, when undoing fails too. */
function undone(undo: DisposableStack, error: unknown): unknown {
  try {
    undo.dispose();
    return error;
  } catch (failure) {
    return new SuppressedError(
      failure,
      error,
      `Cannot undo a plan: ${failure}; it failed before: ${error}`,
    );
  }
}
