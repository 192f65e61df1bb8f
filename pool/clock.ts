/**
 * Time, as the pool's rim files see it: they get a clock as an argument, so
 * that tests and simulations run on virtual time.
 *
 * @module
 */

/** Tells the time and wakes. */
export interface Clock {
  /** Milliseconds since 1970, UTC: cooling outlives a restart. */
  nowMs(): number;
  /**
   * Runs `work` once, `delayMs` from now.
   *
   * @param delayMs 0 or more.
   * @param work What to run; it must not throw.
   * @returns Forgets the timer; does nothing when it has run.
   */
  after(delayMs: number, work: () => void): () => void;
}

/**
 * Gives the clock of this machine.
 *
 * @returns The clock; its timers keep the process alive.
 */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    after(delayMs, work): () => void {
      // A longer delay than 2^31 - 1 ms would run at once; waking early is harmless.
      const timer = setTimeout(
        work,
        Math.min(Math.max(0, delayMs), 2 ** 31 - 1),
      );
      return () => clearTimeout(timer);
    },
  };
}

/** Rings once at a time that may be moved. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #forget: () => void = () => {};
  #isEnded = false;

  /**
   * Makes one that isn't set.
   *
   * @param clock Its time.
   * @param ring Called when the time has come.
   */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /**
   * Sets it anew.
   *
   * @param atMs When to ring; undefined for never.
   */
  set(atMs: number | undefined): void {
    this.#forget();
    if (atMs === undefined || this.#isEnded) return;
    const delayMs = Math.max(0, atMs - this.#clock.nowMs());
    this.#forget = this.#clock.after(delayMs, this.#ring);
  }

  /** Sees to it that it never rings any more. */
  end(): void {
    this.#isEnded = true;
    this.#forget();
  }
}
