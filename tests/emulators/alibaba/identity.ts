/**
 * Ids, MACs and request ids that look like the service's and follow from a
 * seed, so that a run can be repeated word for word.
 *
 * @module
 */

/** Draws ids from a seed; two of the same seed draw the same. */
export class Identity {
  #state: number;
  #macCount = 0;

  /**
   * Makes one.
   *
   * @param seed Any whole number.
   */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /**
   * Draws a number, uniformly from 0 (in) to 1 (out): mulberry32.
   *
   * @returns The number.
   */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /**
   * Draws an id such as `eni-bp1f0c9z…`, 20 characters behind the dash.
   *
   * @param prefix What stands before the dash.
   * @returns The id.
   */
  id(prefix: string): string {
    return `${prefix}-${this.text(20)}`;
  }

  /**
   * Draws lower-case letters and digits.
   *
   * @param length How many.
   * @returns The text.
   */
  text(length: number): string {
    return Array.from(
      { length },
      () => Math.floor(this.random() * 36).toString(36),
    ).join("");
  }

  /**
   * Draws a MAC of the service's vendor prefix, never the same again.
   *
   * Counts through all 2^24 in an order that looks like chance.
   *
   * @returns Lower case, with colons: `00:16:3e:xx:xx:xx`.
   * @throws {RangeError} When all are given out.
   */
  mac(): string {
    if (this.#macCount >= 2 ** 24) {
      throw new RangeError("Cannot give a MAC as all 16777216 are given out");
    }
    // An odd factor makes this a permutation of the 24-bit numbers.
    const tail = Math.imul(++this.#macCount, 0x9e3779b1) & 0xffffff;
    const hex = tail.toString(16).padStart(6, "0");
    return `00:16:3e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`;
  }

  /**
   * Draws a request id in the service's form.
   *
   * @returns Upper case, in groups of 8-4-4-4-12.
   */
  requestId(): string {
    return [8, 4, 4, 4, 12].map((length) =>
      Array.from(
        { length },
        () => Math.floor(this.random() * 16).toString(16).toUpperCase(),
      ).join("")
    ).join("-");
  }
}
