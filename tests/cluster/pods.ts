/**
 * Pods of tests: made, waited for, told of.
 *
 * @module
 */
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
  /** Its annotations. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What its container may have at most. */
  readonly limits?: Readonly<Record<string, string>>;
}

/** A pod that runs. */
export interface PodSeen {
  /** Its name. */
  readonly name: string;
  /** Where it runs. */
  readonly nodeName: string;
  /** Its address. */
  readonly ip: string;
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
  await kubectl(["apply", "-f", "-"], { stdin: podText(wish) });
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
  const timeout = `--timeout=${READY_DEADLINE_S}s`;
  await kubectl(["wait", `pod/${name}`, "--for=condition=Ready", timeout], {
    signal: AbortSignal.timeout((READY_DEADLINE_S + 10) * 1000),
  });
  const path = "jsonpath={.spec.nodeName} {.status.podIP}";
  const said = await kubectl(["get", "pod", name, "-o", path]);
  const [nodeName = "", ip = ""] = said.split(" ");
  return { name, nodeName, ip };
}

function podText(wish: PodWish): string {
  const { name, nodeName, annotations = {}, limits = {} } = wish;
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, annotations, labels: { app: name } },
    spec: {
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
  });
}
