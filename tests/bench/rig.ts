/**
 * What parts measure on: a stage with one node, a namespace beside it for the
 * reference plugin, and sandboxes.
 *
 * @module
 */
import { join } from "node:path";
import { exists } from "../../deploy/exists.ts";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import { askDaemon } from "../stage/daemon.ts";
import type { StageNode } from "../stage/description.ts";
import { openStage, type Stage, type StageOptions } from "../stage/stage.ts";
import {
  type Conf,
  type Contender,
  Plugin,
  REFERENCE_PLUGINS,
  type Sandbox,
  Socket,
} from "./contenders.ts";
import { round } from "./figures.ts";
import { NETWORK_PACKAGES, type Package } from "../packages.ts";
import { C_COMPILER, compileNative } from "./native.ts";

/** 14 ENIs for pods, 30 addresses each. */
const INSTANCE_TYPE = "ecs.g7.32xlarge";

/** Released addresses rest for 30 s: enough for a part's rounds. */
const POOL_COUNT = 400;

/** Filling a pool, or the rest of released addresses. */
const IDLE_DEADLINE_MS = 180_000;

/** How often the daemon is asked for its stock. */
const LOOK_MS = 100;

/**
 * A link dies 16 to 25 ms after DEL was answered, and holds a lock of the
 * kernel's while it does: whoever comes next isn't to pay for it.
 */
const QUIET_MS = 60;

const COMPILED = new URL("../../dist/terway", import.meta.url).pathname;

const COMPILER = new URL("../../deploy/compile.ts", import.meta.url).pathname;

/** What a part needs that opens a rig. */
export const RIG_NEEDS: readonly Package[] = [
  ...NETWORK_PACKAGES,
  C_COMPILER,
  {
    name: "containernetworking-plugins",
    why: "ptp, to compare with",
    probe: "host-local",
  },
];

/** How a rig shall be. */
export interface RigWish {
  /** Addresses that are ready. @default {400} */
  readonly poolCount?: number;
  /** What differs from the usual stage. */
  readonly stage?: Partial<StageOptions>;
}

/** A node to measure on. */
export class Rig implements AsyncDisposable {
  /** The stage. */
  readonly stage: Stage;
  /** Its node. */
  readonly node: StageNode;
  readonly #program: string;
  readonly #conf: Conf;
  readonly #beside: string;
  readonly #parts: AsyncDisposableStack;

  private constructor(
    open: {
      stage: Stage;
      node: StageNode;
      program: string;
      conf: Conf;
      beside: string;
      parts: AsyncDisposableStack;
    },
  ) {
    this.stage = open.stage;
    this.node = open.node;
    this.#program = open.program;
    this.#conf = open.conf;
    this.#beside = open.beside;
    this.#parts = open.parts;
  }

  /**
   * Opens one, with a warm pool.
   *
   * @param wish How it shall be.
   * @returns The rig.
   */
  static async open(wish: RigWish = {}): Promise<Rig> {
    const count = wish.poolCount ?? POOL_COUNT;
    await using parts = new AsyncDisposableStack();
    const stage = parts.use(
      await openStage({
        nodeCount: 1,
        zoneCount: 1,
        instanceType: INSTANCE_TYPE,
        config: { min_pool_size: count, max_pool_size: count },
        ...wish.stage,
      }),
    );
    const [node] = stage.description.nodes;
    if (node === undefined) throw new Error("the stage has no node");
    const program = await compileNative("runner", stage.dir);
    const conf = await readConf(node);
    const beside = `${node.netns}-ptp`;
    createNamespace(beside);
    parts.defer(() => removeNamespace(beside));
    bringLoopbackUp(beside);
    const open = { stage, node, program, conf, beside };
    const rig = new Rig({ ...open, parts: parts.move() });
    await rig.untilIdle(count);
    return rig;
  }

  /** The launcher; the TypeScript relay where no launcher can be built. */
  launcher(): Contender {
    return this.#plugin("launcher", join(this.node.cniBinDir, "terway"));
  }

  /**
   * The compiled executable, which is made when there is none yet; nothing
   * where it can't be.
   */
  async compiled(): Promise<Contender | undefined> {
    const isThere = await exists(COMPILED) || await compile();
    return isThere ? this.#plugin("compiled", COMPILED) : undefined;
  }

  /** The daemon's socket. */
  socket(): Contender {
    return new Socket(this.node.socket, this.#conf);
  }

  /** Debian's `ptp` with host-local, on a node of its own. */
  ptp(): Contender {
    const conf = {
      cniVersion: "1.0.0",
      name: "bench",
      type: "ptp",
      ipam: {
        type: "host-local",
        subnet: "10.200.0.0/16",
        dataDir: join(this.stage.dir, "host-local"),
        routes: [{ dst: "0.0.0.0/0" }],
      },
    };
    return new Plugin({
      name: "ptp",
      plugin: `${REFERENCE_PLUGINS}/ptp`,
      conf,
      node: this.#beside,
      program: this.#program,
      dir: this.stage.dir,
    });
  }

  /**
   * Makes sandboxes, as a runtime does before ADD.
   *
   * @param name Tells them from others.
   * @param count How many.
   * @returns Them; disposing of them removes their namespaces.
   */
  sandboxes(
    name: string,
    count: number,
  ): readonly Sandbox[] & Disposable {
    using made = new DisposableStack();
    const all = Array.from({ length: count }, (_, at): Sandbox => {
      const containerId = `${name}-${at}`;
      const netns = `${this.node.netns}-${containerId}`;
      createNamespace(netns);
      made.defer(() => removeNamespace(netns));
      bringLoopbackUp(netns);
      return { containerId, netns };
    });
    const kept = made.move();
    return Object.assign(all, { [Symbol.dispose]: () => kept.dispose() });
  }

  /**
   * Waits until so many addresses are ready.
   *
   * @param count How many.
   */
  async untilIdle(count: number): Promise<void> {
    const deadlineMs = performance.now() + IDLE_DEADLINE_MS;
    while (performance.now() < deadlineMs) {
      const { pool } = await this.#status();
      if ((pool as { slots: { idle: number } }).slots.idle >= count) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error(`the pool never had ${count} idle addresses`);
  }

  /** Reads the daemon's resident memory, in MiB. */
  async memoryMb(): Promise<number> {
    const { memory } = await this.#status();
    return round((memory as { rssBytes: number }).rssBytes / 2 ** 20, 1);
  }

  /** Ends the stage. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  #status(): Promise<Readonly<Record<string, unknown>>> {
    const signal = AbortSignal.timeout(5_000);
    return askDaemon(this.node.socket, "status", signal);
  }

  #plugin(name: string, plugin: string): Contender {
    return new Plugin({
      name,
      plugin,
      conf: this.#conf,
      node: this.node.netns,
      program: this.#program,
      dir: this.stage.dir,
    });
  }
}

/**
 * Waits until links that DEL has doomed are gone.
 */
export async function quiet(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
}

async function compile(): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", COMPILER],
  }).output();
  return success && await exists(COMPILED);
}

async function readConf(node: StageNode): Promise<Conf> {
  const path = join(node.cniConfDir, "10-terway.conflist");
  const list = JSON.parse(await Deno.readTextFile(path));
  return {
    cniVersion: list.cniVersion,
    name: list.name,
    ...list.plugins[0],
  };
}
