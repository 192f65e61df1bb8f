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
