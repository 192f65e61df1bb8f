/**
 * The cluster when it is Kubernetes; loaded by `cluster.ts` alone.
 *
 * In the executable it is a bundle of its own: a class that the daemon has too
 * is another one here, so errors of the daemon are neither thrown nor told
 * apart by their class.
 *
 * @module
 */
import { join } from "node:path";
import type { PodName } from "../../netns/attachment.ts";
import {
  ApiError,
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
import { clusterPods } from "./cluster_pods.ts";
import { NodeObject } from "./node_object.ts";
import { isPod } from "./pod_asks.ts";
import { serviceCidrFrom } from "./service_cidr.ts";

/** A start waits as long for the API server's configuration. */
const CONFIG_DEADLINE_MS = 10_000;

/** How often leases are compared with the cluster's pods. */
const GONE_PERIOD_MS = 60_000;

/** How often a node without a pod CIDR is looked at, and told of. */
const CIDR_LOOK_MS = 1_000;
const LOG_EVERY = 30;

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
  let work: ClusterWork | undefined;
  return {
    places,
    goodPlaces: config.goodPlaces,
    pods: clusterPods({
      ...{ kubernetes, pods, events, mode: options.mode, log },
      patchesPodIps: () => work?.patchesPodIps() ?? true,
      statefulKinds: () => work?.statefulKinds() ?? [],
    }),
    tellNode: (happening) => tellNode(parts, happening),
    keepGood: () => config.keepGood(),
    serviceCidr: () => serviceCidrOf(kubernetes),
    podCidr: () => podCidrOf(parts),
    problem: () => pods.problem?.message,
    follow: (given) => {
      work = given;
      follow(parts, given, kept);
    },
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
    // Outside kube-system the daemon has no right to kubeadm's.
    const isSilent = error instanceof ApiError &&
      [403, 404].includes(error.status);
    if (isSilent) return undefined;
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

/** A node that isn't known yet has no events. */
function tellNode({ options, config, events }: Parts, what: Happening): void {
  const uid = config.node()?.metadata?.uid;
  if (uid === undefined) return;
  events.record({ kind: "Node", name: options.nodeName, uid }, what);
}

function follow(
  parts: Parts,
  work: ClusterWork,
  stack: AsyncDisposableStack,
): void {
  const { options, kubernetes, pods, config } = parts;
  const { nodeName, log } = options;
  stack.use(
    new NodeObject({
      ...{ kubernetes, nodeName, log, ...work },
      node: () => config.node(),
      hostPods: () =>
        pods.list().filter(({ spec }) => spec?.hostNetwork === true).length,
      tell: (happening) => tellNode(parts, happening),
    }),
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
