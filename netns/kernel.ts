/**
 * The node's kernel as the daemon sees it: plans are applied, compared and
 * removed, links are found and waited for. The work is done by `worker.ts` on
 * a thread of its own.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import type { KernelEvent } from "./event.ts";
import type { Ip } from "./ip.ts";
import { type KernelHost, WorkerHost } from "./kernel_host.ts";
import type { LinkSeen } from "./link_object.ts";
import { glanceAtNamespace } from "./namespace.ts";
import type { MarkedCard, PodRoom, Recalled, RecallWish } from "./recall.ts";
import type { Speaker } from "./speaker.ts";
import type { Difference, Plan } from "./step.ts";
import { waitForLink } from "./wait_for_link.ts";
import type { SettingChange } from "./work.ts";
import {
  type HostRoute,
  type Reply,
  toError,
  type Verb,
  type Verbs,
} from "./kernel_wire.ts";

export type { KernelEvent } from "./event.ts";
export type { HostRoute } from "./kernel_wire.ts";
export type { LinkSeen } from "./link_object.ts";
export type { MarkedCard, PodRoom, Recalled } from "./recall.ts";
export type { Capability } from "./probe.ts";
export type { Speaker } from "./speaker.ts";
export type { SettingChange } from "./work.ts";

/** The kernel's thread is gone; nothing can be asked any more. */
export class KernelError extends Error {
  /** Its class. */
  override readonly name = "KernelError";
}

/** The rtnetlink of one node. */
export interface Kernel extends AsyncDisposable {
  /** Its settings and packet filters. */
  readonly host: KernelHost;
  /**
   * Makes a plan true, or leaves everything as it was. Waits for a dying link
   * of the same name first.
   *
   * @param plan What the kernel shall hold.
   * @returns The node's own settings that weren't as planned and are now, for
   * whoever tells people.
   * @throws {NamespaceError} When the pod's namespace can't be used.
   * @throws {TakenError} When an object's place is taken by somebody else's.
   * @throws {NetlinkError} What the kernel refused a step with.
   */
  apply(plan: Plan): Promise<readonly SettingChange[]>;
  /**
   * Names what isn't as planned.
   *
   * @param plan What the kernel shall hold.
   * @returns A difference an object; empty when all is well.
   */
  compare(plan: Plan): Promise<readonly Difference[]>;
  /**
   * Compares plans with one look at the node and one at each pod. Of more than
   * five, other requests are served in between, so what it names may be out of
   * date: `compare` the plan again before something is done about it.
   *
   * @param plans What the kernel shall hold.
   * @returns The differences of each plan, in the order of the plans.
   */
  compareAll(
    plans: readonly Plan[],
  ): Promise<readonly (readonly Difference[])[]>;
  /**
   * Walks a plan back. Resolves when rules and routes are gone, and the link's
   * death or a card's way home is under way.
   *
   * @param plan What was applied.
   * @throws {NetlinkError} What the kernel refused other than with "gone".
   */
  remove(plan: Plan): Promise<void>;
  /**
   * Waits until every deletion under way has ended.
   *
   * @throws {NetlinkError} When the kernel refused one since the last call.
   */
  settled(): Promise<void>;
  /**
   * Finds who on this node speaks for addresses: rules, routes, links, pods
   * that live. An address that nobody speaks for can be given to somebody.
   *
   * @param ips The addresses in question.
   * @returns At least one speaker for each address that has any.
   * @throws {NetlinkError} When the kernel can't be read: then nothing is known.
   */
  speakersFor(ips: readonly Ip[]): Promise<readonly Speaker[]>;
  /**
   * Deletes the flows that addresses take part in, before they get a new
   * owner.
   *
   * @param ips The addresses.
   * @returns How many flows were deleted.
   * @throws {NetlinkError} `EOPNOTSUPP` when the kernel tracks no connections, or can't be asked about them.
   */
  forgetFlows(ips: readonly Ip[]): Promise<number>;
  /**
   * Finds a link of the node by MAC. Costs a dump of all links.
   *
   * @param mac In lower case.
   * @returns The link; undefined when there is none.
   */
  findLink(mac: Mac): Promise<LinkSeen | undefined>;
  /**
   * Finds a card of the node in its pods. Costs a dump of each pod's links.
   *
   * @param mac In lower case.
   * @returns The card as the pod sees it; undefined when no pod has it.
   */
  findPodCard(mac: Mac): Promise<LinkSeen | undefined>;
  /**
   * Lists the node's links.
   *
   * @returns The links by rising index.
   */
  links(): Promise<readonly LinkSeen[]>;
  /**
   * Lists the node's routes to single addresses, such as those to pods.
   *
   * @returns Routes of table main, of both families.
   */
  hostRoutes(): Promise<readonly HostRoute[]>;
  /**
   * Waits for a link of the node by MAC: by events, without polling.
   *
   * @param mac In lower case.
   * @param signal Ends the waiting.
   * @returns The link, at once when it is there.
   * @throws The signal's reason.
   */
  waitForLink(mac: Mac, signal: AbortSignal): Promise<LinkSeen>;
  /**
   * Looks whether a path can serve as a pod's namespace. A namespace of
   * another kind than network is found out when a plan is applied.
   *
   * @param path As the runtime gave it.
   * @returns Its inode.
   * @throws {NamespaceError} When it can't.
   */
  checkNamespace(path: string): Promise<{ readonly inode: bigint }>;
  /**
   * Reads what a pod on a pair was made with, whose record was lost.
   *
   * @param wish Which pod.
   * @returns What a plan of ours has made.
   * @throws {NetlinkError} When the kernel can't be read.
   */
  recall(wish: RecallWish): Promise<Recalled>;
  /**
   * Looks for cards in a pod that have no pair and say whose they are.
   *
   * @param netns The path of its namespace.
   * @returns The cards; none when it is gone.
   */
  markedCards(netns: string): Promise<readonly MarkedCard[]>;
  /**
   * Looks what the other interfaces of a pod have.
   *
   * @param of The pod's namespace, and the interface that is to come.
   * @returns What they have.
   * @throws {NamespaceError} When the namespace can't be used.
   */
  lookForRoom(of: Verbs["lookForRoom"]["in"]): Promise<PodRoom>;
  /**
   * Listens to what changes on the node.
   *
   * @param listener Called for each change, in order; mustn't throw.
   * @returns Ends the listening.
   */
  onEvent(listener: (event: KernelEvent) => void): Disposable;
}

/** How a kernel is opened. */
export interface KernelOptions {
  /**
   * The worker's module; a bundle has it elsewhere.
   *
   * @default `worker.ts` beside this module
   */
  readonly workerUrl?: URL;
  /**
   * The namespace that is the node.
   *
   * @default This process's own.
   */
  readonly netns?: string;
}

/**
 * Starts the kernel's thread.
 *
 * Effects: a Worker (16 ms, 21 MB); it stays until the kernel is disposed of.
 *
 * @param options Where the worker is, and the node.
 * @returns The kernel, listening.
 * @throws {LibraryError} When a library is missing.
 * @throws {NamespaceError} When the node's namespace can't be used.
 * @throws {KernelError} When the worker can't be loaded.
 */
export async function openKernel(options: KernelOptions = {}): Promise<Kernel> {
  const { workerUrl, netns } = options;
  const url = workerUrl ?? new URL("./worker.ts", import.meta.url);
  const thread = new KernelThread(url);
  try {
    await thread.ask("open", { ...netns !== undefined && { netns } });
    return new WorkerKernel(thread);
  } catch (error) {
    // It frees what it has opened, unless it is dead already.
    await thread.ask("close", undefined).catch(() => {});
    thread.end(new KernelError("Cannot use the kernel: it did not open"));
    throw error;
  }
}

/** A question that hasn't been answered. */
interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The Worker, as questions and answers. */
class KernelThread {
  readonly listeners = new Set<(event: KernelEvent) => void>();
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #death: Error | undefined;

  constructor(url: URL) {
    this.#worker = new Worker(url, { type: "module", name: "kernel" });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) =>
      this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault(); // or it ends this process, unexplained
      this.end(new KernelError(`The kernel's thread died: ${event.message}`));
    };
  }

  /** Asks, and waits for the answer. */
  ask<V extends Verb>(
    verb: V,
    argument: Verbs[V]["in"],
  ): Promise<Verbs[V]["out"]> {
    if (this.#death !== undefined) return Promise.reject(this.#death);
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    this.#worker.postMessage({ id, verb, argument });
    // The verb tells the type; the worker's `carryOut` keeps to the same table.
    return promise as Promise<Verbs[V]["out"]>;
  }

  /** Ends the Worker; whoever waits for it hears why. */
  end(reason: Error): void {
    if (this.#death !== undefined) return;
    this.#death = reason;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #receive(reply: Reply): void {
    if ("events" in reply) {
      for (const event of reply.events) {
        for (const listener of this.listeners) listener(event);
      }
      return;
    }
    if ("broken" in reply) {
      const cause = toError(reply.broken);
      const message = `The kernel's events broke: ${cause.message}`;
      return this.end(new KernelError(message, { cause }));
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("error" in reply) return pending?.reject(toError(reply.error));
    pending?.resolve(reply.value);
  }
}

class WorkerKernel implements Kernel {
  readonly host: KernelHost;
  readonly #thread: KernelThread;
  #closing: Promise<void> | undefined;

  constructor(thread: KernelThread) {
    this.host = new WorkerHost(thread);
    this.#thread = thread;
  }

  apply(plan: Plan): Promise<readonly SettingChange[]> {
    return this.#thread.ask("apply", plan);
  }

  compare(plan: Plan): Promise<readonly Difference[]> {
    return this.#thread.ask("compare", plan);
  }

  compareAll(
    plans: readonly Plan[],
  ): Promise<readonly (readonly Difference[])[]> {
    return this.#thread.ask("compareAll", plans);
  }

  remove(plan: Plan): Promise<void> {
    return this.#thread.ask("remove", plan);
  }

  settled(): Promise<void> {
    return this.#thread.ask("settled", undefined);
  }

  speakersFor(ips: readonly Ip[]): Promise<readonly Speaker[]> {
    return this.#thread.ask("speakersFor", ips);
  }

  forgetFlows(ips: readonly Ip[]): Promise<number> {
    return this.#thread.ask("forgetFlows", ips);
  }

  hostRoutes(): Promise<readonly HostRoute[]> {
    return this.#thread.ask("hostRoutes", undefined);
  }

  recall(wish: RecallWish): Promise<Recalled> {
    return this.#thread.ask("recall", wish);
  }

  markedCards(netns: string): Promise<readonly MarkedCard[]> {
    return this.#thread.ask("markedCards", netns);
  }

  lookForRoom(of: Verbs["lookForRoom"]["in"]): Promise<PodRoom> {
    return this.#thread.ask("lookForRoom", of);
  }

  links(): Promise<readonly LinkSeen[]> {
    return this.#thread.ask("links", undefined);
  }

  checkNamespace(path: string): Promise<{ readonly inode: bigint }> {
    const inode = glanceAtNamespace(path);
    // Why it can't serve takes a closer look, which may take longer.
    if (inode === undefined) return this.#thread.ask("checkNamespace", path);
    return Promise.resolve({ inode });
  }

  async findLink(mac: Mac): Promise<LinkSeen | undefined> {
    return (await this.links()).find((link) => link.mac === mac);
  }

  findPodCard(mac: Mac): Promise<LinkSeen | undefined> {
    return this.#thread.ask("findPodCard", mac);
  }

  waitForLink(mac: Mac, signal: AbortSignal): Promise<LinkSeen> {
    return waitForLink(this, { mac, signal });
  }

  onEvent(listener: (event: KernelEvent) => void): Disposable {
    const { listeners } = this.#thread;
    // Its own function, so that one listener may be added twice.
    const own = (event: KernelEvent): void => listener(event);
    listeners.add(own);
    return { [Symbol.dispose]: () => void listeners.delete(own) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    try {
      await this.#thread.ask("close", undefined);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    } finally {
      this.#thread.end(new KernelError("Cannot ask the kernel: it is closed"));
    }
  }
}
