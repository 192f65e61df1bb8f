/**
 * The cluster that this node is of, if it is of any: where the configuration
 * comes from, what pods ask for, whom it is told.
 *
 * Kubernetes' client is loaded only here and only then: without a cluster it
 * would be a third of the daemon's memory.
 *
 * @module
 */
import type { PodName } from "../../netns/attachment.ts";
import { addressAt, type Cidr, contains, parseCidr } from "../../netns/ip.ts";
import type { Keeper } from "../../pool/contract.ts";
import type { Log } from "../log.ts";
import type { DaemonConfig } from "./config.ts";
import type { ConfigPlaces } from "./eni_conf_file.ts";
import type { DaemonMode } from "./mode.ts";
import { serviceCidrs } from "./eni_conf_values.ts";
import type { PodBook } from "./pod_book.ts";

/** How to join a cluster. */
export interface ClusterOptions {
  /** The node's name in the cluster. */
  readonly nodeName: string;
  /** The daemon's namespace, which has `eni-config`. */
  readonly namespace: string;
  /** A kubeconfig; the pod's service account when absent. */
  readonly kubeconfig?: string;
  /** Where the configuration is until the API server has told it. */
  readonly places: ConfigPlaces;
  /** The daemon's folder. */
  readonly stateDir: string;
  /** How pods get their network. */
  readonly mode: DaemonMode;
  /** Where it is told. */
  readonly log: Log;
}

/** What is told of while the daemon serves. */
export interface ClusterWork {
  /** The pool, whose state becomes the node's condition. */
  readonly keeper: Pick<Keeper, "status">;
  /** Tells how many pods the network can serve. */
  readonly served: () => number;
  /** The range of Services in force; none when it isn't known. */
  readonly serviceCidrs: readonly Cidr[];
  /** Whether a pod's addresses become an annotation: `enable_patch_pod_ips`. */
  readonly patchesPodIps: () => boolean;
  /** `custom_stateful_workload_kinds`. */
  readonly statefulKinds: () => readonly string[];
  /**
   * Ends the leases of pods that neither cluster nor kernel knows.
   *
   * @param isKnown Whether the cluster has a pod.
   */
  readonly releaseGone: (isKnown: (pod: PodName) => boolean) => Promise<void>;
}

/** An event of the node. */
export interface NodeHappening {
  /** Whether a person should look. */
  readonly type: "Normal" | "Warning";
  /** One word that never changes. */
  readonly reason:
    | "ConfigError"
    | "TerwayFailed"
    | "MaxPodsTooHigh"
    | "TrunkNotSupported";
  /** What happened, what it means, what to do. */
  readonly message: string;
}

/** A cluster that was joined. */
export interface Cluster extends AsyncDisposable {
  /** Where the configuration lies, and changes when it changes there. */
  readonly places: ConfigPlaces;
  /** Where the last good one lies, if there has been one. */
  readonly goodPlaces: ConfigPlaces;
  /** What the cluster knows of pods, and hears of them. */
  readonly pods: PodBook;
  /** Tells the range of Services as `service_cidr` writes it, if it can. */
  serviceCidr(): Promise<string | undefined>;
  /** Tells the node's pod CIDR, once it has one. */
  podCidr(): Promise<Cidr>;
  /** Why what is known may be behind; nothing while it is whole. */
  problem(): string | undefined;
  /**
   * Tells an event of the node; returns at once.
   *
   * @param happening What happened.
   */
  tellNode(happening: NodeHappening): void;
  /** Keeps the configuration that lies in {@linkcode places} as a good one. */
  keepGood(): Promise<void>;
  /**
   * Begins to tell the node's condition and to compare leases with pods.
   *
   * @param work What it works with.
   */
  follow(work: ClusterWork): void;
}

/**
 * Joins a cluster.
 *
 * @param options See {@linkcode ClusterOptions}.
 * @returns The cluster; its API server may be away.
 */
export async function joinCluster(options: ClusterOptions): Promise<Cluster> {
  const { openCluster }: typeof import("./kubernetes.ts") = await import(
    kubernetesUrl()
  );
  return await openCluster(options);
}

/** In the executable it is a bundle of its own, beside ours. */
function kubernetesUrl(): string {
  return import.meta.url.endsWith("/modes/daemon/cluster.ts")
    ? new URL("./kubernetes.ts", import.meta.url).href
    : new URL("./kubernetes.js", import.meta.url).href;
}

/**
 * Gives a configuration without `service_cidr` the cluster's.
 *
 * @param config The configuration.
 * @param cluster The cluster; nothing is added without one.
 * @param mode How pods get their network: those that share ENIs can do without.
 * @returns The configuration.
 * @throws {Error} When the cluster doesn't say, and pods need it.
 */
export async function withServiceCidr(
  config: DaemonConfig,
  cluster: Pick<Cluster, "serviceCidr"> | undefined,
  mode: DaemonMode,
): Promise<DaemonConfig> {
  if (config.serviceCidrs !== undefined || cluster === undefined) return config;
  const canDoWithout = mode === "ENIMultiIP";
  const told = canDoWithout
    ? cluster.serviceCidr().catch(() => undefined)
    : cluster.serviceCidr();
  const found = serviceCidrs.safeParse(await told ?? "");
  if (found.success) return { ...config, serviceCidrs: found.data };
  if (canDoWithout) return config;
  throw new Error(
    "Cannot tell the range of Services, which pods with an ENI to themselves " +
      "reach by the node: neither a ServiceCIDR nor kubeadm-config says it; " +
      "set service_cidr in eni_conf",
  );
}

/**
 * Refuses a node's pod CIDR that isn't of the cluster's network, as the
 * variable `Network` of older manifests names it. Source: seed 003.
 *
 * @param podCidr The node's.
 * @param network The cluster's; anything goes without one.
 * @throws {Error} That names both.
 */
export function requireWithin(
  podCidr: Cidr,
  network: string | undefined,
): void {
  if (network === undefined || network === "") return;
  const { length } = parseCidr(network);
  const own = parseCidr(podCidr);
  const isWithin = own.length >= length &&
    contains(network, addressAt(podCidr, 0));
  if (isWithin) return;
  throw new Error(
    `Cannot serve pods of ${podCidr} as Network is ${network}: set Network in ` +
      "the manifest to the controller manager's --cluster-cidr",
  );
}
