/**
 * Kubernetes' own end-to-end tests against a cluster.
 *
 * @module
 */
import { join } from "node:path";
import { findTools } from "./build.ts";
import { type ClusterDescription, ClusterError } from "./description.ts";
import { CONFORMANCE_TOOLS } from "./tools.ts";

/** All of sig-network that a conforming cluster must pass: 45 cases. */
export const NETWORK_CONFORMANCE: string = String
  .raw`\[sig-network\].*\[Conformance\]`;

/** How many run at a time: they mostly wait. */
export const CONFORMANCE_COUNT = 4;

/** Which tests. */
export interface ConformanceWish {
  /** The cluster's folder, where the reports go. */
  readonly dir: string;
  /** The cluster. */
  readonly description: ClusterDescription;
  /** A regular expression that the names match. */
  readonly focus: string;
  /** How many run at a time. */
  readonly processCount: number;
}

/**
 * What isn't run: what takes long, wants the cluster for itself or breaks it,
 * and what kernels without SCTP can't do.
 */
const SKIPPED = "Slow|Serial|Disruptive|SCTP";

/**
 * Gives the command that runs tests, in the control plane's network.
 *
 * @param wish See {@linkcode ConformanceWish}.
 * @returns The command.
 * @throws {ClusterError} When the tests aren't built.
 */
export async function conformanceCommand(
  wish: ConformanceWish,
): Promise<[string, ...string[]]> {
  const { dir, description, focus, processCount } = wish;
  const tools = await findTools(CONFORMANCE_TOOLS, {
    mayBuild: false,
    onStep: () => {},
  });
  if (!tools.ok) throw new ClusterError(tools.reason);
  const program = (name: string): string => tools.paths.get(name) ?? name;
  const reports = join(dir, "e2e");
  await Deno.mkdir(reports, { recursive: true });
  return [
    ...["nsenter", `--net=${description.controlPlane.netns}`, "--"] as const,
    ...[program("ginkgo"), "--no-color", "--timeout=2h"],
    ...[`--procs=${processCount}`, `--focus=${focus}`, `--skip=${SKIPPED}`],
    ...[program("e2e.test"), "--", "--provider=skeleton"],
    `--kubeconfig=${description.kubeconfig}`,
    `--kubectl-path=${description.programs["kubectl"] ?? "kubectl"}`,
    `--num-nodes=${description.nodes.length}`,
    ...["--node-os-distro=custom", `--report-dir=${reports}`],
    "--dump-logs-on-failure=false",
  ];
}
