/**
 * A container runtime's side of CNI: composes what a plugin is given, runs it
 * on the node, reads what it answers.
 *
 * @module
 */
import { join } from "node:path";
import { StageError, type StageNode } from "./description.ts";

/** The verbs of CNI. Source: CNI spec 1.1.0, section 2. */
export type Verb = "ADD" | "CHECK" | "DEL" | "GC" | "STATUS" | "VERSION";

/** A pod's sandbox, as a runtime knows it. */
export interface Sandbox {
  /** The pod's name. */
  readonly pod: string;
  /** The pod's namespace in Kubernetes. */
  readonly namespace: string;
  /** The sandbox's id, new for every life of a pod. */
  readonly containerId: string;
  /** The path of its network namespace. */
  readonly netns: string;
  /** The interface that it gets. */
  readonly ifName: string;
}

/** What ADD answers, as far as the stage reads it. */
export interface CniResult {
  /** The version that the result is written in. */
  readonly cniVersion: string;
  /** The pod's addresses. */
  readonly ips: readonly { readonly address: string }[];
  /** All else, kept for CHECK and DEL. */
  readonly [key: string]: unknown;
}

/** One call of the plugin. */
export interface PluginCall {
  /** What it shall do. */
  readonly verb: Verb;
  /** Where. */
  readonly node: StageNode;
  /** For whom; absent for verbs that concern no sandbox. */
  readonly sandbox?: Sandbox;
  /** What ADD answered; required by CHECK. */
  readonly prevResult?: CniResult;
  /** Ends the call early. */
  readonly signal?: AbortSignal;
}

/** What came of a call that succeeded. */
export interface PluginAnswer {
  /** What it printed. */
  readonly stdout: string;
  /** From the start of the process to its end. */
  readonly tookMs: number;
}

/** A call that the plugin refused, in the plugin's own words. */
export class PluginError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "PluginError";
  /** CNI's error code; 0 when what it printed is no error document. */
  readonly code: number;
  /** What it told besides its message. */
  readonly details: string;

  /**
   * Makes one.
   *
   * @param verb What was asked.
   * @param document The error document.
   */
  constructor(
    verb: Verb,
    document: { code: number; msg: string; details: string },
  ) {
    const more = document.details === "" ? "" : ` (${document.details})`;
    super(`${verb} failed with code ${document.code}: ${document.msg}${more}`);
    this.code = document.code;
    this.details = document.details;
  }
}

/**
 * Runs the plugin on a node, as the runtime there would.
 *
 * @param call What, where and for whom.
 * @returns What it printed.
 * @throws {PluginError} When it exits with another status than 0.
 */
export async function callPlugin(call: PluginCall): Promise<PluginAnswer> {
  const { verb, node, sandbox } = call;
  const config = await readConfig(node.cniConfDir);
  const stdin = JSON.stringify({ ...config, prevResult: call.prevResult });
  const startMs = performance.now();
  const child = new Deno.Command("nsenter", {
    args: [`--net=${node.netns}`, join(node.cniBinDir, String(config.type))],
    env: environment(verb, node, sandbox),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  }).spawn();
  const output = child.output();
  await give(child.stdin, stdin);
  const { code, stdout, stderr } = await output;
  const tookMs = performance.now() - startMs;
  const text = new TextDecoder().decode(stdout);
  if (code === 0) return { stdout: text, tookMs };
  throw new PluginError(
    verb,
    readErrorDocument(text, code, new TextDecoder().decode(stderr)),
  );
}

/** Composes a plugin's configuration from the list, as libcni does. */
async function readConfig(dir: string): Promise<Record<string, unknown>> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (entry.name.endsWith(".conflist")) names.push(entry.name);
  }
  const name = names.sort()[0];
  if (name === undefined) {
    throw new StageError(`Cannot find a network configuration in ${dir}`);
  }
  const list = JSON.parse(await Deno.readTextFile(join(dir, name)));
  return { ...list.plugins[0], name: list.name, cniVersion: list.cniVersion };
}

function environment(
  verb: Verb,
  node: StageNode,
  sandbox?: Sandbox,
): Record<string, string> {
  const common = { CNI_COMMAND: verb, CNI_PATH: node.cniBinDir };
  if (sandbox === undefined) return common;
  return {
    ...common,
    CNI_CONTAINERID: sandbox.containerId,
    CNI_NETNS: sandbox.netns,
    CNI_IFNAME: sandbox.ifName,
    CNI_ARGS: "IgnoreUnknown=1" +
      `;K8S_POD_NAMESPACE=${sandbox.namespace}` +
      `;K8S_POD_NAME=${sandbox.pod}` +
      `;K8S_POD_INFRA_CONTAINER_ID=${sandbox.containerId}`,
  };
}

async function give(
  stdin: WritableStream<Uint8Array<ArrayBuffer>>,
  text: string,
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // A plugin may answer without reading all that it is given.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function readErrorDocument(
  stdout: string,
  status: number,
  stderr: string,
): { code: number; msg: string; details: string } {
  try {
    const { code = 0, msg = "", details = "" } = JSON.parse(stdout);
    return { code, msg, details };
  } catch {
    const said = (stderr.trim() || stdout.trim()).slice(-2_000);
    return { code: 0, msg: `no answer, exit status ${status}`, details: said };
  }
}
