/**
 * The cluster when it is Kubernetes; loaded by `cluster.ts` alone.
 *
 * In the executable it is a bundle of its own: a class that the daemon has too
 * is another one here, so errors of the daemon are neither thrown nor told
 * apart by their class.
 *
 * @module
 */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { join } from "node:path";
import type { PodName } from "../../netns/attachment.ts";
import {
  ApiError,
  asApiError,
  call,
  type Kubernetes,
  openKubernetes,
} from "../../k8s/client.ts";
import { EventRecorder, type Happening } from "../../k8s/events.ts";
import { podsOfNode, type V1Pod } from "../../k8s/objects.ts";
import { Informer } from "../../k8s/watch.ts";
import { errorFields } from "../log.ts";
import type { Cluster, ClusterOptions, ClusterWork } from "./cluster.ts";
import { ClusterConfig } from "./cluster_config.ts";
import { isPod, readAsks } from "./pod_asks.ts";
import type { PodAsks, PodBook, PodGot, PodHindrance } from "./pod_book.ts";
import { serviceCidrFrom } from "./service_cidr.ts";
import { NodeCondition } from "./node_condition.ts";

/** A start waits as long for the API server's configuration. */
const CONFIG_DEADLINE_MS = 10_000;

/** How often leases are compared with the cluster's pods. */
const GONE_PERIOD_MS = 60_000;

/** How often a node without a pod CIDR is looked at, and told of. */
const CIDR_LOOK_MS = 1_000;
const LOG_EVERY = 30;

/** The annotation of a pod's addresses. Source: reference §1.8. */
const POD_IPS = "k8s.aliyun.com/pod-ips";

/** Everything of a cluster that is open. */
interface Parts {
  readonly options: ClusterOptions;
  readonly kubernetes: Kubernetes;
  readonly config: ClusterConfig;
  readonly pods: Informer<V1Pod>;
  readonly events: EventRecorder;
}

/**
 * Joins the cluster; see `joinCluster` of `cluster.ts`.
 *
 * @param options As there.
 * @returns The cluster.
 */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const { nodeName, namespace, kubeconfig, log } = options;
  await using stack = new AsyncDisposableStack();
  const kubernetes = openKubernetes(kubeconfig ? { kubeconfig } : {});
  const onProblem = (error: ApiError): void =>
    log.warning("the API server can't be followed", errorFields(error));
  const dir = join(options.stateDir, "cluster");
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const config = stack.use(
    new ClusterConfig({ kubernetes, nodeName, namespace, dir, log }),
  );
  const pods = stack.use(
    new Informer(kubernetes, podsOfNode(kubernetes, nodeName), { onProblem }),
  );
  const events = stack.use(
    new EventRecorder(kubernetes, {
      component: "terway-daemon",
      host: nodeName,
      onProblem: (error) => log.debug("no event", errorFields(error)),
    }),
  );
  const parts = { options, kubernetes, config, pods, events };
  const places = await placesOf(parts);
  const kept = stack.move();
  return {
    places,
    pods: bookOf(parts),
    serviceCidr: () => serviceCidrOf(kubernetes),
    podCidr: () => podCidrOf(parts),
    problem: () => pods.problem?.message,
    follow: (work) => follow(parts, work, kept),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Without an answer, what was known last; without that, the mounted file. */
async function placesOf(
  { options, config }: Parts,
): Promise<Cluster["places"]> {
  const { places, log } = options;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CONFIG_DEADLINE_MS);
  });
  await Promise.race([config.synced(), late]);
  clearTimeout(timer);
  const isThere = await Deno.stat(config.places.path).then(
    () => true,
    () => false,
  );
  if (isThere) return config.places;
  log.warning("the API server has told no configuration: the file holds", {
    ...places,
  });
  return places;
}

/** Older clusters have no ServiceCIDR, others no kubeadm-config. */
async function serviceCidrOf(
  { core, networking }: Kubernetes,
): Promise<string | undefined> {
  const ranges = await orNothing(() =>
    call("list ServiceCIDRs", () => networking.listServiceCIDR())
  );
  const kubeadm = await orNothing(() =>
    call("read kubeadm-config", () =>
      core.readNamespacedConfigMap({
        namespace: "kube-system",
        name: "kubeadm-config",
      }))
  );
  const text = kubeadm?.data?.["ClusterConfiguration"];
  return serviceCidrFrom({
    ranges: (ranges?.items ?? []).map(({ metadata, spec }) => ({
      name: metadata?.name ?? "",
      cidrs: spec?.cidrs ?? [],
    })),
    ...text && { kubeadm: text },
  });
}

async function orNothing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** The controller manager gives a new node its CIDR within a second or two. */
async function podCidrOf(
  { config, options: { nodeName, log } }: Parts,
): Promise<string> {
  for (let count = 0;; count++) {
    const cidrs = config.node()?.spec?.podCIDRs ?? [];
    const found = cidrs.find((cidr) => !cidr.includes(":"));
    if (found !== undefined) return found;
    if (count % LOG_EVERY === 0) {
      log.warning(
        "waiting for the node's pod CIDR: does the controller " +
          "manager have --allocate-node-cidrs?",
        { node: nodeName },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, CIDR_LOOK_MS));
  }
}

function bookOf(parts: Parts): PodBook {
  const { options: { mode, log } } = parts;
  return {
    async asksOf(name: PodName): Promise<PodAsks> {
      let pod: V1Pod | undefined;
      try {
        pod = await findPod(parts, name);
      } catch (error) {
        return { hindrance: waiting(name, error) };
      }
      if (pod === undefined) return {};
      const { asks, refused, ignored } = readAsks(pod, mode);
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
    attached(name: PodName, got: PodGot): void {
      const where = got.eniId === undefined ? "" : ` of ${got.eniId}`;
      tell(parts, name, {
        type: "Normal",
        reason: "AllocIPSucceed",
        message: `${got.ips.join(", ")}${where}, in ${
          Math.round(got.tookMs)
        } ms`,
      });
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
  const own = pods.get(name, namespace)?.metadata?.uid ?? uid;
  if (own === undefined) return;
  events.record({ kind: "Pod", namespace, name, uid: own }, happening);
}

async function annotate(
  { kubernetes }: Parts,
  { namespace, name }: PodName,
  { ips }: PodGot,
): Promise<void> {
  const annotations = Object.fromEntries([[POD_IPS, ips.join(",")]]);
  await call("annotate a pod", () =>
    kubernetes.core.patchNamespacedPod(
      { namespace, name, body: { metadata: { annotations } } },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    ));
}

function follow(
  parts: Parts,
  work: ClusterWork,
  stack: AsyncDisposableStack,
): void {
  const { options, kubernetes, pods } = parts;
  const { nodeName, log } = options;
  stack.use(
    new NodeCondition({ kubernetes, nodeName, log, keeper: work.keeper }),
  );
  const isKnown = ({ namespace, name, uid }: PodName): boolean => {
    const pod = pods.get(name, namespace);
    return pod !== undefined && isPod(pod, uid);
  };
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    // What may be behind proves nothing.
    if (pods.problem !== undefined) return;
    looking = looking.then(() => work.releaseGone(isKnown)).catch((error) =>
      log.error("leases can't be compared with pods", errorFields(error))
    );
  }, GONE_PERIOD_MS);
  stack.defer(async () => {
    clearInterval(timer);
    await looking;
  });
}
