/**
 * Whether a node has a trunk ENI, on which ENIs of pods (members) hang: what
 * the configuration wants, what the instance's type allows, what is there.
 *
 * @module
 */
import type { PoolStatus } from "../../pool/contract.ts";
import type { Log } from "../log.ts";
import type { Cluster } from "./cluster.ts";
import { ConfigError, type DaemonConfig } from "./config.ts";
import type { DaemonMode } from "./mode.ts";
import type { NodeFacts } from "./node.ts";

/** The key of `eni_conf`. */
const KEY = "enable_eni_trunking";

/** What `terway status` says of it; nothing where no trunk is wanted or there. */
export interface TrunkingStatus {
  /** The trunk, once it is made. */
  readonly eniId?: string;
  /** Members that hang on it. */
  readonly memberCount: number;
  /** As many may: what the type has beyond its own ENIs. */
  readonly memberCapacity: number;
  /** Why there is none, or why it can't be used yet. */
  readonly reason?: string;
}

/** What tells of trunks. */
type TrunkNode = {
  readonly instance: Pick<NodeFacts["instance"], "type">;
  readonly limits: Pick<
    NodeFacts["limits"],
    "trunk" | "eniCount" | "eniTotalCount"
  >;
};

/**
 * Refuses a trunk where pods don't share ENIs.
 *
 * @param config The configuration.
 * @param mode How pods get their network.
 * @param source What it was read from.
 * @throws {ConfigError} That names the key and the mode.
 */
export function requireTrunkable(
  { trunking }: Pick<DaemonConfig, "trunking">,
  mode: DaemonMode,
  source: string,
): void {
  if (!trunking || mode === "ENIMultiIP") return;
  throw new ConfigError(source, [{
    path: KEY,
    rule: `must be false in mode ${mode}, as a trunk is one of the ENIs that ` +
      "pods share: set it to false, or start the daemon with --daemon-mode " +
      "ENIMultiIP",
    value: "true",
  }]);
}

/**
 * Tells whether the pool shall have a trunk.
 *
 * @param config The configuration.
 * @param node The node.
 * @param mode How pods get their network.
 * @returns False also where the type takes none.
 */
export function wantsTrunk(
  { trunking }: Pick<DaemonConfig, "trunking">,
  { limits }: TrunkNode,
  mode: DaemonMode,
): boolean {
  return trunking && mode === "ENIMultiIP" && limits.trunk;
}

/**
 * Tells, once, that a trunk is wanted where the type takes none.
 *
 * @param config The configuration.
 * @param node The node.
 * @param told Where.
 */
export function tellTrunkless(
  { trunking }: Pick<DaemonConfig, "trunking">,
  node: TrunkNode,
  { log, cluster }: {
    readonly log: Pick<Log, "warning">;
    readonly cluster?: Pick<Cluster, "tellNode">;
  },
): void {
  if (!trunking || node.limits.trunk) return;
  const message = `${whyTrunkless(node)}. Pods get addresses of shared ENIs ` +
    `as before; those that want an ENI by a PodNetworking can't run here: ` +
    `change the node's type, or set ${KEY} to false`;
  log.warning(message, { type: node.instance.type });
  cluster?.tellNode({ type: "Warning", reason: "TrunkNotSupported", message });
}

/**
 * Tells how it stands.
 *
 * @param config The configuration.
 * @param node The node.
 * @param pool The pool's own part.
 * @returns Nothing where no trunk is wanted or there.
 */
export function trunkingStatus(
  { trunking }: Pick<DaemonConfig, "trunking">,
  node: TrunkNode,
  { trunk }: Pick<PoolStatus, "trunk">,
): TrunkingStatus | undefined {
  const { eniCount, eniTotalCount } = node.limits;
  const memberCapacity = node.limits.trunk
    ? Math.max(0, eniTotalCount - eniCount)
    : 0;
  if (trunk !== undefined) return { ...trunk, memberCapacity };
  if (!trunking) return undefined;
  return { memberCount: 0, memberCapacity, reason: whyTrunkless(node) };
}

/**
 * Says why this node has no trunk that pods' ENIs could hang on.
 *
 * @param config The configuration.
 * @param status What is there.
 * @returns A clause, with what to do.
 */
export function whyNoTrunk(
  { trunking }: Pick<DaemonConfig, "trunking">,
  status: TrunkingStatus | undefined,
): string {
  if (!trunking) return `${KEY} of eni_conf is false: set it to true`;
  return status?.reason ?? "it is about to be made";
}

function whyTrunkless({ instance: { type } }: TrunkNode): string {
  return `instance type ${type} takes no trunk ENI (EniTrunkSupported)`;
}
