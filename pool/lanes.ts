/**
 * Which calls may begin now: the lanes to the cloud, and the gates before its
 * APIs.
 *
 * @module
 */
import { eniKeyOf } from "./begin.ts";
import type { CallKind } from "./event.ts";
import { LANES } from "./limits.ts";
import type { EniKey, PooledEni, PoolState } from "./state.ts";

/** What a call is for. Host calls need no lane. */
export const LANE_OF: Readonly<
  Record<CallKind, "take" | "give" | "look" | undefined>
> = {
  create: "take",
  attach: "take",
  assign: "take",
  unassign: "give",
  detach: "give",
  delete: "give",
  survey: "look",
  describe: "look",
  prepare: undefined,
  retire: undefined,
  prove: undefined,
};

/** Counts the calls in flight, and those that a plan adds. */
export class Lanes {
  readonly #state: PoolState;
  readonly #nowMs: number;
  readonly #busy = new Set<EniKey>();
  readonly #used = { take: 0, give: 0, look: 0 };
  readonly #open = new Map<CallKind, number>();

  /**
   * Counts what is in flight.
   *
   * @param state The pool.
   * @param nowMs The time.
   */
  constructor(state: PoolState, nowMs: number) {
    this.#state = state;
    this.#nowMs = nowMs;
    for (const call of state.calls.values()) {
      this.enter(call.kind, eniKeyOf(call));
    }
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
    const gate = this.#state.gates.get(kind);
    if (gate !== undefined) {
      // An API that failed is probed by one call at a time until it succeeds.
      if (gate.notBeforeMs > this.#nowMs) return false;
      if ((this.#open.get(kind) ?? 0) > 0) return false;
    }
    const lane = LANE_OF[kind];
    return lane === undefined || this.#used[lane] < LANES[lane];
  }

  /** Tells whether no call of this kind is in flight, and one may begin. */
  isIdle(kind: CallKind): boolean {
    return this.isOpen(kind) && (this.#open.get(kind) ?? 0) === 0;
  }

  /** Counts a call as begun. */
  enter(kind: CallKind, eniKey: EniKey | undefined): void {
    const lane = LANE_OF[kind];
    if (lane !== undefined) this.#used[lane]++;
    this.#open.set(kind, (this.#open.get(kind) ?? 0) + 1);
    if (eniKey !== undefined) this.#busy.add(eniKey);
  }
}
