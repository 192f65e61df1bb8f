/**
 * Holds a plan against the kernel and names every object that is missing or
 * changed. It changes nothing. Only what the plan names is looked at: more
 * addresses, routes or rules than it has are no difference, except a rule that
 * comes first and leads elsewhere.
 *
 * @module
 */
import { findLinkByMac, type LinkSeen } from "./link.ts";
import { describeLink, Places } from "./places.ts";
import { describeRoute, RTN_UNREACHABLE } from "./route.ts";
import { isSublink } from "./apply_link.ts";
import { lookAtShape } from "./shape.ts";
import { Snapshot } from "./snapshot.ts";
import { lookAtSteering } from "./steering.ts";
import type { SublinkStep } from "./sublink.ts";
import type { RouteSocket } from "./socket.ts";
import {
  type AddressStep,
  command,
  type ConfStep,
  type Difference,
  type LinkStep,
  type MoveLinkStep,
  type NeighbourStep,
  type Place,
  type Plan,
  type RouteStep,
  type RuleStep,
  type Step,
  type SysctlStep,
  type UnreachableStep,
  type VethStep,
} from "./step.ts";
import { readSysctl } from "./sysctl.ts";

/** How an object isn't as planned. */
export type Finding = Pick<Difference, "problem" | "seen">;

/**
 * Compares a plan with the kernel.
 *
 * Effects: reads only; at most one dump of a kind a namespace.
 *
 * @param plan What the kernel shall hold.
 * @param host The node's socket.
 * @param node What the node holds, when somebody has looked already; it was
 * true then.
 * @returns A difference for each object that isn't as planned, in the plan's order; empty when all is well.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function comparePlan(
  plan: Plan,
  host: RouteSocket,
  node: Snapshot = new Snapshot(host),
): Difference[] {
  using places = new Places(plan, host, (name) => node.link(name));
  const view = new View(places, node);
  return plan.steps.flatMap((step) => {
    const finding = look(step, view);
    if (finding === undefined) return [];
    return [{ step, ...finding, object: command(step, plan.netns) }];
  });
}

/** Both places as snapshots. */
class View {
  readonly places: Places;
  readonly #node: Snapshot;
  #pod: Snapshot | undefined;

  constructor(places: Places, node: Snapshot) {
    this.places = places;
    this.#node = node;
  }

  at(place: Place): Snapshot {
    if (place === "host") return this.#node;
    return this.#pod ??= new Snapshot(this.places.socket("pod"));
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
    case "moveLink":
      return lookAtMoveLink(step, view);
    case "conf":
      return lookAtConf(step, view);
    case "sysctl":
      return lookAtSysctl(step, view);
    case "address":
      return lookAtAddress(step, view);
    case "neighbour":
      return lookAtNeighbour(step, view);
    case "route":
      return lookAtRoute(step, view);
    case "unreachable":
      return lookAtUnreachable(step, view);
    case "rule":
      return lookAtRule(step, view);
    case "sublink":
      return lookAtSublink(step, view);
    case "clsact":
    case "steer":
      return lookAtSteering(step, view.places);
    case "ifb":
    case "tbf":
    case "redirect":
      return lookAtShape(step, view.places);
  }
}

function lookAtVeth(step: VethStep, { places }: View): Finding | undefined {
  const host = anyOf(places, "host", step.host.name);
  if (host === undefined) return missing();
  if (host.mac !== step.host.mac) return changed(describeLink(host));
  if (!places.reaches("pod")) return missing(places.podProblem?.message);
  const pod = anyOf(places, "pod", step.pod.name);
  if (pod === undefined) return changed(`no ${step.pod.name} in the pod`);
  if (pod.mac !== step.pod.mac) return changed(describeLink(pod));
  return lookAtState(host, step.mtu) ?? lookAtState(pod, step.mtu);
}

function lookAtLink(step: LinkStep, { places }: View): Finding | undefined {
  const link = anyOf(places, step.place, step.link);
  if (link === undefined) return missing();
  if (link.mac !== step.mac) return changed(describeLink(link));
  if (step.alias !== undefined && link.alias !== step.alias) {
    return changed(`alias "${link.alias ?? ""}"`);
  }
  return lookAtState(link, step.mtu);
}

function lookAtSublink(
  step: SublinkStep,
  { places }: View,
): Finding | undefined {
  const link = places.namesake(step.place, step.link);
  if (link === undefined) return missing();
  if (!isSublink(link, step)) return changed(describeLink(link));
  const arp = link.arp ?? true;
  if (arp !== (step.arp ?? true)) return changed(`arp ${arp ? "on" : "off"}`);
  return lookAtState(link, step.mtu);
}

function lookAtMoveLink(
  step: MoveLinkStep,
  { places }: View,
): Finding | undefined {
  const inPod = places.reaches("pod")
    ? anyOf(places, "pod", step.pod.name)
    : undefined;
  if (inPod?.mac === step.mac) return undefined;
  if (inPod !== undefined) return changed(describeLink(inPod));
  const home = findLinkByMac(places.host, step.mac);
  if (home !== undefined) return changed(`${home.name} on the node`);
  return missing(places.podProblem?.message);
}

/** The plan's link, which is looked for once, or its namesake. */
function anyOf(
  places: Places,
  place: Place,
  name: string,
): LinkSeen | undefined {
  return places.find(place, name) ?? places.namesake(place, name);
}

function lookAtState(
  link: LinkSeen,
  mtu: number | undefined,
): Finding | undefined {
  if (!link.up) return changed(`${link.name} is down`);
  if (mtu === undefined || link.mtu === mtu) return undefined;
  return changed(`${link.name} has mtu ${link.mtu}`);
}

function lookAtConf(step: ConfStep, view: View): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const seen = link && view.at(step.place).conf(link.ifIndex);
  if (seen === undefined) return missing();
  const { forwarding, rpFilter } = seen;
  if (forwarding === step.forwarding && rpFilter === step.rpFilter) {
    return undefined;
  }
  return changed(`forwarding=${forwarding} rp_filter=${rpFilter}`);
}

function lookAtSysctl(
  step: SysctlStep,
  { places }: View,
): Finding | undefined {
  if (step.link && !places.find(step.place, step.link)) return missing();
  const { namespace } = places.socket(step.place);
  const seen = readSysctl(step.key, namespace);
  if (seen === undefined) return missing();
  return seen === step.value ? undefined : changed(`${step.key}=${seen}`);
}

function lookAtAddress(step: AddressStep, view: View): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const held = link !== undefined &&
    view.at(step.place).hasAddress(link.ifIndex, step.cidr);
  return held ? undefined : missing();
}

function lookAtNeighbour(
  step: NeighbourStep,
  view: View,
): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const seen = link && view.at(step.place).neighbour(link.ifIndex, step.ip);
  if (seen === undefined) return missing();
  if (seen.mac === step.mac && seen.permanent) return undefined;
  const permanent = seen.permanent ? "permanent" : "not permanent";
  return changed(`lladdr ${seen.mac}, ${permanent}`);
}

function lookAtRoute(step: RouteStep, view: View): Finding | undefined {
  const link = view.places.find(step.place, step.link);
  const { place, table, destination } = step;
  if (link !== undefined) {
    const { ifIndex } = link;
    const held = view.at(place).routes({ table, destination, ifIndex })
      .some(({ gateway, source }) =>
        gateway === step.gateway && source === step.source
      );
    if (held) return undefined;
  }
  const [other] = view.at(place).routes({ table, destination });
  return other === undefined
    ? missing()
    : changed(`ip route ${describeRoute(other)}`);
}

function lookAtUnreachable(
  step: UnreachableStep,
  view: View,
): Finding | undefined {
  const { place, table, destination } = step;
  const held = view.at(place)
    .routes({ table, destination, type: RTN_UNREACHABLE })
    .some(({ metric }) => metric === step.metric);
  return held ? undefined : missing();
}

/** Of rules that match the same packets at one priority the first decides. */
function lookAtRule(step: RuleStep, view: View): Finding | undefined {
  const first = view.at(step.place).rule(step);
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
