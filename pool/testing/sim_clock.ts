/**
 * Virtual time for many runs: stands still until it is moved, and moves
 * thousands of times a second.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../clock.ts";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly work: () => void;
}

/** Time that is given, not measured. */
export class SimClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /**
   * Makes one.
   *
   * @param startMs What time it is, in milliseconds since 1970.
   */
  constructor(startMs: number = Date.parse("2026-11-21T12:00:00Z")) {
    this.#nowMs = startMs;
  }

  /** {@inheritDoc Clock.nowMs} */
  nowMs(): number {
    return this.#nowMs;
  }

  /** {@inheritDoc Clock.after} */
  after(delayMs: number, work: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const timer = { atMs, order: ++this.#order, work };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers wait. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /**
   * Runs the next timer that is due by then, if there is one.
   *
   * @param endMs How far time may move.
   * @returns Whether a timer ran; if none did, it is `endMs`.
   */
  async step(endMs: number): Promise<boolean> {
    await settle();
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > endMs) continue;
      if (next === undefined || isBefore(timer, next)) next = timer;
    }
    if (next === undefined) {
      this.#nowMs = Math.max(this.#nowMs, endMs);
      return false;
    }
    this.#timers.delete(next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.work();
    await settle();
    return true;
  }

  /**
   * Moves on, timer by timer.
   *
   * @param ms How far.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (await this.step(endMs));
  }

  /**
   * Moves on until something is so.
   *
   * @param isSo What.
   * @param withinMs How far at most.
   * @throws {Error} When it isn't so by then.
   */
  async until(isSo: () => boolean, withinMs: number): Promise<void> {
    const endMs = this.#nowMs + withinMs;
    await settle();
    while (!isSo()) {
      if (!await this.step(endMs) && !isSo()) {
        throw new Error(`It isn't so within ${withinMs} ms: ${isSo}`);
      }
    }
  }
}

/**
 * Lets everything run that waits for promises only.
 *
 * @returns When nothing of that is left.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
