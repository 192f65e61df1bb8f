/**
 * Chance that can be had again: the same seed gives the same run.
 *
 * @module
 */

/** Draws from a seed. Source of the generator: mulberry32, public domain. */
export class Chance {
  #state: number;

  /**
   * Makes one.
   *
   * @param seed A whole number.
   */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Draws from 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Draws a whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** Draws whether something happens that happens once in `n` times. */
  oneIn(n: number): boolean {
    return this.next() * n < 1;
  }

  /** Draws one of a list; undefined when it is empty. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.int(0, list.length - 1)];
  }
}

/**
 * Makes one seed of several numbers, so that neighbours don't draw alike.
 *
 * @param numbers Whole numbers.
 * @returns A seed.
 */
export function mix(...numbers: readonly number[]): number {
  let h = 0x9e3779b9;
  for (const number of numbers) {
    h = Math.imul(h ^ (number >>> 0), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}
