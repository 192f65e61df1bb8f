/**
 * A node's daemon as a stage runs it: its folder, its configuration, its
 * process in the node's network namespace.
 *
 * @module
 */
import { join } from "node:path";
import { buildLauncher } from "../../deploy/launcher/build.ts";
import { stampLauncher } from "../../modes/install/stamp.ts";
import { ask } from "../../modes/wire.ts";
import {
  socketPath,
  type StageCloud,
  StageError,
  type StageNode,
} from "./description.ts";
import { launch, type Launched } from "./process.ts";
import { API_ENDPOINT, METADATA_ENDPOINT, type RegionNode } from "./region.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A daemon loads its code, asks the cloud and reads its journal in a second. */
const READY_DEADLINE_MS = 60_000;

/** How often a daemon is asked whether it is ready. */
const LOOK_MS = 25;

/** What a daemon needs. */
export interface DaemonWish {
  /** The stage's folder. */
  readonly dir: string;
  /** Its node. */
  readonly node: RegionNode;
  /** The cloud that it calls. */
  readonly cloud: StageCloud;
  /** Keys of eni_conf that win over the stage's own. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What its command line has besides. */
  readonly flags?: readonly string[];
  /** The program, if it isn't to be run from its source. */
  readonly program?: readonly [string, ...string[]];
}

/** A daemon that was started. */
export interface Daemon extends Launched {
  /** Its node, as the stage's description tells it. */
  readonly node: StageNode;
  /** The file that it logs to. */
  readonly log: string;
}

/** A daemon's files and command line, before it runs. */
export interface PreparedDaemon {
  /** The daemon's socket. */
  readonly socket: string;
  /** Where it keeps its journal. */
  readonly stateDir: string;
  /** Where the CNI plugin is. */
  readonly cniBinDir: string;
  /** Where the network configuration is. */
  readonly cniConfDir: string;
  /** The file that it logs to. */
  readonly log: string;
  /** The program and its arguments, to be run on the node. */
  readonly command: readonly [string, ...string[]];
  /** What its environment has besides. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Writes a daemon's files: its configuration, the plugin, the plugin's.
 *
 * @param wish What it needs.
 * @param socket Where it shall listen.
 * @returns What is to be run.
 */
export async function prepareDaemon(
  wish: DaemonWish,
  socket: string = socketPath(wish.dir, wish.node.name),
): Promise<PreparedDaemon> {
  const home = join(wish.dir, wish.node.name);
  const [stateDir, cniBinDir, cniConfDir, config, log] = [
    "state",
    "cni/bin",
    "cni/conf",
    "eni.json",
    "daemon.log",
  ].map((name) => join(home, name)) as [string, string, string, string, string];
  const tombstoneDir = join(stateDir, "tombstones");
  for (const folder of [tombstoneDir, cniBinDir, cniConfDir]) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await Deno.writeTextFile(config, JSON.stringify(eniConfig(wish), null, 2));
  await writeConflist(cniConfDir, { socket, tombstoneDir });
  await installPlugin(join(cniBinDir, "terway"), { socket, tombstoneDir });
  return {
    ...{ socket, stateDir, cniBinDir, cniConfDir, log },
    command: [
      ...wish.program ?? [Deno.execPath(), "run", "-A", "--quiet", MAIN],
      ...[
        "daemon",
        "--config",
        config,
        "--socket",
        socket,
        "--state-dir",
        stateDir,
      ],
      ...wish.flags ?? [],
    ],
    env: daemonEnvironment(wish.cloud),
  };
}

/**
 * Starts a node's daemon; see {@linkcode untilReady}.
 *
 * @param wish What it needs.
 * @returns The daemon.
 */
export async function startDaemon(wish: DaemonWish): Promise<Daemon> {
  const { command, env, ...prepared } = await prepareDaemon(wish);
  const { instance, netns, name, primaryIp } = wish.node;
  const { log, ...files } = prepared;
  const launched = launch({
    command: ["nsenter", `--net=${netns}`, ...command],
    env,
    log,
  });
  return {
    ...launched,
    log,
    node: {
      name,
      instanceId: instance.id,
      instanceType: instance.type,
      zone: instance.zone,
      netns,
      primaryIp,
      ...files,
      daemonPid: launched.id.pid,
    },
  };
}

/**
 * Waits until a daemon serves pods.
 *
 * @param daemon The daemon.
 * @param signal Gives it up.
 * @throws {StageError} When it ends instead, with the end of its log.
 */
export async function untilReady(
  daemon: Daemon,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  let status: Deno.CommandStatus | undefined;
  daemon.ended.then((ended) => status = ended);
  while (!await isServing(daemon.node.socket, deadline)) {
    signal?.throwIfAborted();
    if (status !== undefined || deadline.aborted) {
      const why = status === undefined
        ? "isn't ready in time"
        : `ended with status ${status.code}`;
      throw new StageError(
        `The daemon of ${daemon.node.name} ${why}:\n` +
          await lastLines(daemon.log),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Asks a daemon what operators can ask.
 *
 * @param socket Its socket.
 * @param command Such as `status` or `drain`.
 * @param signal The deadline.
 * @returns Its answer.
 * @throws {StageError} When it refuses.
 */
export async function askDaemon(
  socket: string,
  command: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const variables = new Map([["TERWAY_COMMAND", command]]);
  const request = { variables, stdin: new Uint8Array() };
  const { status, document } = await ask(socket, request, signal);
  if (status === 0) return JSON.parse(document);
  throw new StageError(`Cannot ${command} by ${socket}: ${document.trim()}`);
}

/**
 * Reads the end of a log.
 *
 * @param path The log.
 * @returns At most ten lines, indented.
 */
export async function lastLines(path: string): Promise<string> {
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
  return lines.slice(-10).map((line) => `  ${line}`).join("\n");
}

async function isServing(
  socket: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { pool } = await askDaemon(socket, "status", signal);
    return (pool as { mode?: string } | undefined)?.mode === "serving";
  } catch {
    // No socket yet, or not ready to answer: the log tells if it never will.
    return false;
  }
}

function eniConfig(
  { cloud, config }: DaemonWish,
): Readonly<Record<string, unknown>> {
  const vswitches: Record<string, string[]> = {};
  for (const { id, zone } of cloud.vSwitches) {
    vswitches[zone] = [...vswitches[zone] ?? [], id];
  }
  return {
    version: "1",
    max_pool_size: 5,
    min_pool_size: 0,
    vswitches,
    security_group: cloud.securityGroupId,
    service_cidr: "172.21.0.0/20",
    ...config,
  };
}

/**
 * Gives what a daemon finds in its environment.
 *
 * @param cloud The cloud that it calls.
 * @returns The variables.
 */
export function daemonEnvironment(cloud: StageCloud): Record<string, string> {
  return {
    ECS_ENDPOINT: API_ENDPOINT,
    VPC_ENDPOINT: API_ENDPOINT,
    ALICLOUD_CLIENT_SCHEME: "HTTP",
    ALIBABA_CLOUD_IMDS_ENDPOINT: METADATA_ENDPOINT,
    AK_ID: cloud.accessKeyId,
    AK_SECRET: cloud.accessKeySecret,
  };
}

async function writeConflist(
  dir: string,
  paths: { socket: string; tombstoneDir: string },
): Promise<void> {
  const list = {
    cniVersion: "1.0.0",
    name: "terway",
    plugins: [{
      type: "terway",
      daemon_socket: paths.socket,
      tombstone_dir: paths.tombstoneDir,
    }],
  };
  const text = JSON.stringify(list, null, 2) + "\n";
  await Deno.writeTextFile(join(dir, "10-terway.conflist"), text);
}

/** Installs the launcher where it can be built, else the TypeScript relay. */
async function installPlugin(
  path: string,
  paths: { socket: string; tombstoneDir: string },
): Promise<void> {
  const build = await buildLauncher();
  const plugin = build.ok
    ? stampLauncher(await Deno.readFile(build.path), paths)
    : new TextEncoder().encode(
      `#!/bin/sh\nexec '${Deno.execPath()}' run -A --quiet '${MAIN}' "$@"\n`,
    );
  await Deno.writeFile(path, plugin, { mode: 0o755 });
}
