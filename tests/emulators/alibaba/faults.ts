/**
 * What can go wrong between a call and its answer.
 *
 * A fault hook, `before(call)`, is asked once a call, in one place
 * (`perform.ts`), whichever front the call came by. {@linkcode FaultQueue} is
 * the simplest one: what a test queues happens to the next calls that match.
 * Whole scripts with a seed are in `script.ts`.
 *
 * @module
 */
import type { Code } from "./refusal.ts";

/** Something that goes wrong with one call. */
export type Fault =
  /** The service refuses; nothing is done. */
  | {
    readonly kind: "refuse";
    readonly code: Code;
    readonly status?: number;
    readonly message?: string;
  }
  /** No answer ever comes; `done` tells whether the work is. */
  | { readonly kind: "hang"; readonly done: boolean }
  /** The work is done, then the connection breaks in the answer. */
  | { readonly kind: "lost" }
  /** The answer is no answer of the service; the work is done or not. */
  | {
    readonly kind: "garbage";
    readonly done: boolean;
    readonly status?: number;
  }
  /** All is well, but late. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The API is refused from now until the next minute; nothing is done. */
  | { readonly kind: "throttle" }
  /** The answer is in time, but the attach takes so much longer. */
  | { readonly kind: "slow attach"; readonly ms: number };

/** A call, as a fault hook sees it. */
export interface FaultyCall {
  /** Such as `CreateNetworkInterface`. */
  readonly action: string;
  /** Its parameters. */
  readonly params: Readonly<Record<string, string>>;
}

/** Asked once before each call. */
export type FaultHook = (call: FaultyCall) => Fault | undefined;

/** A fault that people ask for by name; see {@linkcode FAULTS}. */
export type FaultName =
  | "throttled"
  | "internal"
  | "unavailable"
  | "denied"
  | "timeout"
  | "silent"
  | "lost"
  | "garbage";

/** The faults that people ask for by name. */
export const FAULTS: Readonly<Record<FaultName, Fault>> = {
  /** Too many calls of this account. */
  throttled: { kind: "refuse", code: "Throttling.User" },
  /** The service fails. */
  internal: { kind: "refuse", code: "InternalError" },
  /** The service is away. */
  unavailable: { kind: "refuse", code: "ServiceUnavailable" },
  /** The RAM user may not. */
  denied: { kind: "refuse", code: "Forbidden.RAM" },
  /** Nothing is done and no answer comes. */
  timeout: { kind: "hang", done: false },
  /** The work is done and no answer comes. */
  silent: { kind: "hang", done: true },
  /** The work is done and the connection breaks. */
  lost: { kind: "lost" },
  /** A page of some proxy. */
  garbage: { kind: "garbage", done: false },
};

/** Faults that wait for the calls they happen to. */
export class FaultQueue {
  #waiting: { fault: Fault; action: string; times: number }[] = [];

  /**
   * Queues a fault.
   *
   * @param fault What goes wrong.
   * @param where With which action, by default any; how many times, by
   * default once.
   */
  add(fault: Fault, where: { action?: string; times?: number } = {}): void {
    this.#waiting.push({
      fault,
      action: where.action ?? "*",
      times: where.times ?? 1,
    });
  }

  /** Forgets what hasn't happened yet. */
  clear(): void {
    this.#waiting = [];
  }

  /** How many faults still wait. */
  get count(): number {
    return this.#waiting.reduce((sum, { times }) => sum + times, 0);
  }

  /**
   * Takes the first fault that fits a call.
   *
   * @param call The call.
   * @returns The fault, if one waits.
   */
  take(call: FaultyCall): Fault | undefined {
    const entry = this.#waiting.find(({ action }) =>
      action === "*" || action === call.action
    );
    if (entry === undefined) return undefined;
    entry.times--;
    this.#waiting = this.#waiting.filter(({ times }) => times > 0);
    return entry.fault;
  }
}
