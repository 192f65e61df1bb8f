/**
 * A copy of some of the API server's objects that keeps itself whole: listed
 * once, then watched, and listed again whenever a gap can't be ruled out.
 *
 * The client's own informer stops on most errors, and says so to whoever
 * listens; this one tells, waits a moment and goes on, for as long as it lives.
 *
 * @module
 */
import { type KubernetesObject, Watch } from "@kubernetes/client-node";
import { type ApiError, asApiError, type Kubernetes } from "./client.ts";

/** A page of a list. */
export interface Page<T> {
  /** The objects. */
  readonly items: readonly T[];
  /** What the list says of itself. */
  readonly metadata?: {
    readonly resourceVersion?: string;
    readonly _continue?: string;
  };
}

/** Which objects, and how they are listed. */
export interface Source<T> {
  /** What they are, for messages: `pods of this node`. */
  readonly what: string;
  /** The path that is watched, such as `/api/v1/pods`. */
  readonly path: string;
  /** Which of them. */
  readonly fieldSelector?: string;
  /** Which of them. */
  readonly labelSelector?: string;
  /** Lists them; the selectors are the caller's to give here too. */
  readonly list: (
    page: { readonly limit: number; readonly _continue?: string },
  ) => Promise<Page<T>>;
}

/** What happened to an object. */
export interface Change<T> {
  /** `set` when it is there from now on, `gone` when it isn't any more. */
  readonly kind: "set" | "gone";
  /** The object, as it is or was last. */
  readonly object: T;
  /** What was known of it before. */
  readonly before?: T;
}

/** How an informer works. */
export interface InformerOptions<T> {
  /** Hears of each change, in order; it mustn't throw. */
  readonly onChange?: (change: Change<T>) => void;
  /** Hears that the copy can't be kept whole for now, and why. */
  readonly onProblem?: (error: ApiError) => void;
  /** The first pause after a failure; it doubles up to ten seconds. */
  readonly pauseMs?: number;
}

/** A page of pods is some 5 MB then. */
const PAGE_LIMIT = 500;

/** More pages than any cluster has. */
const PAGE_COUNT_LIMIT = 2_000;

const PAUSE_MS = 250;
const PAUSE_LIMIT_MS = 10_000;

/** A watch that lived as long was no failure. */
const GOOD_WATCH_MS = 5_000;

/** The objects are too old to go on from: list again. */
const GONE = 410;

/** A copy of some objects. */
export class Informer<T extends KubernetesObject> implements AsyncDisposable {
  readonly #kubernetes: Kubernetes;
  readonly #source: Source<T>;
  readonly #options: InformerOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #work: Promise<void>;
  #version = "";
  #problem: ApiError | undefined;
  #failureCount = 0;

  /**
   * Begins to list and to watch.
   *
   * @param kubernetes The API.
   * @param source Which objects.
   * @param options See {@linkcode InformerOptions}.
   */
  constructor(
    kubernetes: Kubernetes,
    source: Source<T>,
    options: InformerOptions<T> = {},
  ) {
    this.#kubernetes = kubernetes;
    this.#source = source;
    this.#options = options;
    this.#work = this.#follow();
  }

  /** Settles once the objects have been listed for the first time. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Why the copy may be behind; nothing while it is whole. */
  get problem(): ApiError | undefined {
    return this.#problem;
  }

  /**
   * Gives an object.
   *
   * @param name Its name.
   * @param namespace Its namespace; none for what has none.
   * @returns The object, if it is known.
   */
  get(name: string, namespace = ""): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  /** Gives all objects. */
  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const startMs = Date.now();
      try {
        if (this.#version === "") await this.#list();
        await this.#watch();
        // A server that ends a watch at once mustn't be asked in a circle.
        if (Date.now() - startMs > GOOD_WATCH_MS) continue;
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(asApiError(`watch ${this.#source.what}`, error));
      }
      await this.#pause();
    }
  }

  #fail(error: ApiError): void {
    const { status } = error;
    // What was refused for what it asked would be refused again.
    if (status >= 400 && status < 500 && status !== 429) this.#version = "";
    if (status === GONE) return;
    this.#failureCount++;
    this.#problem = error;
    this.#options.onProblem?.(error);
  }

  async #list(): Promise<void> {
    const seen = new Map<string, T>();
    let version = "";
    let more: string | undefined;
    for (let count = 0; count < PAGE_COUNT_LIMIT; count++) {
      const { items, metadata } = await this.#source.list({
        limit: PAGE_LIMIT,
        ...(more === undefined ? {} : { _continue: more }),
      });
      for (const object of items) seen.set(keyOf(object), object);
      version = metadata?.resourceVersion ?? version;
      more = metadata?._continue;
      if (more === undefined || more === "") break;
    }
    if (this.#stop.signal.aborted) return;
    for (const [key, object] of [...this.#objects]) {
      if (!seen.has(key)) this.#drop(object);
    }
    for (const object of seen.values()) this.#set(object);
    this.#version = version;
    this.#synced.resolve();
    this.#whole();
  }

  /** Watches until the stream ends; what a server closes is no error. */
  async #watch(): Promise<void> {
    const { path, fieldSelector, labelSelector } = this.#source;
    const done = Promise.withResolvers<void>();
    const watch = new Watch(this.#kubernetes.config);
    const query = {
      resourceVersion: this.#version,
      allowWatchBookmarks: true,
      fieldSelector,
      labelSelector,
    };
    const settle = (error: unknown): void => {
      if (error === null || error === undefined) done.resolve();
      else done.reject(error);
    };
    const request = await watch.watch(
      path,
      query,
      (kind, object) => {
        try {
          this.#take(kind, object);
        } catch (error) {
          settle(error);
        }
      },
      settle,
    );
    const abort = (): void => request.abort();
    this.#stop.signal.addEventListener("abort", abort, { once: true });
    if (this.#stop.signal.aborted) abort();
    try {
      await done.promise;
    } catch (error) {
      // The client's own alarm: nothing came for half a minute.
      if (!(error instanceof DOMException && error.name === "TimeoutError")) {
        throw error;
      }
    } finally {
      request.abort();
      this.#stop.signal.removeEventListener("abort", abort);
    }
  }

  #take(kind: string, object: T & { code?: number; message?: string }): void {
    switch (kind) {
      case "ADDED":
      case "MODIFIED":
        this.#set(object);
        break;
      case "DELETED":
        this.#drop(object);
        break;
      case "BOOKMARK":
        break;
      default:
        throw Object.assign(new Error(object.message ?? kind), {
          statusCode: object.code ?? 0,
        });
    }
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    this.#whole();
  }

  #set(object: T): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    const version = object.metadata?.resourceVersion;
    if (before !== undefined && before.metadata?.resourceVersion === version) {
      return;
    }
    this.#objects.set(key, object);
    this.#options.onChange?.({
      kind: "set",
      object,
      ...(before === undefined ? {} : { before }),
    });
  }

  #drop(object: T): void {
    if (!this.#objects.delete(keyOf(object))) return;
    this.#options.onChange?.({ kind: "gone", object, before: object });
  }

  #whole(): void {
    this.#problem = undefined;
    this.#failureCount = 0;
  }

  /** Half of the pause is chance: a thousand nodes don't come back at once. */
  #pause(): Promise<void> {
    const { pauseMs = PAUSE_MS } = this.#options;
    const doublings = Math.min(this.#failureCount, 10);
    const limitMs = Math.min(pauseMs * 2 ** doublings, PAUSE_LIMIT_MS);
    const waitMs = limitMs / 2 + Math.random() * limitMs / 2;
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
    });
  }
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;
}
