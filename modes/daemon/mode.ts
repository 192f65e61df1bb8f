/**
 * The daemon's mode: how the pods of a node get their network.
 *
 * @module
 */
import type { Lease } from "../../pool/state.ts";
import { attachmentOf } from "./attached.ts";

/**
 * The modes. Source: Terway's `daemon_mode` and seed 003.
 *
 * - `VPC`: addresses of the node's pod CIDR, reached by VPC routes
 * - `ENIMultiIP`: addresses of ENIs that pods share
 * - `ENIOnly`: an ENI for each pod
 */
export const DAEMON_MODES = ["VPC", "ENIMultiIP", "ENIOnly"] as const;

/** One of {@linkcode DAEMON_MODES}. */
export type DaemonMode = typeof DAEMON_MODES[number];

/** Which datapaths a mode has; the first is that of a pod that asks for none. */
export const DATAPATHS: Readonly<Record<DaemonMode, readonly string[]>> = {
  VPC: ["vpc", "exclusive"],
  ENIMultiIP: ["veth", "ipvlan", "vlan"],
  ENIOnly: ["exclusive"],
};

/** Pods that are named in an error; the others are counted. */
const NAMED_COUNT = 5;

/**
 * Refuses a mode while pods of another are running: a node under two modes
 * would count its ENIs and addresses wrong.
 *
 * @param mode The mode that the daemon is started with.
 * @param leases Those of the journal.
 * @throws {Error} That names the pods, and says what to do.
 */
export function requireMode(
  mode: DaemonMode,
  leases: readonly Pick<Lease, "attachment">[],
): void {
  const others = leases.map(attachmentOf).filter(({ recipe }) =>
    !DATAPATHS[mode].includes(recipe.split("/")[0] ?? "")
  );
  if (others.length === 0) return;
  const names = others.slice(0, NAMED_COUNT).map(({ pod, owner, recipe }) =>
    `${
      pod === undefined ? owner.containerId : `${pod.namespace}/${pod.name}`
    } (${recipe})`
  ).join(", ");
  const more = others.length > NAMED_COUNT
    ? ` and ${others.length - NAMED_COUNT} more`
    : "";
  throw new Error(
    `Cannot serve in mode ${mode} as pods of another are running: ${names}${more}. ` +
      "Start the daemon in its old mode, drain the node " +
      "(kubectl drain), then change --daemon-mode",
  );
}
