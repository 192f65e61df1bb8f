/**
 * What a real Kubernetes tells of its own doing: how long sandboxes and their
 * networks took, and what containers take of memory.
 *
 * @module
 */
import type { Cluster } from "../cluster/cluster.ts";
import type { Kubectl } from "../cluster/kubectl.ts";

/** Where containerd tells its figures: see ../cluster/node.ts. */
const METRICS = "http://127.0.0.1:1338/v1/metrics";

/** ADDs so far, by how long the runtime waited for them: a histogram. */
export interface AddsSeen {
  /** By an upper bound in seconds, how many took at most so long. */
  readonly counts: ReadonlyMap<number, number>;
  /** All of them together. */
  readonly totalMs: number;
}

/** Source: containerd's metrics; the loopback's ADD is part of it. */
const ADDS =
  "containerd_cri_network_plugin_operations_duration_seconds_seconds";

/**
 * Reads how long the runtimes waited for ADDs so far.
 *
 * @param cluster The cluster.
 * @returns The sum over its nodes.
 */
export async function addsSeen(
  { trees, description: { nodes } }: Cluster,
): Promise<AddsSeen> {
  const counts = new Map<number, number>();
  let totalMs = 0;
  for (const { name } of nodes) {
    const said = await trees.get(name)?.run(["curl", "-sf", METRICS]) ?? "";
    for (const line of said.split("\n")) {
      if (!line.startsWith(ADDS) || !line.includes("set_up_pod")) continue;
      const value = Number(line.split(" ").at(-1));
      if (line.startsWith(`${ADDS}_sum`)) totalMs += value * 1000;
      const le = /le="([^"]+)"/.exec(line)?.[1];
      if (le === undefined) continue;
      const bound = le === "+Inf" ? Infinity : Number(le);
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
  }
  return { counts, totalMs };
}

/**
 * Says how long ADDs took that were between two looks.
 *
 * @param before The first look.
 * @param after The second.
 * @returns The mean, and percentiles as straight lines through the histogram.
 */
export function addsBetween(
  before: AddsSeen,
  after: AddsSeen,
): { readonly meanMs: number; readonly p50Ms: number; readonly p99Ms: number } {
  const buckets = [...after.counts].toSorted(([a], [b]) => a - b)
    .map(([bound, count]) => ({
      bound,
      count: count - (before.counts.get(bound) ?? 0),
    }));
  const total = buckets.at(-1)?.count ?? 0;
  const at = (share: number): number => {
    const index = buckets.findIndex(({ count }) => count >= share * total);
    const [low, high] = [buckets[index - 1], buckets[index]];
    if (high === undefined) return NaN;
    const [from, below] = [low?.bound ?? 0, low?.count ?? 0];
    if (high.bound === Infinity) return from * 1000;
    const inside = (share * total - below) / Math.max(1, high.count - below);
    return (from + inside * (high.bound - from)) * 1000;
  };
  return {
    meanMs: (after.totalMs - before.totalMs) / Math.max(1, total),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/**
 * Reads how long sandboxes took, their networks included: what the kubelet
 * waits for. Source: containerd's log.
 *
 * @param cluster The cluster.
 * @param prefix What the pods' names begin with.
 * @returns Milliseconds, one for each sandbox.
 */
export async function sandboxTimes(
  { trees, description: { nodes } }: Cluster,
  prefix: string,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (const { name } of nodes) {
    const path = trees.get(name)?.logOf("containerd") ?? "";
    const begun = new Map<string, number>();
    for (const line of (await Deno.readTextFile(path)).split("\n")) {
      const [, time = "", pod = "", rest = ""] = SANDBOX.exec(line) ?? [];
      if (!pod.startsWith(prefix)) continue;
      const start = begun.get(pod);
      if (start === undefined) begun.set(pod, Date.parse(time));
      else if (rest.includes("returns sandbox id")) {
        found.push(Date.parse(time) - start);
      }
    }
  }
  return found;
}

const SANDBOX =
  /^time="([^"]+)" level=info msg="RunPodSandbox for &PodSandboxMetadata\{Name:([^,]+),[^}]*\}(.*)/;

/** A container that runs. */
export interface ContainerSeen {
  /** Its pod's name. */
  readonly pod: string;
  /** Its own. */
  readonly container: string;
  /** What it takes of memory, without caches of files. */
  readonly rssMb: number;
}

/**
 * Asks a kubelet what containers of the namespace `kube-system` take.
 *
 * @param kubectl Asks the API server.
 * @param node The node's name.
 * @returns The containers.
 */
export async function containersOn(
  kubectl: Kubectl,
  node: string,
): Promise<readonly ContainerSeen[]> {
  const path = `/api/v1/nodes/${node}/proxy/stats/summary`;
  const { pods } = JSON.parse(await kubectl(["get", "--raw", path])) as Summary;
  const ofSystem = pods.filter(({ podRef }) =>
    podRef.namespace === "kube-system"
  );
  return ofSystem.flatMap(({ podRef, containers = [] }) =>
    containers.map(({ name, memory }) => ({
      pod: podRef.name,
      container: name,
      rssMb: (memory?.rssBytes ?? 0) / 2 ** 20,
    }))
  );
}

/** Source: the kubelet's `stats/v1alpha1`, `Summary`. */
interface Summary {
  readonly pods: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string };
    readonly containers?: readonly {
      readonly name: string;
      readonly memory?: { readonly rssBytes?: number };
    }[];
  }[];
}
