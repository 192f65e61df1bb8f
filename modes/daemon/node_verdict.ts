/**
 * What a node's object should say, beside whether there are addresses: whether
 * `service_cidr` can be right, whether the kubelet promises more pods than the
 * network serves, and that pods may come. Pure.
 *
 * @module
 */
import { type Cidr, contains, type Ip } from "../../netns/ip.ts";

/** A condition, without its times. */
export interface Condition {
  /** What it is about. */
  readonly type: "SufficientIP" | "ServiceCIDR";
  /** Whether it holds. */
  readonly status: "True" | "False";
  /** One word that never changes. */
  readonly reason:
    | "SufficientIP"
    | "InsufficientIP"
    | "ServiceCIDRFits"
    | "ServiceCIDRWrong";
  /** For people. */
  readonly message: string;
}

/**
 * Judges the range of Services by the one Service that every cluster has.
 *
 * @param serviceCidrs What the daemon works with.
 * @param ips The addresses of the Service `default/kubernetes`.
 * @returns The condition; nothing where there is nothing to compare.
 */
export function judgeServiceCidr(
  serviceCidrs: readonly Cidr[],
  ips: readonly Ip[],
): Condition | undefined {
  if (serviceCidrs.length === 0 || ips.length === 0) return undefined;
  const range = serviceCidrs.join(",");
  const service = `Service default/kubernetes has ${ips.join(", ")}`;
  const isOutside = (ip: Ip): boolean =>
    !serviceCidrs.some((cidr) => isOf(cidr, ip));
  if (!ips.some(isOutside)) {
    const message = `${service}, of service_cidr ${range}`;
    return {
      type: "ServiceCIDR",
      status: "True",
      reason: "ServiceCIDRFits",
      message,
    };
  }
  return {
    type: "ServiceCIDR",
    status: "False",
    reason: "ServiceCIDRWrong",
    message:
      `${service}, which isn't of service_cidr ${range}: pods may not reach ` +
      "Services; set service_cidr in eni_conf to the cluster's range (the " +
      "API server's --service-cluster-ip-range), then restart the daemon",
  };
}

function isOf(cidr: Cidr, ip: Ip): boolean {
  const isSame = cidr.includes(":") === ip.includes(":");
  return isSame && contains(cidr, ip);
}

/** What a kubelet may be compared by. */
export interface PodRoom {
  /** Pods that the kubelet allows, those of the host's network included. */
  readonly allowed: number;
  /** Pods that the network can serve. */
  readonly served: number;
  /** Pods of the host's network that are there. */
  readonly hostPods: number;
}

/**
 * Tells that a kubelet allows more pods than can have a network.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 *
 * const room = { served: 45, hostPods: 3 };
 * assertEquals(judgeMaxPods({ ...room, allowed: 48 }), undefined);
 * assert(judgeMaxPods({ ...room, allowed: 110 })?.includes("--max-pods=48"));
 * ```
 * @param room What is there.
 * @returns What to tell; nothing when all of them can be served.
 */
export function judgeMaxPods(
  { allowed, served, hostPods }: PodRoom,
): string | undefined {
  const most = served + hostPods;
  if (allowed <= most) return undefined;
  return `the kubelet allows ${allowed} pods, but the network serves ` +
    `${served}, beside ${hostPods} of the host's own: more wait for an ` +
    `address for ever. Set the kubelet's --max-pods=${most}; ` +
    "`terway plan max-pods` on the node tells how it comes to that";
}

/**
 * The taint that keeps pods away from a node until its daemon serves; nodes
 * have it from the kubelet's --register-with-taints.
 */
export const STARTUP_TAINT = "k8s.aliyun.com/terway-not-ready";

/**
 * Takes the startup taint out of a node's.
 *
 * @typeParam T A taint.
 * @param taints The node's.
 * @returns Those that stay; nothing when it isn't among them.
 */
export function withoutStartupTaint<T extends { readonly key: string }>(
  taints: readonly T[] = [],
): readonly T[] | undefined {
  const rest = taints.filter(({ key }) => key !== STARTUP_TAINT);
  return rest.length === taints.length ? undefined : rest;
}
