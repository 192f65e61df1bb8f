/**
 * Events: what an operator sees in `kubectl describe`, with stable reasons.
 *
 * The same event about the same object is one event that is counted; it is
 * written at most once in ten seconds. Nothing waits for an event, and an
 * event that can't be written is told to whoever listens.
 *
 * @module
 */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { type ApiError, asApiError, type Kubernetes } from "./client.ts";

/** What an event is about. */
export interface Subject {
  /** `Pod`, `Node`, `Service`, … */
  readonly kind: string;
  /** `v1` unless told. */
  readonly apiVersion?: string;
  /** Its name. */
  readonly name: string;
  /** Its namespace; none for a node. */
  readonly namespace?: string;
  /** Its UID, by which `kubectl describe` finds the event. */
  readonly uid: string;
}

/** What happened. */
export interface Happening {
  /** Whether a person should look. */
  readonly type: "Normal" | "Warning";
  /** One word that never changes, such as `AllocIPFailed`. */
  readonly reason: string;
  /** What happened, what it means, what to do. */
  readonly message: string;
}

/** Who tells. */
export interface RecorderOptions {
  /** Such as `terway-daemon`. */
  readonly component: string;
  /** The node. */
  readonly host: string;
  /** The time; the clock's unless told. */
  readonly nowMs?: () => number;
  /** Hears of an event that couldn't be written. */
  readonly onProblem?: (error: ApiError) => void;
}

/** An event that was written. */
interface Written {
  readonly name: string;
  readonly namespace: string;
  count: number;
  writtenMs: number;
}

/** How often the same event is written at most. */
const PERIOD_MS = 10_000;

/** After so long the same thing is another event. */
const FORGET_MS = 600_000;

/** Events that wait to be written; older ones are dropped. */
const QUEUE_LIMIT = 200;

/** Events that are remembered, so that they are counted. */
const MEMORY_LIMIT = 500;

/** The API server refuses longer messages. Source: core/v1 validation. */
const MESSAGE_LIMIT = 1_024;

/** Writes events. */
export class EventRecorder implements AsyncDisposable {
  readonly #kubernetes: Kubernetes;
  readonly #options: RecorderOptions;
  readonly #written = new Map<string, Written>();
  readonly #queue: (() => Promise<void>)[] = [];
  #work: Promise<void> | undefined;

  /**
   * Makes a recorder.
   *
   * @param kubernetes The API.
   * @param options See {@linkcode RecorderOptions}.
   */
  constructor(kubernetes: Kubernetes, options: RecorderOptions) {
    this.#kubernetes = kubernetes;
    this.#options = options;
  }

  /**
   * Tells of something; returns at once and never fails.
   *
   * @param subject What it is about.
   * @param happening What happened.
   */
  record(subject: Subject, happening: Happening): void {
    const nowMs = this.#nowMs();
    const { type, reason, message } = happening;
    const key = [subject.uid, type, reason, message].join("\0");
    const known = this.#written.get(key);
    if (known !== undefined && nowMs - known.writtenMs < FORGET_MS) {
      known.count++;
      if (nowMs - known.writtenMs < PERIOD_MS) return;
      known.writtenMs = nowMs;
      this.#add(() => this.#count(known));
      return;
    }
    const written = {
      name: `${subject.name}.${crypto.randomUUID().slice(0, 13)}`,
      // Source: client-go, events of what has no namespace.
      namespace: subject.namespace ?? "default",
      count: 1,
      writtenMs: nowMs,
    };
    this.#remember(key, written);
    this.#add(() => this.#create(subject, happening, written));
  }

  /** Writes what waits, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work;
  }

  #remember(key: string, written: Written): void {
    this.#written.delete(key);
    this.#written.set(key, written);
    const [oldest] = this.#written.keys();
    if (this.#written.size > MEMORY_LIMIT && oldest !== undefined) {
      this.#written.delete(oldest);
    }
  }

  #add(write: () => Promise<void>): void {
    this.#queue.push(write);
    if (this.#queue.length > QUEUE_LIMIT) this.#queue.shift();
    this.#work ??= this.#drain();
  }

  async #drain(): Promise<void> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      try {
        await next();
      } catch (error) {
        this.#options.onProblem?.(asApiError("write an event", error));
      }
    }
    this.#work = undefined;
  }

  async #create(
    subject: Subject,
    { type, reason, message }: Happening,
    { name, namespace }: Written,
  ): Promise<void> {
    const { component, host } = this.#options;
    const at = new Date(this.#nowMs());
    const { kind, uid, apiVersion = "v1" } = subject;
    await this.#kubernetes.core.createNamespacedEvent({
      namespace,
      body: {
        metadata: { name, namespace },
        involvedObject: {
          kind,
          apiVersion,
          name: subject.name,
          uid,
          ...(subject.namespace === undefined
            ? {}
            : { namespace: subject.namespace }),
        },
        type,
        reason,
        message: message.slice(0, MESSAGE_LIMIT),
        source: { component, host },
        reportingComponent: component,
        reportingInstance: host,
        firstTimestamp: at,
        lastTimestamp: at,
        count: 1,
      },
    });
  }

  async #count({ name, namespace, count }: Written): Promise<void> {
    await this.#kubernetes.core.patchNamespacedEvent(
      {
        name,
        namespace,
        body: { count, lastTimestamp: new Date(this.#nowMs()).toISOString() },
      },
      setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
    );
  }

  #nowMs(): number {
    return (this.#options.nowMs ?? Date.now)();
  }
}
