/**
 * The stage: an emulated cloud, its VPC, and a real daemon per node, without
 * Kubernetes. The demo, tests and `deno task stage` all stand on it.
 *
 * The cloud and the VPC live in this process, daemons in processes of their
 * own; pods are the business of `pods.ts`.
 *
 * @module
 */
import type { CloudOptions } from "../emulators/alibaba/cloud.ts";
import type { StageSize } from "./arguments.ts";
import { askDaemon, type Daemon, startDaemon, untilReady } from "./daemon.ts";
import {
  socketPath,
  type StageDescription,
  stageName,
  writeDescription,
} from "./description.ts";
import { claimDir, recordProcess, sweepUp } from "./ledger.ts";
import type { PodHost } from "./pods.ts";
import { endProcess, identify } from "./process.ts";
import { openRegion, type Region } from "./region.ts";
import { count } from "./terminal.ts";

/** A stage to be opened. */
export interface StageOptions extends StageSize {
  /** Its folder, absolute. @default {a new one in $TMPDIR} */
  readonly dir?: string;
  /** The nodes' type. @default {"ecs.g7.xlarge"} */
  readonly instanceType?: string;
  /** Whether the VPC has IPv6. @default {false} */
  readonly ipv6?: boolean;
  /** Keys of eni_conf that win over the stage's own. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** What the daemons' command lines have besides. */
  readonly daemonFlags?:
    | readonly string[]
    | ((node: string) => readonly string[]);
  /** How the cloud behaves. @default {answers in milliseconds} */
  readonly cloud?: CloudOptions;
  /** Told of each step, once it is done. */
  readonly onStep?: (text: string) => void;
  /** Gives it up; nothing stays then. */
  readonly signal?: AbortSignal;
}

/** 4 cards of 15 addresses. */
const DEFAULT_TYPE = "ecs.g7.xlarge";

/** Quick, and yet so slow that nothing can count on an answer at once. */
const DEFAULT_CLOUD: CloudOptions = {
  replyMs: 5,
  attachMs: 100,
  detachMs: 100,
  deleteMs: 20,
};

/** What a drain may take. */
const DRAIN_DEADLINE_MS = 60_000;

/** What a daemon may take to end. */
const DAEMON_GRACE_MS = 5_000;

/** A stage that is up. */
export class Stage implements PodHost, AsyncDisposable {
  /** Its folder, absolute. */
  readonly dir: string;
  /** What `DIR/stage.json` tells. */
  readonly description: StageDescription;
  /** The cloud and the VPC. */
  readonly region: Region;
  readonly #daemons: Daemon[];
  readonly #start: (name: string) => Promise<Daemon>;
  readonly #parts: AsyncDisposableStack;

  /**
   * Takes over what was opened; see {@linkcode openStage}.
   *
   * @param open What is open.
   */
  constructor(open: {
    dir: string;
    region: Region;
    daemons: readonly Daemon[];
    start: (name: string) => Promise<Daemon>;
    parts: AsyncDisposableStack;
  }) {
    this.dir = open.dir;
    this.region = open.region;
    this.#daemons = [...open.daemons];
    this.#start = open.start;
    this.#parts = open.parts;
    this.description = {
      cloud: open.region.description,
      nodes: open.daemons.map(({ node }) => node),
    };
  }

  /**
   * Makes a daemon give back all ENIs that it made.
   *
   * @param name The node's name; every node when absent.
   */
  async drain(name?: string): Promise<void> {
    await drain(this.description, name);
    // A daemon has done its part when the cloud has begun the last deletion.
    await this.region.cloud.settled();
  }

  /**
   * Gives a node's daemon, to be killed or waited for.
   *
   * @param name The node's name.
   * @returns The daemon.
   */
  daemon(name: string): Daemon {
    const daemon = this.#daemons.find(({ node }) => node.name === name);
    if (daemon === undefined) throw new Error(`Cannot find node ${name}`);
    return daemon;
  }

  /**
   * Kills a node's daemon as a crash does.
   *
   * @param name The node's name.
   */
  async killDaemon(name: string): Promise<void> {
    const daemon = this.daemon(name);
    Deno.kill(daemon.id.pid, "SIGKILL");
    await daemon.ended;
  }

  /**
   * Starts a node's daemon anew, after the last one ended.
   *
   * @param name The node's name.
   */
  async restartDaemon(name: string): Promise<void> {
    const at = this.#daemons.indexOf(this.daemon(name));
    const daemon = await this.#start(name);
    this.#daemons[at] = daemon;
    await untilReady(daemon);
  }

  /** Ends the daemons and the cloud; no namespace and no file stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/**
 * Opens a stage; every daemon serves when this returns.
 *
 * @param options How it shall be.
 * @returns The stage.
 * @throws {StageError} When the folder is in use, or a daemon doesn't serve.
 */
export async function openStage(options: StageOptions): Promise<Stage> {
  const step = options.onStep ?? (() => {});
  await using parts = new AsyncDisposableStack();
  const dir = options.dir ??
    await Deno.makeTempDir({ prefix: "terway-" });
  const { nodeCount } = options;
  socketPath(dir, `n${nodeCount}`); // the longest, before anything is made
  await claimDir(dir);
  parts.defer(() => sweepUp(dir));
  const self = identify(Deno.pid);
  if (self !== undefined) recordProcess(dir, { ...self, role: "server" });
  const region = parts.use(
    await openRegion({
      ...options,
      name: stageName(dir),
      instanceType: options.instanceType ?? DEFAULT_TYPE,
      cloud: options.cloud ?? DEFAULT_CLOUD,
    }),
  );
  step(
    `cloud and VPC: ${count(options.zoneCount, "zone")}, ` +
      `${count(nodeCount, "node")}, API at ${region.description.endpoint}`,
  );
  const start = starter({ dir, region, parts, options });
  const daemons = await Promise.all(
    region.nodes.map(({ name }) => start(name)),
  );
  await Promise.all(
    daemons.map((daemon) => untilReady(daemon, options.signal)),
  );
  step(`daemons serve: ${daemons.map(({ node }) => node.name).join(", ")}`);
  const stage = new Stage({ dir, region, daemons, start, parts: parts.move() });
  await writeDescription(dir, stage.description);
  return stage;
}

/**
 * Makes daemons give back all ENIs that they made.
 *
 * @param description The stage.
 * @param name The node's name; every node when absent.
 */
export async function drain(
  description: StageDescription,
  name?: string,
): Promise<void> {
  const nodes = description.nodes.filter((node) =>
    name === undefined || node.name === name
  );
  const deadline = AbortSignal.timeout(DRAIN_DEADLINE_MS);
  await Promise.all(
    nodes.map(({ socket }) => askDaemon(socket, "drain", deadline)),
  );
}

/** Starts a node's daemon by the node's name, now or again. */
function starter(
  open: {
    dir: string;
    region: Region;
    parts: AsyncDisposableStack;
    options: StageOptions;
  },
): (name: string) => Promise<Daemon> {
  const { dir, region } = open;
  const { config = {}, daemonFlags = [] } = open.options;
  // `parts` is moved when the stage is up; daemons that come later end here.
  const running = open.parts.use(new AsyncDisposableStack());
  return async (name) => {
    const node = region.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`Cannot find node ${name}`);
    const cloud = region.description;
    const flags = typeof daemonFlags === "function"
      ? daemonFlags(name)
      : daemonFlags;
    const daemon = await startDaemon({ dir, node, cloud, config, flags });
    recordProcess(dir, { ...daemon.id, role: `daemon ${name}` });
    running.defer(() => endProcess(daemon.id, DAEMON_GRACE_MS));
    return daemon;
  };
}
