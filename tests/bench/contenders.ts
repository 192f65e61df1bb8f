/**
 * Who is measured: terway by its relays and at the daemon's own socket, and
 * Debian's `ptp` with host-local beside it.
 *
 * @module
 */
import { join } from "node:path";
import { ask } from "../../modes/wire.ts";
import { Runner } from "./runner.ts";

/** Where Debian puts the reference plugins. */
export const REFERENCE_PLUGINS = "/usr/lib/cni";

/** Longer than any verb takes. */
const DEADLINE_MS = 90_000;

/** The verbs that are measured, in the order in which a pod meets them. */
export const VERBS = ["ADD", "CHECK", "DEL"] as const;

/** A verb that is measured. */
export type Verb = typeof VERBS[number];

/** A sandbox. */
export interface Sandbox {
  /** Its id. */
  readonly containerId: string;
  /** The path of its namespace. */
  readonly netns: string;
}

/** What a verb on some sandboxes took. */
export interface Took {
  /** On each, in ms. */
  readonly eachMs: readonly number[];
  /** From the first one's start to the last one's end. */
  readonly totalMs: number;
}

/** Somebody who serves the verbs of sandboxes. */
export interface Contender extends AsyncDisposable {
  /** Its name in the figures. */
  readonly name: string;
  /**
   * Carries out a verb; after ADD with the earlier result, as runtimes do.
   *
   * @param verb What.
   * @param sandboxes On which.
   * @param atOnce On how many at a time. @default {1}
   * @returns What it took.
   * @throws {Error} When it fails.
   */
  call(
    verb: Verb,
    sandboxes: readonly Sandbox[],
    atOnce?: number,
  ): Promise<Took>;
}

/** A network configuration, without `prevResult`. */
export type Conf = Readonly<Record<string, unknown>>;

/** What a plugin needs to be run. */
export interface PluginWish {
  /** Its name in the figures. */
  readonly name: string;
  /** The executable. */
  readonly plugin: string;
  /** Its network configuration. */
  readonly conf: Conf;
  /** The namespace of the node that it runs on. */
  readonly node: string;
  /** The compiled `runner.c`. */
  readonly program: string;
  /** A folder for files. */
  readonly dir: string;
}

/** A plugin, run as a process. */
export class Plugin implements Contender {
  readonly name: string;
  readonly #wish: PluginWish;
  readonly #runner: Runner;
  readonly #results = new Map<string, unknown>();

  /**
   * Starts what runs it.
   *
   * @param wish What it is.
   */
  constructor(wish: PluginWish) {
    this.name = wish.name;
    this.#wish = wish;
    const { program, node: netns, dir } = wish;
    const cniPath = REFERENCE_PLUGINS;
    this.#runner = new Runner({ program, netns, dir, cniPath });
  }

  async call(
    verb: Verb,
    sandboxes: readonly Sandbox[],
    atOnce = 1,
  ): Promise<Took> {
    const { plugin } = this.#wish;
    const runs = await Promise.all(sandboxes.map(async (sandbox) => {
      const conf = await this.#writeConf(sandbox);
      return { ...sandbox, plugin, verb, conf };
    }));
    const { runs: ran, tookMs } = await this.#runner.run(runs, atOnce);
    for (const [at, { containerId, conf }] of runs.entries()) {
      if (verb === "ADD") {
        this.#results.set(containerId, JSON.parse(ran[at]?.said ?? ""));
      }
      if (verb === "DEL") this.#results.delete(containerId);
      await Deno.remove(conf);
    }
    return { eachMs: ran.map(({ tookMs }) => tookMs), totalMs: tookMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runner[Symbol.asyncDispose]();
  }

  async #writeConf({ containerId }: Sandbox): Promise<string> {
    const { dir, conf } = this.#wish;
    const prevResult = this.#results.get(containerId);
    const whole = prevResult === undefined ? conf : { ...conf, prevResult };
    const path = join(dir, `${this.name}-${containerId}.json`);
    await Deno.writeTextFile(path, JSON.stringify(whole));
    return path;
  }
}

/** The daemon, asked on its socket by this process: no process is started. */
export class Socket implements Contender {
  readonly name = "socket";
  readonly #path: string;
  readonly #stdin: Uint8Array;

  /**
   * Makes one.
   *
   * @param path The daemon's socket.
   * @param conf The network configuration.
   */
  constructor(path: string, conf: Conf) {
    this.#path = path;
    this.#stdin = new TextEncoder().encode(JSON.stringify(conf));
  }

  async call(verb: Verb, sandboxes: readonly Sandbox[]): Promise<Took> {
    const startMs = performance.now();
    const eachMs: number[] = [];
    for (const sandbox of sandboxes) {
      eachMs.push(await this.#one(verb, sandbox));
    }
    return { eachMs, totalMs: performance.now() - startMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every call has a connection of its own.
  }

  async #one(verb: Verb, { containerId, netns }: Sandbox): Promise<number> {
    const variables = new Map([
      ["CNI_COMMAND", verb],
      ["CNI_CONTAINERID", containerId],
      ["CNI_NETNS", netns],
      ["CNI_IFNAME", "eth0"],
    ]);
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const startMs = performance.now();
    const request = { variables, stdin: this.#stdin };
    const { status, document } = await ask(this.#path, request, signal);
    const tookMs = performance.now() - startMs;
    if (status !== 0) throw new Error(`${verb} failed: ${document}`);
    return tookMs;
  }
}
