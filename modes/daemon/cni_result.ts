/**
 * A pod's network as CNI's result, read off the plan that made it, so that a
 * result can't say what isn't there, whatever the datapath.
 *
 * Source: CNI spec, section 5 "Result Types", of 0.3.0 to 1.1.0 (read
 * 2026-11-21).
 *
 * @module
 */
import { type Cidr, familyOf, type Ip } from "../../netns/ip.ts";
import {
  type AddressStep,
  type Plan,
  type RouteStep,
  TABLE_MAIN,
} from "../../netns/step.ts";
import type { Previous } from "./previous.ts";
import { CNI_VERSIONS, type CniVersion } from "./versions.ts";

/** A link of the node, or with a sandbox one of the pod. */
export interface ResultInterface {
  readonly name: string;
  readonly mac?: string;
  /** Since 1.1.0. */
  readonly mtu?: number;
  readonly sandbox?: string;
}

/** An address of the pod. */
export interface ResultIp {
  /** "4" or "6"; until 0.4.0. */
  readonly version?: string;
  readonly address: Cidr;
  readonly gateway?: Ip;
  /** An index into the interfaces. */
  readonly interface?: number;
}

/** A route in the pod. */
export interface ResultRoute {
  readonly dst: Cidr;
  readonly gw?: Ip;
  /** The routing table; since 1.1.0. */
  readonly table?: number;
  /** Where the destination is: 0 anywhere, 253 on the link; since 1.1.0. */
  readonly scope?: number;
}

/** What an ADD answers. */
export interface CniResult {
  readonly cniVersion: CniVersion;
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: Readonly<Record<string, unknown>>;
}

/** Source: linux/rtnetlink.h, RT_SCOPE_UNIVERSE and RT_SCOPE_LINK. */
const SCOPE = { universe: 0, link: 253 } as const;

/**
 * Reads the result off a pod's plan.
 *
 * @param plan What was applied.
 * @param version The version that was asked for.
 * @returns The result: links of the node first, then those of the pod.
 */
export function resultOf(plan: Plan, version: CniVersion): CniResult {
  const interfaces = interfacesOf(plan);
  const places = interfaces.map(({ name, sandbox }) =>
    sandbox === undefined ? "" : name
  );
  const routes = plan.steps.filter((step): step is RouteStep =>
    step.kind === "route" && step.place === "pod"
  );
  const ips = plan.steps.filter((step): step is AddressStep =>
    step.kind === "address" && step.place === "pod" &&
    places.includes(step.link)
  ).map((step) => ipOf(step, { routes, places }));
  return inVersion({
    cniVersion: version,
    interfaces,
    ips,
    routes: routes.map(routeOf),
    dns: {},
  });
}

/**
 * Puts a result behind that of earlier plugins in the list: what they said
 * stays, and indices keep their meaning.
 *
 * @param previous What the earlier plugins said.
 * @param own Our result.
 * @returns Both as one.
 */
export function behind(previous: Previous, own: CniResult): CniResult {
  const isOwn = ({ name, sandbox }: ResultInterface): boolean =>
    own.interfaces.some((one) => one.name === name && one.sandbox === sandbox);
  // A retried ADD may bring our own result: it is said once.
  const kept = previous.interfaces.filter((one) => !isOwn(one));
  const ips = previous.ips.flatMap(({ interface: at, ...ip }) => {
    if (at === undefined) return [ip];
    const one = previous.interfaces[at];
    const index = one === undefined ? -1 : kept.indexOf(one);
    return index < 0 ? [] : [{ ...ip, interface: index }];
  });
  const isNew = ({ dst, gw, table = TABLE_MAIN }: ResultRoute): boolean =>
    !previous.routes.some((route) =>
      route.dst === dst && route.gw === gw &&
      (route.table ?? TABLE_MAIN) === table
    );
  return {
    ...own,
    interfaces: [...kept, ...own.interfaces],
    ips: [
      ...ips,
      ...own.ips.map(({ interface: at = 0, ...ip }) => ({
        ...ip,
        interface: kept.length + at,
      })),
    ],
    routes: [...previous.routes, ...own.routes.filter(isNew)],
    dns: { ...previous.dns, ...own.dns },
  };
}

function interfacesOf({ steps, netns }: Plan): readonly ResultInterface[] {
  const sandbox = netns === undefined ? {} : { sandbox: netns };
  const ofNode: ResultInterface[] = [];
  const ofPod: ResultInterface[] = [];
  for (const step of steps) {
    if (step.kind === "veth") {
      ofNode.push({ ...step.host, mtu: step.mtu });
      ofPod.push({ ...step.pod, mtu: step.mtu, ...sandbox });
    }
    if (step.kind === "sublink" && step.place === "pod") {
      const { link: name, mac, mtu } = step;
      ofPod.push({ name, mac, ...mtu !== undefined && { mtu }, ...sandbox });
    }
    if (step.kind === "moveLink") {
      const { mac, pod: { name } } = step;
      const up = steps.find((one) =>
        one.kind === "link" && one.place === "pod" && one.link === name
      );
      const mtu = up?.kind === "link" && up.mtu !== undefined
        ? { mtu: up.mtu }
        : {};
      ofPod.unshift({ name, mac, ...mtu, ...sandbox });
    }
  }
  return [...ofNode, ...ofPod];
}

function ipOf(
  { cidr, link }: AddressStep,
  { routes, places }: {
    readonly routes: readonly RouteStep[];
    readonly places: readonly string[];
  },
): ResultIp {
  const family = familyOf(cidr);
  const gateway = routes.find((route) =>
    route.link === link && route.gateway !== undefined &&
    familyOf(route.destination) === family && route.destination.endsWith("/0")
  )?.gateway;
  return {
    version: String(family),
    address: cidr,
    ...(gateway === undefined ? {} : { gateway }),
    interface: places.indexOf(link),
  };
}

function routeOf({ destination, gateway, table }: RouteStep): ResultRoute {
  return {
    dst: destination,
    ...(gateway === undefined ? {} : { gw: gateway }),
    table,
    scope: gateway === undefined ? SCOPE.link : SCOPE.universe,
  };
}

/** Leaves out what a version doesn't know. */
function inVersion(result: CniResult): CniResult {
  const { cniVersion, interfaces, ips, routes } = result;
  const since = (version: CniVersion): boolean =>
    CNI_VERSIONS.indexOf(cniVersion) >= CNI_VERSIONS.indexOf(version);
  return {
    ...result,
    interfaces: since("1.1.0")
      ? interfaces
      : interfaces.map(({ mtu: _, ...one }) => one),
    ips: since("1.0.0") ? ips.map(({ version: _, ...ip }) => ip) : ips,
    routes: since("1.1.0")
      ? routes
      : routes.filter(({ table }) => table === TABLE_MAIN)
        .map(({ table: _, scope: __, ...route }) => route),
  };
}
