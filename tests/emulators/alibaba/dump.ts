/**
 * A cloud's records as plain data in a stable order, to print and to compare.
 *
 * @module
 */
import { compareIp, type Ip } from "../../../netns/ip.ts";
import { apart } from "./actions_ipv6.ts";
import type { EniRecord, Model } from "./model.ts";

/** Everything that a cloud holds, sorted by id. */
export interface CloudDump {
  /** Cards, primary ones included. */
  readonly enis: readonly EniDump[];
  /** Instances. */
  readonly instances: readonly InstanceDump[];
  /** vSwitches. */
  readonly vSwitches: readonly VSwitchDump[];
  /** Custom routes; absent when there are none. */
  readonly routes?: readonly RouteDump[];
}

/** A card. */
export interface EniDump {
  /** `eni-…` */
  readonly id: string;
  /** `00:16:3e:…` */
  readonly mac: string;
  /** Primary, Secondary or Trunk. */
  readonly type: string;
  /** Its state. */
  readonly state: string;
  /** Where it is attached; empty for nowhere. */
  readonly instanceId: string;
  /** Its vSwitch. */
  readonly vSwitchId: string;
  /** The address that lives and dies with it. */
  readonly primaryIp: Ip;
  /** All IPv4 addresses, sorted. */
  readonly ips: readonly Ip[];
  /** All prefixes of both families, sorted; absent when there are none. */
  readonly prefixes?: readonly string[];
  /** All IPv6 addresses, sorted; absent when there are none. */
  readonly ips6?: readonly Ip[];
  /** Its groups, sorted. */
  readonly securityGroupIds: readonly string[];
  /** Its tags, sorted by key. */
  readonly tags: Readonly<Record<string, string>>;
}

/** An instance. */
export interface InstanceDump {
  /** `i-…` */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: string;
  /** Its zone. */
  readonly zone: string;
  /** The address of its primary card. */
  readonly primaryIp: Ip;
  /** Its cards, sorted. */
  readonly eniIds: readonly string[];
}

/** A vSwitch. */
export interface VSwitchDump {
  /** `vsw-…` */
  readonly id: string;
  /** Its zone. */
  readonly zone: string;
  /** Its prefix. */
  readonly cidr: string;
  /** Its IPv6 prefix; absent without IPv6. */
  readonly cidr6?: string;
  /** How many addresses are left. */
  readonly availableIpCount: number;
}

/** A custom route. */
export interface RouteDump {
  /** `rte-…` */
  readonly id: string;
  /** Its table. */
  readonly routeTableId: string;
  /** Where to. */
  readonly cidr: string;
  /** By which instance. */
  readonly nextHopId: string;
  /** Its state. */
  readonly state: string;
}

/**
 * Shows a cloud's records.
 *
 * @param model The cloud.
 * @returns Plain data.
 */
export function dump(model: Model): CloudDump {
  const enis = [...model.enis.values()].sort(byId);
  return {
    enis: enis.map((eni) => ({
      ...sixOf(eni),
      id: eni.id,
      mac: eni.mac,
      type: eni.type,
      state: eni.state,
      instanceId: eni.instanceId ?? "",
      vSwitchId: eni.vSwitchId,
      primaryIp: eni.primaryIp,
      ips: eni.ips.toSorted(compareIp),
      securityGroupIds: eni.securityGroupIds.toSorted(),
      tags: Object.fromEntries(Object.entries(eni.tags).sort()),
    })),
    instances: [...model.instances.values()].sort(byId).map((instance) => ({
      id: instance.id,
      name: instance.name,
      type: instance.type,
      zone: instance.zone,
      primaryIp: model.enis.get(instance.primaryEniId)?.primaryIp ?? "",
      eniIds: enis.filter(({ instanceId }) => instanceId === instance.id)
        .map(({ id }) => id),
    })),
    vSwitches: [...model.vSwitches.values()].sort(byId).map((vSwitch) => ({
      id: vSwitch.id,
      zone: vSwitch.zone,
      cidr: vSwitch.cidr,
      ...(vSwitch.book6 === undefined ? {} : { cidr6: vSwitch.book6.cidr }),
      availableIpCount: vSwitch.book.availableCount,
    })),
    ...(model.routes.size === 0 ? {} : { routes: dumpRoutes(model) }),
  };
}

function dumpRoutes(model: Model): readonly RouteDump[] {
  return [...model.routes.values()].sort(byId).map((route) => ({
    id: route.id,
    routeTableId: route.routeTableId,
    cidr: route.cidr,
    nextHopId: route.nextHopId,
    state: route.state,
  }));
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Prefixes of both families, and IPv6 addresses. */
function sixOf(eni: EniRecord): Pick<EniDump, "prefixes" | "ips6"> {
  const [ips6, prefixes6] = apart(eni.ips6);
  const prefixes = [...eni.prefixes, ...prefixes6].sort();
  return {
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(ips6.length === 0 ? {} : { ips6: ips6.toSorted(compareIp) }),
  };
}
