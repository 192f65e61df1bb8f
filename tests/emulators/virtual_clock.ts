/**
 * A clock that stands still until somebody moves it.
 *
 * @module
 */
import type { Clock } from "../../pool/clock.ts";

/** Time that is given, not measured; runs the same way every time. */
export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  #timers: { atMs: number; order: number; work: () => void }[] = [];

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
    const timer = { atMs: this.#nowMs + delayMs, order: ++this.#order, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /**
   * Moves on, timer by timer, letting promises settle after each.
   *
   * @param ms How far.
   * @returns When the time is reached.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#nowMs = next.atMs;
      next.work();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Lets everything run that waits for promises only. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
