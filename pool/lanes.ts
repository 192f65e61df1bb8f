/**
 * Which calls may begin now: the lanes to the cloud, and the gates before its
 * APIs.
 *
 * @module
 */
import {
  type CallsPerMinute,
  leftOf,
  leftOfApi,
  mostOf,
  spend,
  type Spent,
} from "./budget.ts";
import type { CallKind } from "./event.ts";
import { KEPT_SHARE, LANES, type PoolLimits } from "./limits.ts";
import type { EniKey, PooledEni, PoolState } from "./state.ts";

/** What a call is for. Host calls need no lane. */
export const LANE_OF: Readonly<
  Record<CallKind, "take" | "give" | "look" | undefined>
> = {
  create: "take",
  attach: "take",
  assign: "take",
  assign6: "take",
  secure: "take",
  unassign: "give",
  unassign6: "give",
  detach: "give",
  delete: "give",
  purge: "give",
  survey: "look",
  describe: "look",
  prepare: undefined,
  retire: undefined,
  prove: undefined,
};

/** What counts of a call. */
export interface Counted {
  /** Which. */
  readonly kind: CallKind;
  /** Its card, if it has one. */
  readonly eniKey?: EniKey;
  /** vSwitches that it asks for. */
  readonly vSwitchIds?: readonly string[];
}

/** Counts the calls in flight and this minute, and those that a plan adds. */
export class Lanes {
  readonly #state: PoolState;
  readonly #limits: PoolLimits;
  readonly #nowMs: number;
  readonly #busy = new Set<EniKey>();
  readonly #used = { take: 0, give: 0, look: 0 };
  readonly #open = new Map<CallKind, number>();
  #spent: Spent;

  /**
   * Counts what is in flight.
   *
   * @param state The pool.
   * @param limits Its bounds.
   * @param nowMs The time.
   */
  constructor(state: PoolState, limits: PoolLimits, nowMs: number) {
    this.#state = state;
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#spent = state.spent;
    for (const call of state.calls.values()) this.#occupy(call);
  }

  /**
   * Tells whether a card may be acted on: no call for it is in flight, and it
   * isn't paused.
   */
  isFree(eni: PooledEni): boolean {
    return !this.#busy.has(eni.key) && eni.notBeforeMs <= this.#nowMs;
  }

  /** Tells whether a call of this kind may begin. */
  isOpen(kind: CallKind): boolean {
    return this.#isOpenFor(kind, 0);
  }

  /**
   * Tells whether a call of this kind may begin that can wait: it leaves a
   * share of its minute to those that can't.
   */
  isOpenForStock(kind: CallKind): boolean {
    const { callsPerMinute } = this.#limits;
    const most = mostOf(kind, callsPerMinute);
    if (most === Infinity) return this.isOpen(kind);
    const kept = Math.min(most - 1, Math.ceil(most * KEPT_SHARE));
    return this.#isOpenFor(kind, kept);
  }

  /** Tells how many more calls of an API this minute allows. */
  left(api: string): number {
    return leftOfApi(this.#spent, api, this.#budget);
  }

  /**
   * Tells whether calls of this kind must wait for more than others' ends: the
   * cloud is away, the API is held back, or its budget is spent.
   */
  isHeld(kind: CallKind): boolean {
    if (isLeftUndone(this.#state, kind)) return true;
    if (leftOf(this.#spent, kind, this.#budget) <= 0) return true;
    const gate = this.#state.gates.get(kind);
    return gate !== undefined && gate.notBeforeMs > this.#nowMs;
  }

  #isOpenFor(kind: CallKind, keptCount: number): boolean {
    if (this.isHeld(kind)) return false;
    if (leftOf(this.#spent, kind, this.#budget) <= keptCount) return false;
    // An API that failed is probed by one call at a time until it succeeds.
    const isProbed = this.#state.gates.has(kind);
    if (isProbed && (this.#open.get(kind) ?? 0) > 0) return false;
    const lane = LANE_OF[kind];
    return lane === undefined || this.#used[lane] < LANES[lane];
  }

  /** Tells whether no call of this kind is in flight, and one may begin. */
  isIdle(kind: CallKind): boolean {
    return this.isOpen(kind) && (this.#open.get(kind) ?? 0) === 0;
  }

  /** Counts a call as begun. */
  enter(call: Counted): void {
    this.#spent = spend(this.#spent, call, this.#nowMs);
    this.#occupy(call);
  }

  get #budget(): { nowMs: number; callsPerMinute: CallsPerMinute } {
    const { callsPerMinute } = this.#limits;
    return { nowMs: this.#nowMs, callsPerMinute };
  }

  #occupy({ kind, eniKey }: Counted): void {
    const lane = LANE_OF[kind];
    if (lane !== undefined) this.#used[lane]++;
    this.#open.set(kind, (this.#open.get(kind) ?? 0) + 1);
    if (eniKey !== undefined) this.#busy.add(eniKey);
  }
}

/** While the cloud is away: first nothing is given back, then only looked. */
function isLeftUndone(state: PoolState, kind: CallKind): boolean {
  const lane = LANE_OF[kind];
  switch (state.health.level) {
    case "whole":
      return false;
    case "noReleases":
      // To empty the pool is an order.
      return lane === "give" && !state.draining;
    case "probesOnly":
      return lane === "give" || lane === "take";
  }
}
