/**
 * Figures of a benchmark: percentiles, ratios, and a table for people.
 *
 * @module
 */

/** What a series of times comes to. */
export interface Figures {
  /** 5 of 100 are below it: the work itself, on a machine with other work. */
  readonly p5Ms: number;
  /** The median. */
  readonly p50Ms: number;
  /** 95 of 100 are below it. */
  readonly p95Ms: number;
  /** How many there were. */
  readonly count: number;
}

/**
 * Works out the figures of a series.
 *
 * @param series Milliseconds, in any order; at least one.
 * @returns The figures.
 */
export function figuresOf(series: readonly number[]): Figures {
  return {
    p5Ms: percentile(series, 0.05),
    p50Ms: percentile(series, 0.5),
    p95Ms: percentile(series, 0.95),
    count: series.length,
  };
}

/**
 * Finds a percentile by the nearest rank.
 *
 * @param series Milliseconds, in any order.
 * @param share 0 to 1.
 * @returns The value, to the microsecond; `NaN` of an empty series.
 */
export function percentile(series: readonly number[], share: number): number {
  const sorted = series.toSorted((a, b) => a - b);
  const rank = Math.max(0, Math.ceil(share * sorted.length) - 1);
  return round(sorted[rank] ?? NaN, 3);
}

/**
 * Rounds.
 *
 * @param value A number.
 * @param digits After the point.
 * @returns The nearest such number.
 */
export function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/**
 * Divides.
 *
 * @param own What is told.
 * @param peer By what it is measured.
 * @returns How many times the peer's it is, to the hundredth.
 */
export function ratio(own: number, peer: number): number {
  return round(own / peer, 2);
}
