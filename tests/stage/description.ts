/**
 * What a stage is, as `DIR/stage.json` tells it: where the cloud answers, who
 * may call it, and where each node keeps its things. People and tests read
 * this file; the names in it stay.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";

/** Where the emulated cloud answers, and what it was given to begin with. */
export interface StageCloud {
  /** Host and port on this machine's loopback. */
  readonly endpoint: string;
  /** The region. */
  readonly region: string;
  /** The id of the access key, which may do what the README's policy says. */
  readonly accessKeyId: string;
  /** The access key; worth nothing outside this stage. */
  readonly accessKeySecret: string;
  /** The VPC. */
  readonly vpcId: string;
  /** The security group that nodes and pods are in. */
  readonly securityGroupId: string;
  /** The vSwitches, one a zone. */
  readonly vSwitches: readonly StageVSwitch[];
}

/** A vSwitch. */
export interface StageVSwitch {
  /** The cloud's id. */
  readonly id: string;
  /** Its zone. */
  readonly zone: string;
  /** Its prefix. */
  readonly cidr: string;
  /** Its IPv6 prefix, if it has one. */
  readonly cidr6?: string;
}

/** A node: an instance of the cloud, a network namespace, a daemon. */
export interface StageNode {
  /** Its name. */
  readonly name: string;
  /** The cloud's id. */
  readonly instanceId: string;
  /** The instance's type. */
  readonly instanceType: string;
  /** The instance's zone. */
  readonly zone: string;
  /** The path of its network namespace. */
  readonly netns: string;
  /** The address of its primary ENI. */
  readonly primaryIp: string;
  /** The daemon's socket. */
  readonly socket: string;
  /** Where the CNI plugin is. */
  readonly cniBinDir: string;
  /** Where the network configuration is. */
  readonly cniConfDir: string;
  /** Where the daemon keeps its journal. */
  readonly stateDir: string;
  /** The daemon's process id. */
  readonly daemonPid: number;
}

/** What `DIR/stage.json` holds. */
export interface StageDescription {
  /** The cloud. */
  readonly cloud: StageCloud;
  /** The nodes, by name. */
  readonly nodes: readonly StageNode[];
}

/** A mistake of the caller, told in one line. */
export class StageError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name: string = "StageError";
}

/** Where a stage lives unless told otherwise. */
export const DEFAULT_STAGE_DIR = "/run/terway-stage";

/** Bytes of a Unix socket's path, the ending NUL included. Source: unix(7). */
const SOCKET_PATH_LIMIT = 108;

/**
 * Gives the first part of the name of every namespace of a stage, so that
 * stages in different folders don't meet.
 *
 * @param dir The stage's folder, absolute.
 * @returns `terway-` and six hex digits.
 */
export function stageName(dir: string): string {
  return "terway-" + createHash("sha256").update(dir).digest("hex").slice(0, 6);
}

/**
 * Gives the path of a daemon's socket.
 *
 * @param dir The stage's folder, absolute.
 * @param node The node's name.
 * @returns The path.
 * @throws {StageError} When the kernel would not take it.
 */
export function socketPath(dir: string, node: string): string {
  const path = join(dir, node, "terway.sock");
  const byteCount = new TextEncoder().encode(path).length + 1;
  if (byteCount > SOCKET_PATH_LIMIT) {
    throw new StageError(
      `Cannot use ${dir} as a socket's path must be under ` +
        `${SOCKET_PATH_LIMIT} bytes: ${path} has ${byteCount}; ` +
        "take a shorter --dir",
    );
  }
  return path;
}

/**
 * Writes a stage's description; it appears whole or not at all.
 *
 * @param dir The stage's folder.
 * @param description What to write.
 */
export async function writeDescription(
  dir: string,
  description: StageDescription,
): Promise<void> {
  await writeWhole(join(dir, "stage.json"), description);
}

/**
 * Writes a value as JSON; the file appears whole or not at all.
 *
 * @param path Where to.
 * @param value What to write.
 */
export async function writeWhole(path: string, value: unknown): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}`;
  const text = JSON.stringify(value, null, 2) + "\n";
  // It holds an access key: an emulated one, but habits count.
  await Deno.writeTextFile(draft, text, { mode: 0o600 });
  await Deno.rename(draft, path);
}

/**
 * Reads a stage's description.
 *
 * @param dir The stage's folder.
 * @returns The description.
 * @throws {StageError} When there is no such stage, or it isn't up.
 */
export async function readDescription(dir: string): Promise<StageDescription> {
  try {
    return JSON.parse(await Deno.readTextFile(join(dir, "stage.json")));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new StageError(
      `Cannot find a stage in ${dir}: begin one with \`deno task stage up` +
        (dir === DEFAULT_STAGE_DIR ? "`" : ` --dir ${dir}\``),
    );
  }
}

/**
 * Finds a node by its name.
 *
 * @param description The stage.
 * @param name The node's name.
 * @returns The node.
 * @throws {StageError} When there is none of that name.
 */
export function findNode(
  description: StageDescription,
  name: string,
): StageNode {
  const node = description.nodes.find((node) => node.name === name);
  if (node !== undefined) return node;
  const names = description.nodes.map((node) => node.name).join(", ");
  throw new StageError(`Cannot find node "${name}": there are ${names}`);
}
