/**
 * What a decoded `eni_conf` says, in the daemon's own words: every field is
 * there and within its bounds, units come last in names.
 *
 * @module
 */
import type { Cidr } from "../../netns/ip.ts";
import type { Backoffs, CallsPerMinute } from "./eni_conf_rates.ts";
import type { ServiceCidrs, Tag } from "./eni_conf_values.ts";

/** An access key that no log, JSON or inspection shows. */
export class AccessKey {
  readonly #id: string;
  readonly #secret: string;

  /**
   * Makes one.
   *
   * @param id The key's id.
   * @param secret Its secret.
   */
  constructor(id: string, secret: string) {
    this.#id = id;
    this.#secret = secret;
  }

  /** The key's id. */
  get id(): string {
    return this.#id;
  }

  /** The secret. */
  get secret(): string {
    return this.#secret;
  }

  /**
   * Hides the key.
   *
   * @returns `***`.
   */
  toJSON(): string {
    return "***";
  }

  /**
   * Hides the key.
   *
   * @returns `***`.
   */
  toString(): string {
    return "***";
  }
}

/** When addresses that nobody uses are given back, beside the pool's bounds. */
export interface IdleReclaim {
  /** The pool must have been quiet for so long. */
  readonly afterMs: number;
  /** Between two batches. */
  readonly intervalMs: number;
  /** Addresses in a batch. */
  readonly batchCount: number;
  /** The interval is prolonged by a random part, up to this share of it. */
  readonly jitter: number;
}

/** What the daemon is told to do. */
export interface DaemonConfig {
  /** The region, when it isn't the metadata's. */
  readonly region?: string;
  /** An access key, when one is written into the configuration. */
  readonly accessKey?: AccessKey;
  /** The file of an encrypted token, when there is one. */
  readonly credentialPath?: string;
  /** The resource group of new ENIs; the account's default when absent. */
  readonly resourceGroupId?: string;
  /** The prefixes of services. */
  readonly serviceCidrs?: ServiceCidrs;
  /** By zone, the vSwitches of new ENIs in the order of preference. */
  readonly vSwitches: Readonly<Record<string, readonly string[]>>;
  /** How one of a zone's vSwitches is chosen: as listed, or the emptiest. */
  readonly vSwitchPolicy: "ordered" | "random" | "most";
  /** Security groups of new ENIs; the primary ENI's when absent. */
  readonly securityGroupIds?: readonly string[];
  /** Tags of new ENIs beside our own. */
  readonly eniTags: Readonly<Record<string, string>>;
  /** ENIs of others that bear all of these tags are adopted. */
  readonly adoptTags?: Readonly<Record<string, string>>;
  /** ENIs of others whose link's name begins so are adopted. */
  readonly adoptPrefix?: string;
  /** ENIs that bear one of these tags are never touched. */
  readonly blockTags: readonly Tag[];
  /** Whether ENIs may be created, attached, detached and deleted. */
  readonly hotPlug: boolean;
  /** More idle addresses than this are given back. */
  readonly maxPoolCount: number;
  /** Fewer idle addresses than this are filled up. */
  readonly minPoolCount: number;
  /** As many ENIs are kept, whatever is idle. */
  readonly minEniCount: number;
  /** No more ENIs are made; the instance type's when absent. */
  readonly maxEniCount?: number;
  /** The share of the instance type's ENIs that may be used. */
  readonly eniCapRatio: number;
  /** Added to that share; negative leaves ENIs to others. */
  readonly eniCapShift: number;
  /** Which ENI serves a pod: the fullest that has room, or the emptiest. */
  readonly eniPolicy: "most_ips" | "least_ips";
  /** When idle addresses are given back by time; never when absent. */
  readonly idleReclaim?: IdleReclaim;
  /** Addresses that are made ready once, at a node's first start. */
  readonly warmUpCount: number;
  /** How often the pool is compared with the cloud. */
  readonly poolSyncMs: number;
  /** The families of pods' addresses. */
  readonly ipStack: "ipv4" | "dual" | "ipv6";
  /** Whether addresses are managed by custom resources. */
  readonly ipam: "default" | "crd" | "preferCRD";
  /** Whether a trunk ENI carries ENIs of pods. */
  readonly trunking: boolean;
  /** Whether ENIs with remote memory access are made. */
  readonly erdma: boolean;
  /** Set for prefixes instead of single addresses: as many are kept. */
  readonly prefixes?: { readonly minCount: number };
  /** Prefixes that new pods reach by their gateway, whatever else they have. */
  readonly extraRoutes: readonly Cidr[];
  /** Kinds of owners whose pods keep their address, in lower case. */
  readonly statefulKinds: readonly string[];
  /** Whether a pod's addresses are written into its annotations. */
  readonly patchesPodIps: boolean;
  /** Whether the kubelet is told how many ENIs there are. */
  readonly devicePlugin: boolean;
  /** Calls a second to the API server in the long run. */
  readonly kubeCallsPerSecond: number;
  /** Calls to the API server at once. */
  readonly kubeBurstCount: number;
  /** By API of the cloud, how often it may be called in a minute. */
  readonly callsPerMinute: CallsPerMinute;
  /** By what is tried more than once, how tries are spread. */
  readonly backoffs: Backoffs;
  /** The cluster, for the tag that tells our ENIs from another's. */
  readonly clusterId: string;
  /** Whether settings of the host that stand in the way of pods are changed. */
  readonly fixHost: boolean;
  /** Bytes in a packet of ENIs and pods; as an ENI came when absent. */
  readonly mtu?: number;
}
