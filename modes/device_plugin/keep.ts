/**
 * Keeps a plugin known to the kubelet: across the kubelet's restarts, after
 * which no socket is where it was, and when the kubelet stops listening.
 *
 * The folder is looked at four times a second. That is two lstat() a look, and
 * sees a folder that was put in another's place, which inotify doesn't; besides,
 * nodes run out of inotify instances.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";
import { KUBELET_SOCKET } from "./api.ts";
import { register, socketAt } from "./kubelet.ts";
import { type PluginServer, ServedError } from "./plugin.ts";

/** Between two looks; a restart must be noticed within a second. */
const LOOK_MS = 250;

/** The kubelet begins to listen right after it answered. */
const LISTEN_MS = 5_000;

/** The longest pause between two tries that failed. */
const PAUSE_MAX_MS = 5_000;

/** What is known when it is time to look. */
export interface Seen {
  /** The socket that we made, by {@linkcode socketAt}, if we did. */
  readonly madeSocket: string | undefined;
  /** The socket that is there in its place. */
  readonly ownSocket: string | undefined;
  /** The kubelet's. */
  readonly kubeletSocket: string | undefined;
  /** The kubelet's when it took us up, if it did. */
  readonly registeredAt: string | undefined;
  /** How long ago that was. */
  readonly registeredForMs: number;
  /** Whether the kubelet listens. */
  readonly isWatched: boolean;
}

/**
 * Says what to do. Pure.
 *
 * @param seen What is known.
 * @returns `serve` to make our socket, then to look again; `register` to make
 * it known; `wait` when all is well or the kubelet isn't there.
 */
export function nextDeed(seen: Seen): "serve" | "register" | "wait" {
  const { madeSocket, ownSocket, kubeletSocket, registeredAt } = seen;
  if (madeSocket === undefined || ownSocket !== madeSocket) return "serve";
  if (kubeletSocket === undefined) return "wait";
  if (kubeletSocket !== registeredAt) return "register";
  const isDeaf = !seen.isWatched && seen.registeredForMs >= LISTEN_MS;
  return isDeaf ? "register" : "wait";
}

/** What keeping works with. */
export interface KeepParts {
  /** The folder of device plugins. */
  readonly folder: string;
  /** The name of our socket there. */
  readonly endpoint: string;
  /** What is advertised. */
  readonly resource: string;
  /** Serves on that socket. */
  readonly server: PluginServer;
  /** Where it is told. */
  readonly log: Log;
}

/**
 * Keeps a plugin known until it is told to stop.
 *
 * @param parts What it works with.
 * @param signal Ends it.
 * @throws {ServedError} When another process serves on our socket.
 */
export async function keepRegistered(
  parts: KeepParts,
  signal: AbortSignal,
): Promise<void> {
  const keeping = new Keeping(parts);
  while (!signal.aborted) {
    await keeping.look();
    await pause(LOOK_MS, signal);
  }
}

class Keeping {
  readonly #parts: KeepParts;
  readonly #ownPath: string;
  readonly #kubeletPath: string;
  #madeSocket: string | undefined;
  #registeredAt: string | undefined;
  #registeredMs = 0;
  /** The kubelet's socket at the last look; none was there before the first. */
  #lastKubelet: string | undefined = "";
  #failureCount = 0;
  #notBeforeMs = 0;

  constructor(parts: KeepParts) {
    this.#parts = parts;
    this.#ownPath = `${parts.folder}/${parts.endpoint}`;
    this.#kubeletPath = `${parts.folder}/${KUBELET_SOCKET}`;
  }

  async look(): Promise<void> {
    const kubeletSocket = await socketAt(this.#kubeletPath);
    this.#meet(kubeletSocket);
    if (performance.now() < this.#notBeforeMs) return;
    try {
      await this.#act(kubeletSocket);
      this.#failureCount = 0;
    } catch (error) {
      if (error instanceof ServedError) throw error;
      this.#fail(error);
    }
  }

  /** One that is new may be asked at once, whatever the last one said. */
  #meet(kubeletSocket: string | undefined): void {
    if (kubeletSocket === this.#lastKubelet) return;
    this.#lastKubelet = kubeletSocket;
    this.#notBeforeMs = 0;
    if (kubeletSocket !== undefined) return;
    this.#parts.log.warning("the kubelet isn't there: waiting for its socket", {
      path: this.#kubeletPath,
    });
  }

  async #act(kubeletSocket: string | undefined): Promise<void> {
    const { folder, endpoint, resource, server, log } = this.#parts;
    const look = async (): Promise<ReturnType<typeof nextDeed>> =>
      nextDeed({
        madeSocket: this.#madeSocket,
        ownSocket: await socketAt(this.#ownPath),
        kubeletSocket,
        registeredAt: this.#registeredAt,
        registeredForMs: performance.now() - this.#registeredMs,
        isWatched: server.isWatched,
      });
    if (await look() === "serve") {
      this.#registeredAt = undefined;
      await server.serve();
      this.#madeSocket = await socketAt(this.#ownPath);
    }
    if (await look() !== "register") return;
    await register(folder, { endpoint, resource });
    this.#registeredAt = kubeletSocket;
    this.#registeredMs = performance.now();
    log.info("registered with the kubelet", { resource, endpoint });
  }

  #fail(error: unknown): void {
    const pauseMs = LOOK_MS * 2 ** Math.min(this.#failureCount, 10);
    this.#notBeforeMs = performance.now() + Math.min(PAUSE_MAX_MS, pauseMs);
    if (this.#failureCount++ > 0) return;
    const { resource, log } = this.#parts;
    log.warning("the kubelet doesn't take the plugin up: trying again", {
      resource,
      ...errorFields(error),
    });
  }
}

/**
 * Pauses.
 *
 * @param ms How long at most.
 * @param signal Ends it early.
 */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
}
