/**
 * The pods of a stage: a namespace each, wired by the real plugin.
 *
 * A pod is a file in `DIR/pods`, made before anything else and removed after
 * all else: whoever finds the file can finish what was begun. No server is
 * asked, so a test, a person and the demo can add pods to one stage at once.
 *
 * @module
 */
import { join } from "node:path";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import {
  findNode,
  type StageDescription,
  StageError,
  stageName,
} from "./description.ts";
import { callPlugin, type CniResult, type Sandbox } from "./plugin.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import { netnsPath } from "../fabric/netns_dir.ts";

/** A pod that was begun: how far it came isn't known. */
export interface BegunPod {
  /** Its name, one of a kind on the stage. */
  readonly name: string;
  /** The node that it is on. */
  readonly node: string;
  /** Its sandbox. */
  readonly sandbox: Sandbox;
}

/** A pod. */
export interface Pod extends BegunPod {
  /** Its address. */
  readonly ip: string;
  /** What ADD answered. */
  readonly result: CniResult;
  /** How long ADD took. */
  readonly addMs: number;
}

/** A stage that pods can be put on. */
export interface PodHost {
  /** The stage's folder, absolute. */
  readonly dir: string;
  /** What it is. */
  readonly description: StageDescription;
}

/** A DNS label, as Kubernetes wants for a pod's host name (RFC 1123). */
const POD_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Adds a pod: a namespace with its loopback up, then ADD.
 *
 * @param host The stage.
 * @param wish The pod's name and its node's.
 * @param signal Gives it up.
 * @returns The pod.
 * @throws {StageError} When the name is taken or illegal, or the node unknown.
 * @throws {PluginError} When ADD fails; then nothing of the pod is left.
 */
export async function addPod(
  host: PodHost,
  wish: { name: string; node: string },
  signal?: AbortSignal,
): Promise<Pod> {
  if (!POD_NAME.test(wish.name)) {
    throw new StageError(
      `Cannot name a pod "${wish.name}" as a name must be a DNS label: ` +
        "lower-case letters, digits and dashes, at most 63",
    );
  }
  const node = findNode(host.description, wish.node);
  const file = podFile(host, wish.name);
  const netns = podNetns(host, wish.name);
  const sandbox: Sandbox = {
    pod: wish.name,
    namespace: "default",
    containerId: randomHex(32),
    netns,
    ifName: "eth0",
  };
  await reserve(file, { ...wish, sandbox });
  try {
    createNamespace(netns);
    bringLoopbackUp(netns);
    const answer = await callPlugin({
      verb: "ADD",
      node,
      sandbox,
      ...(signal === undefined ? {} : { signal }),
    });
    const result: CniResult = JSON.parse(answer.stdout);
    const ip = result.ips[0]?.address.split("/")[0] ?? "";
    const pod: Pod = { ...wish, ip, sandbox, result, addMs: answer.tookMs };
    await Deno.writeTextFile(file, JSON.stringify(pod, null, 2) + "\n");
    return pod;
  } catch (error) {
    // A runtime calls DEL after a failed ADD. Source: CNI spec, "ADD".
    await callPlugin({ verb: "DEL", node, sandbox }).catch(() => {});
    removeNamespace(netns);
    await Deno.remove(file);
    throw error;
  }
}

/**
 * Removes a pod: DEL, then its namespace.
 *
 * @param host The stage.
 * @param name The pod's name.
 * @returns How long DEL took, in ms.
 * @throws {StageError} When there is no such pod.
 * @throws {PluginError} When DEL fails; the pod stays.
 */
export async function removePod(host: PodHost, name: string): Promise<number> {
  const pod = await readPod(host, name);
  const answer = await callPlugin({
    verb: "DEL",
    node: findNode(host.description, pod.node),
    sandbox: pod.sandbox,
    ...(pod.result === undefined ? {} : { prevResult: pod.result }),
  });
  removeNamespace(podNetns(host, name));
  await Deno.remove(podFile(host, name));
  return answer.tookMs;
}

/**
 * Asks the plugin whether a pod's network is as ADD left it.
 *
 * @param host The stage.
 * @param name The pod's name.
 * @throws {PluginError} When it isn't; it names the objects.
 */
export async function checkPod(host: PodHost, name: string): Promise<void> {
  const pod = await readPod(host, name);
  await callPlugin({
    verb: "CHECK",
    node: findNode(host.description, pod.node),
    sandbox: pod.sandbox,
    ...(pod.result === undefined ? {} : { prevResult: pod.result }),
  });
}

/**
 * Lists the pods.
 *
 * @param host The stage.
 * @returns The pods, by name; those half made or half removed too.
 */
export async function listPods(
  host: PodHost,
): Promise<(BegunPod & Partial<Pod>)[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(join(host.dir, "pods"))) {
    if (entry.name.endsWith(".json")) names.push(entry.name.slice(0, -5));
  }
  return await Promise.all(names.sort().map((name) => readPod(host, name)));
}

/**
 * Reads a pod.
 *
 * @param host The stage.
 * @param name The pod's name.
 * @returns The pod.
 * @throws {StageError} When there is no such pod.
 */
export async function readPod(
  host: PodHost,
  name: string,
): Promise<BegunPod & Partial<Pod>> {
  try {
    return JSON.parse(await Deno.readTextFile(podFile(host, name)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new StageError(`Cannot find pod "${name}" on this stage`);
  }
}

async function reserve(file: string, begun: BegunPod): Promise<void> {
  try {
    const text = JSON.stringify(begun) + "\n";
    await Deno.writeTextFile(file, text, { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new StageError(`Cannot add pod "${begun.name}": the name is taken`);
  }
}

function podFile(host: PodHost, name: string): string {
  return join(host.dir, "pods", `${name}.json`);
}

function podNetns(host: PodHost, name: string): string {
  return netnsPath(`${stageName(host.dir)}-pod-${name}`);
}

function randomHex(byteCount: number): string {
  return crypto.getRandomValues(new Uint8Array(byteCount)).toHex();
}
