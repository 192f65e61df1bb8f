/**
 * What a pod of Kubernetes asks of its network, read off its object.
 *
 * Sources: seed 000 (`alicloud/eni: 1`, one container of a pod), seed 003
 * (`aliyun/eni: 1` in limits; kubernetes.io/…-bandwidth), reference §1.8 for
 * the older annotations.
 *
 * @module
 */
import type { V1Pod } from "../../k8s/objects.ts";
import { CRI_ANNOTATIONS, decodeBandwidth } from "./bandwidth.ts";
import type { DaemonMode } from "./mode.ts";
import type { PodAsks } from "./pod_book.ts";
import { decodePodNetworks } from "./pod_networks.ts";

/** What a device plugin advertises for an ENI to oneself, old name and new. */
const ENI_RESOURCES = ["aliyun/eni", "alicloud/eni"];

/** Written by terway's webhook, for whom a PodENI is made. Source: seed 001. */
const POD_ENI = "k8s.aliyun.com/pod-eni";

/** Its pods have names that stay. Source: Kubernetes' StatefulSet. */
const STATEFUL = "statefulset";

/** What a node does with pods. */
export interface AskRules {
  /** How pods of this node get their network. */
  readonly mode: DaemonMode;
  /**
   * Kinds of owners besides StatefulSet whose pods keep their address:
   * `custom_stateful_workload_kinds`.
   */
  readonly statefulKinds?: readonly string[];
}

/** What was read, and what is wrong with it. */
export interface ReadAsks {
  /** What it asks for. */
  readonly asks: PodAsks;
  /** What can't be had, a line each: the pod shouldn't start. */
  readonly refused: readonly string[];
  /** What is wrong, a line each, and is passed over. */
  readonly ignored: readonly string[];
}

/**
 * Reads what a pod asks for.
 *
 * @example Seed 003's pod
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const pod = {
 *   metadata: { annotations: { "kubernetes.io/ingress-bandwidth": "10M" } },
 *   spec: { containers: [{ name: "web", resources: { limits: { "aliyun/eni": "1" } } }] },
 * };
 * assertEquals(readAsks(pod, { mode: "VPC" }).asks, {
 *   bandwidth: { ingressBitsPerSec: 10_000_000 },
 *   wantsEni: true,
 * });
 * ```
 * @param pod The pod.
 * @param rules What this node does with pods.
 * @returns What it asks for.
 */
export function readAsks(pod: V1Pod, rules: AskRules): ReadAsks {
  const { mode } = rules;
  const annotations = pod.metadata?.annotations ?? {};
  const { bandwidth, problems } = decodeBandwidth({
    [CRI_ANNOTATIONS]: annotations,
  });
  const networks = decodePodNetworks(annotations);
  const eniCount = eniCountOf(pod);
  const refused = [...networks.problems];
  if (eniCount > 1) {
    refused.push(
      `limits of aliyun/eni come to ${eniCount}: a pod has one ENI to ` +
        "itself, so one container asks for 1 and the others for none",
    );
  }
  return {
    asks: {
      ...bandwidth && { bandwidth },
      ...networks.interfaces && { interfaces: networks.interfaces },
      // In the other modes every pod has one, or none has.
      ...mode === "VPC" && eniCount === 1 && { wantsEni: true },
      ...isStateful(pod, rules) && { keepsAddress: true },
      ...annotations[POD_ENI] === "true" && { wantsMember: true },
    },
    refused,
    ignored: problems.map((text) => text.replace(`runtimeConfig.`, "")),
  };
}

/** Kinds in any case of letters. Source: reference §1.5. */
function isStateful(
  { metadata }: V1Pod,
  { statefulKinds = [] }: AskRules,
): boolean {
  const kinds = [STATEFUL, ...statefulKinds.map((kind) => kind.toLowerCase())];
  return (metadata?.ownerReferences ?? []).some(({ kind }) =>
    kinds.includes(kind.toLowerCase())
  );
}

function eniCountOf({ spec }: V1Pod): number {
  const containers = [
    ...spec?.initContainers ?? [],
    ...spec?.containers ?? [],
  ];
  return containers.flatMap(({ resources }) =>
    ENI_RESOURCES.map((name) => Number(resources?.limits?.[name] ?? 0))
  ).reduce((sum, count) => sum + count, 0);
}

/** Who bears it isn't terway's business. Source: reference §1.8. */
const IGNORED = "k8s.aliyun.com/ignore-by-terway";

/**
 * Tells whether a pod is none of ours: it has the node's network, or somebody
 * says so. Should a runtime ask for it all the same it gets an address as any
 * other, but what its object says is passed over, and nothing is written to it.
 *
 * @param pod The pod.
 * @returns Whether it is to be left alone.
 */
export function isIgnored({ metadata, spec }: V1Pod): boolean {
  return spec?.hostNetwork === true || metadata?.labels?.[IGNORED] === "true";
}

/**
 * Tells whether an object is the pod that a runtime named.
 *
 * @param pod The object.
 * @param uid What the runtime calls its UID; absent when it doesn't.
 * @returns True also for the mirror of a static pod, whose own UID differs.
 */
export function isPod(pod: V1Pod, uid: string | undefined): boolean {
  const { uid: own, annotations } = pod.metadata ?? {};
  return uid === undefined || own === uid ||
    annotations?.["kubernetes.io/config.mirror"] === uid ||
    annotations?.["kubernetes.io/config.hash"] === uid;
}
