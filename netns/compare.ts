/**
 * Holds a plan against the kernel and names every object that is missing or
 * changed. It changes nothing. Only what the plan names is looked at: more
 * addresses, routes or rules than it has are no difference, except a rule that
 * comes first and leads elsewhere.
 *
 * @module
 */
import { type AddressSeen, listAddresses } from "./address.ts";
import { getInetConf } from "./conf.ts";
import type { LinkSeen } from "./link.ts";
import { listNeighbours, type NeighbourSeen } from "./neighbour.ts";
import { describeLink, Places } from "./places.ts";
import { describeRoute, listRoutes, type RouteSeen } from "./route.ts";
import { listRules, type RuleSeen } from "./rule.ts";
import { lookAtShape } from "./shape.ts";
import type { RouteSocket } from "./socket.ts";
import {
  type AddressStep,
  command,
  type ConfStep,
  type Difference,
  type LinkStep,
  type NeighbourStep,
  type Place,
  type Plan,
  type RouteStep,
  type RuleStep,
  type Step,
  type VethStep,
} from "./step.ts";

/** How an object isn't as planned. */
export type Finding = Pick<Difference, "problem" | "seen">;

/**
 * Compares a plan with the kernel.
 *
 * Effects: reads only; at most one dump of a kind a namespace.
 *
 * @param plan What the kernel shall hold.
 * @param host The node's socket.
 * @returns A difference for each object that isn't as planned, in the plan's order; empty when all is well.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function comparePlan(plan: Plan, host: RouteSocket): Difference[] {
  using places = new Places(plan, host);
  const view = new View(places);
  return plan.steps.flatMap((step) => {
    const finding = look(step, view);
    if (finding === undefined) return [];
    return [{ step, ...finding, object: command(step, plan.netns) }];
  });
}

/** Both places as dumps, each taken once and only when asked for. */
class View {
  readonly places: Places;
  readonly #dumps = new Map<string, readonly unknown[]>();

  constructor(places: Places) {
    this.places = places;
  }

  addresses(place: Place): readonly AddressSeen[] {
    return this.#once(`${place} addresses`, place, listAddresses);
  }

  neighbours(place: Place): readonly NeighbourSeen[] {
    return this.#once(`${place} neighbours`, place, listNeighbours);
  }

  routes(place: Place): readonly RouteSeen[] {
    return this.#once(`${place} routes`, place, listRoutes);
  }

  rules(place: Place): readonly RuleSeen[] {
    return this.#once(`${place} rules`, place, listRules);
  }

  #once<T>(
    key: string,
    place: Place,
    list: (socket: RouteSocket) => readonly T[],
  ): readonly T[] {
    const before = this.#dumps.get(key);
    // The key tells the list, and the list tells the type.
    if (before !== undefined) return before as readonly T[];
    const seen = list(this.places.socket(place));
    this.#dumps.set(key, seen);
    return seen;
  }
}

function look(step: Step, view: View): Finding | undefined {
  const { podProblem } = view.places;
  if ("place" in step && !view.places.reaches(step.place)) {
    return missing(podProblem?.message);
  }
  switch (step.kind) {
    case "veth":
      return lookAtVeth(step, view);
    case "link":
      return lookAtLink(step, view);
    case "conf":
      return lookAtConf(step, view);
    case "address":
      return lookAtAddress(step, view);
    case "neighbour":
      return lookAtNeighbour(step, view);
    case "route":
      return lookAtRoute(step, view);
    case "rule":
      return lookAtRule(step, view);
    case "ifb":
    case "tbf":
    case "redirect":
      return lookAtShape(step, view.places);
  }
}

function lookAtVeth(step: VethStep, { places }: View): Finding | undefined {
  const host = places.namesake("host", step.host.name);
  if (host === undefined) return missing();
  if (host.mac !== step.host.mac) return changed(describeLink(host));
  if (!places.reaches("pod")) return missing(places.podProblem?.message);
  const pod = places.namesake("pod", step.pod.name);
  if (pod === undefined) return changed(`no ${step.pod.name} in the pod`);
  if (pod.mac !== step.pod.mac) return changed(describeLink(pod));
  return lookAtState(host, step.mtu) ?? lookAtState(pod, step.mtu);
}

function lookAtLink(step: LinkStep, { places }: View): Finding | undefined {
  const link = places.namesake(step.place, step.link);
  if (link === undefined) return missing();
  if (link.mac !== step.mac) return changed(describeLink(link));
  return lookAtState(link, step.mtu);
}

function lookAtState(
  link: LinkSeen,
  mtu: number | undefined,
): Finding | undefined {
  if (!link.up) return changed(`${link.name} is down`);
  if (mtu === undefined || link.mtu === mtu) return undefined;
  return changed(`${link.name} has mtu ${link.mtu}`);
}

function lookAtConf(step: ConfStep, { places }: View): Finding | undefined {
  const link = places.find(step.place, step.link);
  const seen = link && getInetConf(places.socket(step.place), link.ifIndex);
  if (seen === undefined) return missing();
  const { forwarding, rpFilter } = seen;
  if (forwarding === step.forwarding && rpFilter === step.rpFilter) {
    return undefined;
  }
  return changed(`forwarding=${forwarding} rp_filter=${rpFilter}`);
}

function lookAtAddress(step: AddressStep, view: View): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const held = view.addresses(step.place).some(({ ifIndex, cidr }) =>
    ifIndex === link?.ifIndex && cidr === step.cidr
  );
  return held ? undefined : missing();
}

function lookAtNeighbour(
  step: NeighbourStep,
  view: View,
): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const seen = view.neighbours(step.place).find(({ ifIndex, ip }) =>
    ifIndex === link?.ifIndex && ip === step.ip
  );
  if (seen === undefined) return missing();
  if (seen.mac === step.mac && seen.permanent) return undefined;
  const permanent = seen.permanent ? "permanent" : "not permanent";
  return changed(`lladdr ${seen.mac}, ${permanent}`);
}

function lookAtRoute(step: RouteStep, view: View): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const seen = view.routes(step.place).filter((route) =>
    route.table === step.table && route.destination === step.destination
  );
  const held = seen.some(({ ifIndex, gateway }) =>
    ifIndex === link?.ifIndex && gateway === step.gateway
  );
  if (held) return undefined;
  const [other] = seen;
  return other === undefined
    ? missing()
    : changed(`ip route ${describeRoute(other)}`);
}

/** Of rules that match the same packets at one priority the first decides. */
function lookAtRule(step: RuleStep, view: View): Finding | undefined {
  const [first] = view.rules(step.place).filter((rule) =>
    rule.priority === step.priority && rule.from === step.from &&
    rule.to === step.to
  );
  if (first === undefined) return missing();
  if (first.table === step.table) return undefined;
  return changed(`lookup ${first.table}`);
}

function missing(seen?: string): Finding {
  return { problem: "missing", ...seen !== undefined && { seen } };
}

function changed(seen: string): Finding {
  return { problem: "changed", seen };
}
