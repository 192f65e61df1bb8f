/**
 * Pods of tests: made, waited for, told of.
 *
 * @module
 */
import { assertMatch } from "@std/assert";
import type { Cluster } from "./cluster.ts";
import { AGNHOST_IMAGE, BUSYBOX_IMAGE } from "./images.ts";
import type { Kubectl } from "./kubectl.ts";

/** A pod to be made. */
export interface PodWish {
  /** Its name. */
  readonly name: string;
  /** The node that it shall run on; the scheduler's choice when absent. */
  readonly nodeName?: string;
  /** Its image; busybox unless told. */
  readonly image?: "busybox" | "agnhost";
  /** What it runs; it sleeps unless told. */
  readonly command?: readonly string[];
  /** Its labels, besides `app`, which is its name. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Its annotations. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What its container may have at most. */
  readonly limits?: Readonly<Record<string, string>>;
  /** Whether a container that ends stays so. @default {false} */
  readonly runsOnce?: boolean;
}

/** A pod that runs. */
export interface PodSeen {
  /** Its name. */
  readonly name: string;
  /** Where it runs. */
  readonly nodeName: string;
  /** Its address. */
  readonly ip: string;
  /** Its address of each family, the same one first. */
  readonly ips: readonly string[];
}

/** A pod on a busy machine. */
const READY_DEADLINE_S = 90;

/**
 * Makes a pod in the namespace `default`, and waits until it is ready.
 *
 * @param kubectl Asks the API server.
 * @param wish See {@linkcode PodWish}.
 * @returns The pod.
 */
export async function runPod(
  kubectl: Kubectl,
  wish: PodWish,
): Promise<PodSeen> {
  await createPod(kubectl, wish);
  return await waitForPod(kubectl, wish.name);
}

/**
 * Makes a pod in the namespace `default`.
 *
 * @param kubectl Asks the API server.
 * @param wish See {@linkcode PodWish}.
 */
export async function createPod(
  kubectl: Kubectl,
  wish: PodWish,
): Promise<void> {
  await createPods(kubectl, [wish]);
}

/**
 * Makes pods in the namespace `default`, at once.
 *
 * @param kubectl Asks the API server.
 * @param wishes See {@linkcode PodWish}.
 */
export async function createPods(
  kubectl: Kubectl,
  wishes: readonly PodWish[],
): Promise<void> {
  const items = wishes.map(podOf);
  const list = { apiVersion: "v1", kind: "List", items };
  await kubectl(["apply", "-f", "-"], { stdin: JSON.stringify(list) });
}

/**
 * Waits until pods are ready.
 *
 * @param kubectl Asks the API server.
 * @param which Words of kubectl that name them.
 * @param deadlineS How long they may take, in seconds.
 */
export async function waitForReadyPods(
  kubectl: Kubectl,
  which: readonly string[],
  deadlineS: number = READY_DEADLINE_S,
): Promise<void> {
  const timeout = `--timeout=${deadlineS}s`;
  await kubectl(["wait", ...which, "--for=condition=Ready", timeout], {
    signal: AbortSignal.timeout((deadlineS + 10) * 1000),
  });
}

/**
 * Waits until a pod is ready.
 *
 * @param kubectl Asks the API server.
 * @param name The pod's name.
 * @returns The pod.
 */
export async function waitForPod(
  kubectl: Kubectl,
  name: string,
): Promise<PodSeen> {
  await waitForReadyPods(kubectl, [`pod/${name}`]);
  const path = "jsonpath={.spec.nodeName} {.status.podIPs[*].ip}";
  const said = await kubectl(["get", "pod", name, "-o", path]);
  const [nodeName = "", ...ips] = said.split(" ");
  return { name, nodeName, ip: ips[0] ?? "", ips };
}

/**
 * Makes a pod of `agnhost` on each node, called `on-` and the node's name.
 *
 * @param cluster The cluster.
 * @returns The pods, which run.
 */
export async function podOnEach(
  { kubectl, description: { nodes } }: Pick<Cluster, "kubectl" | "description">,
): Promise<readonly PodSeen[]> {
  return await Promise.all(
    nodes.map(({ name: nodeName }) =>
      runPod(kubectl, { name: `on-${nodeName}`, nodeName, image: "agnhost" })
    ),
  );
}

/**
 * Shows that the first pod reaches each address of the others.
 *
 * @param kubectl Asks the API server.
 * @param pods At least two.
 */
export async function ping(
  kubectl: Kubectl,
  [from, ...others]: readonly PodSeen[],
): Promise<void> {
  for (const ip of others.flatMap(({ ips }) => ips)) {
    const words = ["exec", from?.name ?? "", "--", "ping", "-c2", ip];
    assertMatch(await kubectl(words), /2 (packets )?received/);
  }
}

function podOf(wish: PodWish): Readonly<Record<string, unknown>> {
  const { name, nodeName, labels, annotations = {}, limits = {} } = wish;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, annotations, labels: { app: name, ...labels } },
    spec: {
      ...(wish.runsOnce === true ? { restartPolicy: "Never" } : {}),
      ...(nodeName === undefined ? {} : { nodeName }),
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: "main",
        image: wish.image === "agnhost" ? AGNHOST_IMAGE : BUSYBOX_IMAGE,
        imagePullPolicy: "Never",
        command: wish.command ?? ["sleep", "100000"],
        resources: { limits },
      }],
    },
  };
}

/**
 * Names the addresses of pods that have networks of their own.
 *
 * @param kubectl Asks the API server.
 * @param nodeName Where they run.
 * @returns Each pod's name and addresses, those that have ended left out.
 */
export async function podsOn(
  kubectl: Kubectl,
  nodeName: string,
): Promise<readonly { readonly name: string; readonly ips: string[] }[]> {
  const on = `--field-selector=spec.nodeName=${nodeName}`;
  const said = await kubectl(["get", "pods", "-A", on, "-o", "json"]);
  const { items } = JSON.parse(said) as { readonly items: PodObject[] };
  return items
    .filter(({ spec }) => spec.hostNetwork !== true)
    .filter(({ status }) => !/^(Succeeded|Failed)$/.test(status.phase ?? ""))
    .map(({ metadata: { name }, status: { podIPs = [] } }) => ({
      name,
      ips: podIPs.map(({ ip }) => ip),
    }));
}

/** What is read of the API server's pods. */
interface PodObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly hostNetwork?: boolean };
  readonly status: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
  };
}
