/**
 * What Kubernetes knows of the pods of this node, and what it hears of them:
 * events with stable reasons, an annotation with the addresses.
 *
 * @module
 */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import type { PodName } from "../../netns/attachment.ts";
import {
  ApiError,
  asApiError,
  call,
  type Kubernetes,
} from "../../k8s/client.ts";
import type { EventRecorder, Happening } from "../../k8s/events.ts";
import type { V1Pod } from "../../k8s/objects.ts";
import type { Informer } from "../../k8s/watch.ts";
import { errorFields, type Log } from "../log.ts";
import type { DaemonMode } from "./mode.ts";
import { isIgnored, isPod, readAsks } from "./pod_asks.ts";
import type { PodAsks, PodBook, PodGot, PodHindrance } from "./pod_book.ts";
import { awaitMember } from "./pod_eni_wait.ts";

/** The annotation of a pod's addresses. Source: reference §1.8. */
const POD_IPS = "k8s.aliyun.com/pod-ips";

/** What a book of pods works with. */
export interface ClusterPodsParts {
  /** The API. */
  readonly kubernetes: Kubernetes;
  /** The pods of this node. */
  readonly pods: Informer<V1Pod>;
  /** Where events go. */
  readonly events: EventRecorder;
  /** How pods get their network. */
  readonly mode: DaemonMode;
  /** Kinds of owners besides StatefulSet whose pods keep their address. */
  readonly statefulKinds: () => readonly string[];
  /** Whether a pod's addresses become an annotation. */
  readonly patchesPodIps: () => boolean;
  /** Where failures are told. */
  readonly log: Log;
}

type Parts = ClusterPodsParts;

/**
 * Opens the book of a node's pods.
 *
 * @param parts What it works with.
 * @returns The book.
 */
export function clusterPods(parts: ClusterPodsParts): PodBook {
  const { mode, log } = parts;
  return {
    async asksOf(name: PodName): Promise<PodAsks> {
      let pod: V1Pod | undefined;
      try {
        pod = await findPod(parts, name);
      } catch (error) {
        return { hindrance: waiting(name, error) };
      }
      if (pod === undefined || isIgnored(pod)) return {};
      const { asks, refused, ignored } = readAsks(pod, {
        mode,
        statefulKinds: parts.statefulKinds(),
      });
      for (const message of [...ignored, ...refused]) {
        tell(parts, name, {
          type: "Warning",
          reason: "ResourceInvalid",
          message,
        });
      }
      if (refused.length === 0) return asks;
      const message = "the pod asks for what it can't have";
      return { hindrance: { mayPass: false, message, problems: refused } };
    },
    memberOf: (pod, { instanceId }, signal) =>
      awaitMember(parts.kubernetes, { pod, instanceId }, signal),
    attached(name: PodName, got: PodGot): void {
      const where = got.eniId === undefined ? "" : ` of ${got.eniId}`;
      tell(parts, name, {
        type: "Normal",
        reason: "AllocIPSucceed",
        message: `${got.ips.join(", ")}${where}, in ${
          Math.round(got.tookMs)
        } ms`,
      });
      if (!parts.patchesPodIps()) return;
      annotate(parts, name, got).catch((error) =>
        log.debug("no annotation", errorFields(error))
      );
    },
    refused(name: PodName, why: string): void {
      tell(parts, name, {
        type: "Warning",
        reason: "AllocIPFailed",
        message: why,
      });
    },
  };
}

/** A pod that the copy doesn't have yet is asked for. */
async function findPod(
  { kubernetes, pods }: Parts,
  { namespace, name, uid }: PodName,
): Promise<V1Pod | undefined> {
  const known = pods.get(name, namespace);
  if (known !== undefined && isPod(known, uid)) return known;
  try {
    const found = await call(
      `read pod ${namespace}/${name}`,
      () => kubernetes.core.readNamespacedPod({ namespace, name }),
    );
    return isPod(found, uid) ? found : undefined;
  } catch (error) {
    // A static pod has no object until its mirror is made.
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function waiting(
  { namespace, name }: PodName,
  error: unknown,
): PodHindrance {
  return {
    mayPass: true,
    message: "waiting for the API server, which alone knows what pod " +
      `${namespace}/${name} asks for`,
    problems: [asApiError("read the pod", error).message],
  };
}

function tell(
  { pods, events }: Parts,
  { namespace, name, uid }: PodName,
  happening: Happening,
): void {
  const pod = pods.get(name, namespace);
  const own = pod?.metadata?.uid ?? uid;
  if (own === undefined || (pod !== undefined && isIgnored(pod))) return;
  events.record({ kind: "Pod", namespace, name, uid: own }, happening);
}

async function annotate(
  { kubernetes, pods }: Parts,
  { namespace, name }: PodName,
  { ips }: PodGot,
): Promise<void> {
  const pod = pods.get(name, namespace);
  if (pod !== undefined && isIgnored(pod)) return;
  const annotations = Object.fromEntries([[POD_IPS, ips.join(",")]]);
  await call("annotate a pod", () =>
    kubernetes.core.patchNamespacedPod(
      { namespace, name, body: { metadata: { annotations } } },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    ));
}
