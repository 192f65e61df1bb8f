/**
 * What a cluster is, as `DIR/cluster.json` tells it: where the cloud answers,
 * where each machine is, and how to talk to the API server.
 *
 * @module
 */
import { join } from "node:path";
import {
  type StageCloud,
  StageError,
  writeWhole,
} from "../stage/description.ts";
import type { Families } from "./arguments.ts";

/** A machine of the cluster, with its process tree. */
export interface ClusterMachine {
  /** Its name, which is its node's name. */
  readonly name: string;
  /** The cloud's id. */
  readonly instanceId: string;
  /** The instance's type. */
  readonly instanceType: string;
  /** The instance's zone. */
  readonly zone: string;
  /** The path of its network namespace. */
  readonly netns: string;
  /** The address of its primary ENI. */
  readonly primaryIp: string;
  /** The same of IPv6, where the VPC has it. */
  readonly primaryIp6?: string;
  /** The first process of its tree, as this machine counts. */
  readonly pid: number;
}

/** What `DIR/cluster.json` holds. */
export interface ClusterDescription {
  /** The cloud. */
  readonly cloud: StageCloud;
  /** The machine of etcd, the API server and the controllers. */
  readonly controlPlane: ClusterMachine;
  /** The nodes, by name. */
  readonly nodes: readonly ClusterMachine[];
  /** The administrator's configuration of kubectl. */
  readonly kubeconfig: string;
  /** By name, where each program is. */
  readonly programs: Readonly<Record<string, string>>;
}

/** A mistake of the caller, or what this machine lacks, in a line or two. */
export class ClusterError extends StageError {
  /** The class's name, as in every error's text. */
  override readonly name = "ClusterError";
}

/** Where a cluster lives unless told otherwise. */
export const DEFAULT_CLUSTER_DIR = "/var/cache/terway/cluster";

/** Machines have their own of these: see first_process.sh. */
export const MACHINE_FOLDERS: readonly string[] = [
  ...["/etc", "/opt", "/proc", "/run", "/sys", "/var/lib", "/var/log"],
];

/** Source: seed 002's example, and kubeadm's habit of the tenth address. */
export const SERVICE_CIDR = "172.21.0.0/20";
/** The `kubernetes` Service: always the first address. */
export const API_SERVICE_IP = "172.21.0.1";
/** CoreDNS's Service. */
export const DNS_SERVICE_IP = "172.21.0.10";
/** A /24 of it for each node; no address of it is of the VPC. */
export const POD_CIDR = "172.30.0.0/16";
/** All of the VPC: what pods have addresses of that share ENIs. */
export const VPC_CIDR = "10.0.0.0/8";

/** The ranges of a cluster, `v4` or `v4,v6`, as Kubernetes writes them. */
export interface Ranges {
  /** Services. */
  readonly services: string;
  /** What nodes get their pod CIDRs of. */
  readonly pods: string;
  /** The VPC. */
  readonly vpc: string;
}

/**
 * Gives a cluster's ranges.
 *
 * @param families What it has addresses of.
 * @returns The ranges; IPv4 comes first.
 */
export function rangesOf(families: Families): Ranges {
  const four = { services: SERVICE_CIDR, pods: POD_CIDR, vpc: VPC_CIDR };
  if (families === "ipv4") return four;
  return {
    services: `${four.services},fdaa:21::/112`,
    pods: `${four.pods},fdaa:30::/48`,
    // Every vSwitch's prefix is of it: see ../stage/region.ts.
    vpc: `${four.vpc},fd00::/16`,
  };
}

/** Where the API server listens. */
export const API_PORT = 6443;

/**
 * Writes a cluster's description; it appears whole or not at all.
 *
 * @param dir The cluster's folder.
 * @param description What to write.
 */
export async function writeCluster(
  dir: string,
  description: ClusterDescription,
): Promise<void> {
  await writeWhole(join(dir, "cluster.json"), description);
}

/**
 * Reads a cluster's description.
 *
 * @param dir The cluster's folder.
 * @returns The description.
 * @throws {ClusterError} When there is no such cluster, or it isn't up.
 */
export async function readCluster(dir: string): Promise<ClusterDescription> {
  try {
    return JSON.parse(await Deno.readTextFile(join(dir, "cluster.json")));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ClusterError(
      `Cannot find a cluster in ${dir}: begin one with ` +
        `\`deno task cluster up${
          dir === DEFAULT_CLUSTER_DIR ? "" : ` --dir ${dir}`
        }\``,
    );
  }
}

/**
 * Finds a machine by its name.
 *
 * @param description The cluster.
 * @param name Its name.
 * @returns The machine.
 * @throws {ClusterError} When there is none of that name.
 */
export function findMachine(
  description: ClusterDescription,
  name: string,
): ClusterMachine {
  const all = [description.controlPlane, ...description.nodes];
  const found = all.find((machine) => machine.name === name);
  if (found !== undefined) return found;
  throw new ClusterError(
    `Cannot find ${name}: there are ${all.map(({ name }) => name).join(", ")}`,
  );
}
