/**
 * Runtimes that call a daemon at once, as seeded chance has it: retries,
 * callers that are killed, DELs that cross their ADD, pods that are forgotten,
 * and GC. Each does on its own sandbox what the spec lets a runtime do; what a
 * killed caller asked for may still be under way when the next call comes.
 *
 * The spec lets no GC run beside an ADD or DEL: there is a gate for that.
 *
 * @module
 */
import { ask } from "../../modes/wire.ts";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import { Chance, mix } from "../../pool/testing/chance.ts";
import { askDaemon } from "../stage/daemon.ts";
import type { StageNode } from "../stage/description.ts";
import type { Call } from "./history.ts";

/** How a storm shall be. */
export interface StormOptions {
  /** The node. */
  readonly node: StageNode;
  /** All chance comes from it. */
  readonly seed: number;
  /** How many runtimes call at once. */
  readonly runtimeCount: number;
  /** How many pods each has, one after another. */
  readonly lifeCount: number;
}

/** A pool that has nothing free lets ADDs wait until addresses have cooled. */
const CALL_DEADLINE_MS = 90_000;

const NETWORK = "terway";

/** One storm: what was called, and what was heard. */
export class Storm {
  /** All calls so far. */
  readonly calls: Call[] = [];
  /** The sandboxes that there ever were. */
  readonly owners: string[] = [];
  readonly #options: StormOptions;
  readonly #valid = new Set<string>();
  readonly #gate = new Gate();
  /** What an ADD takes just now. */
  #addMs = 10;

  /**
   * Makes one.
   *
   * @param options See {@linkcode StormOptions}.
   */
  constructor(options: StormOptions) {
    this.#options = options;
  }

  /** Lets all runtimes run to their end, and a collector beside them. */
  async run(): Promise<void> {
    const { seed, runtimeCount } = this.#options;
    const ended = new AbortController();
    const collecting = this.#collect(new Chance(mix(seed, 1)), ended.signal);
    await Promise.all(
      Array.from({ length: runtimeCount }, (_, at) => this.#live(at)),
    );
    ended.abort();
    await collecting;
  }

  /** Deletes every sandbox that there ever was. */
  async deleteAll(): Promise<void> {
    for (const owner of this.owners) {
      await this.#call("DEL", { owner, netns: "" });
    }
  }

  /** Notes what the daemon says it holds. */
  async look(): Promise<void> {
    const startMs = performance.now();
    const { leases } = await askDaemon(
      this.#options.node.socket,
      "status",
      AbortSignal.timeout(CALL_DEADLINE_MS),
    );
    const endMs = performance.now();
    const ips = new Map(
      (leases as { ownerKey: string; ip: string }[])
        .map(({ ownerKey, ip }) => [ownerKey.split("/")[1], ip]),
    );
    for (const owner of this.owners) {
      const ip = ips.get(owner);
      const heard = ip === undefined ? {} : { ip };
      const times = { startMs, endMs, ok: true };
      this.calls.push({ owner, kind: "look", ...times, ...heard });
    }
  }

  async #live(runtime: number): Promise<void> {
    const { node, seed, lifeCount } = this.#options;
    const chance = new Chance(mix(seed, 2, runtime));
    for (let life = 0; life < lifeCount; life++) {
      const owner = `r${runtime}-${life}`;
      const netns = `${node.netns}-${owner}`;
      createNamespace(netns);
      try {
        await this.#liveOnce({ owner, netns }, chance);
      } finally {
        removeNamespace(netns);
      }
    }
  }

  /** One pod's life, one of six kinds. */
  async #liveOnce(pod: Pod, chance: Chance): Promise<void> {
    this.owners.push(pod.owner);
    this.#valid.add(pod.owner);
    // About when an ADD ends is when a kill hurts most.
    const soonMs = (): number =>
      chance.oneIn(3)
        ? chance.next() * 3
        : (0.6 + 0.6 * chance.next()) * this.#addMs;
    switch (chance.int(1, 6)) {
      case 1:
        await this.#call("ADD", pod);
        await this.#call("CHECK", pod);
        break;
      case 2:
        await this.#call("ADD", pod);
        await this.#call("ADD", pod);
        await this.#call("DEL", pod, soonMs());
        break;
      case 3:
        await this.#call("ADD", pod, soonMs());
        await this.#call("ADD", pod);
        await this.#call("CHECK", pod);
        break;
      case 4:
        await this.#call("ADD", pod, soonMs());
        await this.#call("CHECK", pod);
        break;
      case 5: {
        const adding = this.#call("ADD", pod);
        const waitMs = soonMs();
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        await this.#call("DEL", pod);
        await adding;
        await this.#call("CHECK", pod);
        break;
      }
      case 6:
        // The runtime forgets it: a GC finds it.
        await this.#call("ADD", pod, chance.oneIn(2) ? soonMs() : undefined);
        this.#valid.delete(pod.owner);
        return;
    }
    this.#valid.delete(pod.owner);
    await this.#call("DEL", pod, chance.oneIn(4) ? soonMs() : undefined);
  }

  async #collect(chance: Chance, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      const waitMs = chance.int(20, 200);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (chance.oneIn(2)) await this.look();
      else await this.#gate.alone(() => this.#gc(chance));
    }
  }

  async #gc(chance: Chance): Promise<void> {
    const spelling = chance.oneIn(2)
      ? "cni.dev/valid-attachments"
      : "cni.dev/attachments";
    const valid = [...this.#valid].map((containerID) => ({
      containerID,
      ifname: "eth0",
    }));
    const gone = this.owners.filter((owner) => !this.#valid.has(owner));
    const startMs = performance.now();
    const { status } = await this.#ask(
      { CNI_COMMAND: "GC" },
      { cniVersion: "1.1.0", [spelling]: valid },
    );
    const endMs = performance.now();
    for (const owner of gone) {
      const times = { startMs, endMs, ok: status === 0 };
      this.calls.push({ owner, kind: "gone", ...times });
    }
  }

  /** One call, its caller killed after a while when that is told. */
  async #call(
    kind: "ADD" | "CHECK" | "DEL",
    { owner, netns }: Pod,
    killMs?: number,
  ): Promise<void> {
    await this.#gate.beside(async () => {
      const startMs = performance.now();
      const killed = new AbortController();
      const timer = killMs === undefined
        ? undefined
        : setTimeout(() => killed.abort(), killMs);
      const env = {
        CNI_COMMAND: kind,
        CNI_CONTAINERID: owner,
        CNI_IFNAME: "eth0",
        CNI_NETNS: netns,
      };
      try {
        const config = { cniVersion: "1.0.0" };
        const { status, document } = await this.#ask(
          env,
          config,
          killed.signal,
        );
        const endMs = performance.now();
        const ip = kind === "ADD" && status === 0 ? { ip: ipIn(document) } : {};
        const ok = status === 0;
        if (kind === "ADD" && ok) {
          this.#addMs += (endMs - startMs - this.#addMs) / 8;
        }
        this.calls.push({ owner, kind, startMs, endMs, ok, ...ip });
      } catch (error) {
        if (!killed.signal.aborted) throw error;
        this.calls.push({ owner, kind, startMs });
      } finally {
        clearTimeout(timer);
      }
    });
  }

  #ask(
    env: Readonly<Record<string, string>>,
    config: Readonly<Record<string, unknown>>,
    signal: AbortSignal = AbortSignal.timeout(CALL_DEADLINE_MS),
  ): ReturnType<typeof ask> {
    const text = JSON.stringify({ ...config, name: NETWORK, type: "terway" });
    return ask(this.#options.node.socket, {
      variables: new Map(Object.entries(env)),
      stdin: new TextEncoder().encode(text),
    }, AbortSignal.any([signal, AbortSignal.timeout(CALL_DEADLINE_MS)]));
  }
}

interface Pod {
  readonly owner: string;
  readonly netns: string;
}

function ipIn(document: string): string {
  return String(JSON.parse(document).ips[0].address).replace("/32", "");
}

/** Many beside each other, or one alone. */
class Gate {
  #beside = new Set<Promise<unknown>>();
  #alone: Promise<unknown> = Promise.resolve();

  /** Runs among others, when nothing runs alone. */
  async beside(work: () => Promise<void>): Promise<void> {
    let alone: Promise<unknown>;
    do {
      alone = this.#alone;
      await alone;
    } while (alone !== this.#alone);
    const running = work().finally(() => this.#beside.delete(running));
    this.#beside.add(running);
    await running;
  }

  /** Runs when all others have ended, and lets none begin. */
  async alone(work: () => Promise<void>): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#alone = done.promise;
    try {
      await Promise.all(this.#beside);
      await work();
    } finally {
      done.resolve();
    }
  }
}
