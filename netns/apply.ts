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
import { makeLink, makeMoveLink, makeSublink, makeVeth } from "./apply_link.ts";
import { getInetConf, setInetConf } from "./conf.ts";
import { forgiving, NetlinkError } from "./errno.ts";
import {
  addNeighbour,
  deleteNeighbour,
  replaceNeighbour,
} from "./neighbour.ts";
import { Places, TakenError } from "./places.ts";
import {
  addRoute,
  addUnreachable,
  deleteRoute,
  deleteUnreachable,
  describeRoute,
  listRoutes,
  replaceRoute,
  type Route,
  routeOf,
  type RouteSeen,
  RTN_UNREACHABLE,
  RTPROT_BOOT,
} from "./route.ts";
import { addRule, deleteRule } from "./rule.ts";
import { findNeighbour } from "./search_link.ts";
import { makeShape } from "./shape.ts";
import { makeSteering } from "./steering.ts";
import type { RouteSocket } from "./socket.ts";
import {
  type AddressStep,
  command,
  type ConfStep,
  type NeighbourStep,
  type Plan,
  type RouteStep,
  type RuleStep,
  type Step,
  type SysctlStep,
  type UnreachableStep,
} from "./step.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";
import { added, type SettingChange, type Work } from "./work.ts";

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
 * @returns The node's own settings that weren't as planned, and are now.
 * @throws {NamespaceError} When the pod's namespace can't be used.
 * @throws {TakenError} When an object's place is taken by somebody else's.
 * @throws {NetlinkError} What the kernel refused a step with; `op` is the step's command.
 */
export function applyPlan(plan: Plan, host: RouteSocket): SettingChange[] {
  using places = new Places(plan, host);
  if (places.podProblem !== undefined) throw places.podProblem;
  using undo = new DisposableStack();
  const changes: SettingChange[] = [];
  for (const step of plan.steps) {
    try {
      make(step, { places, undo, changes });
    } catch (error) {
      throw undone(undo, explain(error, command(step, plan.netns)));
    }
  }
  undo.move(); // nothing failed: keep what was made
  return changes;
}

function make(step: Step, work: Work): void {
  switch (step.kind) {
    case "veth":
      return makeVeth(step, work);
    case "link":
      return makeLink(step, work);
    case "moveLink":
      return makeMoveLink(step, work);
    case "conf":
      return makeConf(step, work);
    case "sysctl":
      return makeSysctl(step, work);
    case "address":
      return makeAddress(step, work);
    case "neighbour":
      return makeNeighbour(step, work);
    case "route":
      return makeRoute(step, work);
    case "unreachable":
      return makeUnreachable(step, work);
    case "rule":
      return makeRule(step, work);
    case "sublink":
      return makeSublink(step, work);
    case "clsact":
    case "steer":
      return makeSteering(step, work);
    case "ifb":
    case "tbf":
    case "redirect":
      return makeShape(step, work);
  }
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

function makeSysctl(step: SysctlStep, work: Work): void {
  const { places, undo, changes } = work;
  const { key, value } = step;
  const { namespace } = places.socket(step.place);
  // A namesake's settings aren't ours to change.
  if (step.link !== undefined) places.link(step.place, step.link);
  const old = readSysctl(key, namespace);
  if (old === value) return;
  writeSysctl({ key, value }, namespace);
  if (step.keep) changes.push({ key, was: old ?? "", now: value });
  if (old === undefined || step.keep) return;
  undo.defer(forgiving(() => writeSysctl({ key, value: old }, namespace)));
}

function makeAddress(step: AddressStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const { ifIndex } = places.link(step.place, step.link);
  const address = { ...step, ifIndex };
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
  const seen = findNeighbour(socket, ifIndex, ip);
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
  if (
    seen.some((route) =>
      route.ifIndex === ifIndex && route.gateway === gateway &&
      route.source === step.source
    )
  ) return;
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

function makeUnreachable(step: UnreachableStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  if (added(() => addUnreachable(socket, step))) {
    undo.defer(forgiving(() => deleteUnreachable(socket, step)));
    return;
  }
  const { destination, table, metric } = step;
  const seen = listRoutes(socket, table).find((route) =>
    route.destination === destination && route.metric === metric
  );
  if (seen === undefined || seen.type === RTN_UNREACHABLE) return;
  throw new TakenError(
    `route ${destination} of table ${table}`,
    describeRoute(seen),
  );
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
  const { ifIndex, destination, gateway, table, metric, source } = route;
  return {
    ifIndex,
    destination,
    table,
    metric,
    ...source !== undefined && { source },
    ...gateway !== undefined && { gateway, onlink: true },
  };
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
