/**
 * One resource as the kubelet hears of it: a count from what the daemon says, a
 * socket of its own, and a memory of the last figure for the next process.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";
import { devicesOf } from "./capacity.ts";
import { keepRegistered } from "./keep.ts";
import { recall, remember } from "./memory.ts";
import { PluginServer } from "./plugin.ts";

/** What is advertised, and where. */
export interface AdvertParts {
  /** Such as `aliyun/eni`. */
  readonly resource: string;
  /** The node's name. */
  readonly nodeName: string;
  /** The folder of device plugins. */
  readonly folder: string;
  /** The daemon's socket; the memory lies beside it. */
  readonly socket: string;
  /** Where it is told. */
  readonly log: Log;
}

/** Advertises a resource. */
export class Advert implements AsyncDisposable {
  readonly #parts: AdvertParts;
  readonly #endpoint: string;
  readonly #memory: string;
  readonly #server: PluginServer;
  readonly #first = Promise.withResolvers<void>();
  #count: number | undefined;
  #listedCount = 0;

  /**
   * Makes one that the kubelet doesn't hear of yet.
   *
   * @param parts What is advertised, and where.
   */
  constructor(parts: AdvertParts) {
    this.#parts = parts;
    const { resource, nodeName, folder, socket } = parts;
    this.#endpoint = `terway-${resource.replace("/", "-")}.sock`;
    this.#memory = `${socket}-${this.#endpoint}.json`;
    this.#server = new PluginServer(
      `${folder}/${this.#endpoint}`,
      () =>
        devicesOf({
          ...{ nodeName, count: this.#count ?? 0 },
          listedCount: this.#listedCount,
        }),
    );
  }

  /** Whether there is anything to advertise. */
  get isKnown(): boolean {
    return this.#count !== undefined;
  }

  /** Takes up what the last process promised. */
  async recall(): Promise<void> {
    const { resource, nodeName, log } = this.#parts;
    const count = await recall(this.#memory, nodeName);
    if (count === undefined) return;
    this.#count = count;
    this.#listedCount = count;
    log.info("ENIs for pods, as of the last process", { resource, count });
    this.#first.resolve();
  }

  /**
   * Promises so many from now on.
   *
   * @param next How many; undefined when nobody wants them: then the kubelet
   * isn't told at all, unless it was before.
   * @param why What the log says of it.
   */
  promise(next: number | undefined, why: Record<string, unknown>): void {
    const count = next ?? (this.isKnown ? 0 : undefined);
    if (count === undefined || count === this.#count) return;
    const { resource, nodeName, log } = this.#parts;
    log.info("ENIs for pods", { resource, count, was: this.#count, ...why });
    this.#count = count;
    this.#listedCount = Math.max(this.#listedCount, count);
    this.#server.tell();
    this.#first.resolve();
    remember(this.#memory, { nodeName, count }).catch((error) =>
      log.warning("a restart won't know the figure", errorFields(error))
    );
  }

  /**
   * Keeps the kubelet told, from the first figure on.
   *
   * @param signal Ends it.
   * @throws {ServedError} When another process serves on our socket.
   */
  async keep(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#first.resolve());
    await this.#first.promise;
    const { folder, resource, log } = this.#parts;
    const [server, endpoint] = [this.#server, this.#endpoint];
    await keepRegistered({ folder, endpoint, resource, server, log }, signal);
  }

  /** Stops serving. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}
