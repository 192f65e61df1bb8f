/**
 * Several interfaces of one pod, as its annotation `k8s.aliyun.com/pod-networks`
 * lists them. One ADD makes all of them.
 *
 * ```json
 * {"podNetworks": [
 *   {"interface": "eth0", "defaultRoute": true},
 *   {"interface": "net1", "extraRoutes": [{"dst": "192.168.0.0/16"}]}]}
 * ```
 *
 * The form is Go Terway's, in which a controller may choose vSwitches and
 * security groups for each. A node's own pool has those of eni_conf, so they
 * are refused here and not passed over: a pod must not land in another network
 * than it says. Source: reference §1.1 and §1.8, "pod-networks".
 *
 * @module
 */
import { z } from "zod";
import { HOST_PEER_LINK } from "../../netns/datapath/exclusive.ts";
import type { Cidr } from "../../netns/ip.ts";
import { destination } from "./eni_conf_values.ts";
import { valueAt } from "./overlay.ts";

/** The annotation. */
export const POD_NETWORKS = "k8s.aliyun.com/pod-networks";

/** Names networks that only a controller knows. */
const REQUEST = "k8s.aliyun.com/pod-networks-request";

/** Set when a controller gives the pod its ENIs. */
const BY_CONTROLLER = "k8s.aliyun.com/pod-eni";

/** What runtimes call a pod's first interface. */
export const FIRST_LINK = "eth0";

/** More are no use: the largest instances have some 40 cards for all pods. */
const MOST_INTERFACES = 8;

/** One of a pod's interfaces. */
export interface InterfaceAsk {
  /** Its name. */
  readonly ifName: string;
  /** Whether the pod's default route leads by it. */
  readonly isDefault: boolean;
  /** Prefixes that lead by it. */
  readonly extraRoutes: readonly Cidr[];
}

/** What was decoded, and what is wrong with it. */
export interface DecodedNetworks {
  /** The interfaces, eth0 first; absent for a pod with that alone. */
  readonly interfaces?: readonly [InterfaceAsk, ...InterfaceAsk[]];
  /** Every problem: its path, the rule, the value. */
  readonly problems: readonly string[];
}

const NOT_HERE = "must be absent: interfaces of this node's pool have the " +
  "vSwitches, security groups and cards of eni_conf";

/** Go writes what isn't set as empty. */
const notHere = z.unknown().refine(isEmpty, NOT_HERE).optional();

const one = z.strictObject({
  // IFNAMSIZ - 1, and what dev_valid_name() refuses.
  interface: z.string().regex(
    /^[^/:\s]{1,15}$/,
    "must be a link name: 1 to 15 bytes without / : and white space",
  ).refine(
    (name) => ![".", "..", "lo", HOST_PEER_LINK].includes(name),
    `must not be ".", "..", "lo" or "${HOST_PEER_LINK}"`,
  ),
  defaultRoute: z.boolean({ error: "must be true or false" }).optional(),
  extraRoutes: z.array(z.strictObject({ dst: destination })).max(100)
    .nullish().transform((list) => (list ?? []).map(({ dst }) => dst)),
  vSwitchOptions: notHere,
  vSwitchSelectOptions: notHere,
  securityGroupIDs: notHere,
  resourceGroupID: notHere,
  networkInterfaceTrafficMode: notHere,
  eniOptions: z.unknown().refine(
    (value) => isEmpty(value) || isOf(value, "eniType", "Default"),
    NOT_HERE,
  ).optional(),
  allocationType: z.unknown().refine(
    (value) => isEmpty(value) || isOf(value, "type", "Elastic"),
    "must be of type Elastic: fixed addresses are a controller's to keep",
  ).optional(),
});

const form = z.strictObject({
  podNetworks: z.array(one).max(MOST_INTERFACES).nullish()
    .transform((list) => list ?? []),
}).superRefine(({ podNetworks }, context) => {
  const problem = (path: readonly PropertyKey[], message: string): void =>
    context.addIssue({
      code: "custom",
      path: ["podNetworks", ...path],
      message,
    });
  const names = podNetworks.map((one) => one.interface);
  const routes = podNetworks.flatMap(({ extraRoutes }, at) =>
    extraRoutes.map((dst, route) => ({ dst, at, route }))
  );
  if (names.length > 0 && !names.includes(FIRST_LINK)) {
    problem([], `must have ${FIRST_LINK}, which runtimes ask for`);
  }
  for (const [at, name] of names.entries()) {
    if (names.indexOf(name) < at) {
      problem([at, "interface"], "must be the only one of its name");
    }
  }
  const first = podNetworks.findIndex((one) => one.defaultRoute);
  for (const [at, { defaultRoute }] of podNetworks.entries()) {
    if (defaultRoute && at > first) {
      problem([at, "defaultRoute"], "must be true of one interface at most");
    }
  }
  for (const [index, { dst, at, route }] of routes.entries()) {
    if (routes.findIndex((other) => other.dst === dst) === index) continue;
    const path = [at, "extraRoutes", route, "dst"];
    problem(path, "must lead by one interface only");
  }
});

/**
 * Decodes the list of a pod's interfaces.
 *
 * @example A second interface
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const text = '{"podNetworks":[{"interface":"eth0"},{"interface":"net1"}]}';
 * const { interfaces } = decodePodNetworks({ [POD_NETWORKS]: text });
 * assertEquals(interfaces, [
 *   { ifName: "eth0", isDefault: true, extraRoutes: [] },
 *   { ifName: "net1", isDefault: false, extraRoutes: [] },
 * ]);
 * ```
 * @param annotations The pod's annotations, as far as they are known.
 * @returns The interfaces, and all that is wrong.
 */
export function decodePodNetworks(annotations: unknown): DecodedNetworks {
  const all = { ...annotations as Record<string, unknown> };
  const text = all[POD_NETWORKS];
  if (all[BY_CONTROLLER] === "true") return { problems: [] };
  if (text === undefined) return { problems: unresolved(all[REQUEST]) };
  const json = parsed(text);
  if (json === undefined) {
    return {
      problems: [`${POD_NETWORKS}: must be JSON: it is ${shown(text)}`],
    };
  }
  const decoded = form.safeParse(json);
  if (!decoded.success) {
    const problems = decoded.error.issues.map(({ path, message }) =>
      `${POD_NETWORKS}: ${pathOf(path)}: ${message}: it is ` +
      shown(valueAt(json, path))
    );
    return { problems };
  }
  const { podNetworks } = decoded.data;
  const marked = podNetworks.find(({ defaultRoute }) => defaultRoute)
    ?.interface ?? FIRST_LINK;
  const asks = podNetworks.map((network): InterfaceAsk => ({
    ifName: network.interface,
    isDefault: network.interface === marked,
    extraRoutes: network.extraRoutes,
  }));
  const first = asks.find(({ ifName }) => ifName === FIRST_LINK);
  if (first === undefined) return { problems: [] };
  const others = asks.filter((ask) => ask !== first);
  return { interfaces: [first, ...others], problems: [] };
}

/** A pod that names networks must not start with another one. */
function unresolved(request: unknown): readonly string[] {
  if (request === undefined) return [];
  return [
    `${REQUEST}: must be resolved by a controller, of which this node ` +
    `knows none; list the interfaces in ${POD_NETWORKS}: it is ` +
    shown(request),
  ];
}

function parsed(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function isOf(value: unknown, key: string, only: string): boolean {
  const entries = Object.entries({ ...value as object });
  return entries.every(([name, one]) =>
    name === key && (one === only || one === "")
  );
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map((part, at) =>
    typeof part === "number"
      ? `[${part}]`
      : `${at > 0 ? "." : ""}${String(part)}`
  ).join("") || "it";
}

/** A value as JSON, cut where it gets long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
