/**
 * kubectl as the cluster's administrator: it runs on this machine's files, in
 * the network of the control plane.
 *
 * @module
 */
import { run, type RunOptions } from "./command.ts";
import type { ClusterDescription } from "./description.ts";

/** Runs kubectl; gives what it printed. */
export type Kubectl = (
  words: readonly string[],
  options?: RunOptions,
) => Promise<string>;

/** What kubectl needs. */
export interface KubectlWish {
  /** The program. */
  readonly program: string;
  /** The administrator's configuration. */
  readonly kubeconfig: string;
  /** The path of a network namespace that reaches the API server. */
  readonly netns: string;
}

/**
 * Gives the command that runs kubectl.
 *
 * @param wish See {@linkcode KubectlWish}.
 * @param words Its arguments.
 * @returns The command.
 */
export function kubectlCommand(
  wish: KubectlWish,
  words: readonly string[],
): [string, ...string[]] {
  const { program, kubeconfig, netns } = wish;
  return [
    ...["nsenter", `--net=${netns}`, "--", program] as const,
    ...["--kubeconfig", kubeconfig, ...words],
  ];
}

/**
 * Makes a kubectl.
 *
 * @param wish See {@linkcode KubectlWish}.
 * @returns It.
 */
export function makeKubectl(wish: KubectlWish): Kubectl {
  return (words, options) => run(kubectlCommand(wish, words), options);
}

/**
 * Finds the kubectl of a cluster that is up.
 *
 * @param description The cluster.
 * @returns What it needs.
 */
export function kubectlOf(description: ClusterDescription): KubectlWish {
  return {
    program: description.programs["kubectl"] ?? "kubectl",
    kubeconfig: description.kubeconfig,
    netns: description.controlPlane.netns,
  };
}
