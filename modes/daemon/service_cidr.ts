/**
 * The range of Services when eni_conf doesn't give it, from what the cluster
 * says of itself.
 *
 * Sources: Kubernetes' ServiceCIDR (networking.k8s.io/v1, since 1.33), whose
 * first object is `kubernetes`; kubeadm's ConfigMap `kubeadm-config`, key
 * `ClusterConfiguration`, `networking.serviceSubnet`.
 *
 * @module
 */

/** What the cluster says. */
export interface ServiceRangeSeen {
  /** Each ServiceCIDR's name and prefixes; none before Kubernetes 1.33. */
  readonly ranges: readonly {
    readonly name: string;
    readonly cidrs: readonly string[];
  }[];
  /** kubeadm's ClusterConfiguration, YAML; absent in other clusters. */
  readonly kubeadm?: string;
}

/** The range that a cluster begins with. */
const FIRST = "kubernetes";

/**
 * Picks the range, as `service_cidr` writes it.
 *
 * @example What kubeadm wrote down
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const kubeadm = "networking:\n  serviceSubnet: 10.96.0.0/12\n";
 * assertEquals(serviceCidrFrom({ ranges: [], kubeadm }), "10.96.0.0/12");
 * ```
 * @param seen What the cluster says.
 * @returns `v4` or `v4,v6`; nothing when it doesn't say.
 */
export function serviceCidrFrom(seen: ServiceRangeSeen): string | undefined {
  const first = seen.ranges.find(({ name }) => name === FIRST) ??
    seen.ranges[0];
  const cidrs = first?.cidrs ?? [];
  if (cidrs.length > 0) {
    // A cluster of two stacks may name IPv6 first.
    return cidrs.toSorted((a, b) =>
      Number(a.includes(":")) - Number(b.includes(":"))
    ).join(",");
  }
  return /^\s+serviceSubnet:\s*["']?([^\s"'#]+)/m.exec(seen.kubeadm ?? "")
    ?.[1];
}
