/**
 * Order among verbs: those on one sandbox run one after another, in the order
 * in which they came; those on different sandboxes run side by side.
 *
 * @module
 */

/** More verbs than this never wait for one sandbox; a runtime sends one. */
const QUEUE_LIMIT = 64;

/** A queue for each sandbox that has something going on. */
export class Sandboxes {
  readonly #tails = new Map<
    string,
    { count: number; tail: Promise<unknown> }
  >();

  /**
   * Runs `work` after all that was asked for the same sandbox before.
   *
   * @param containerId The sandbox.
   * @param work What to do.
   * @returns What `work` returns, or throws.
   * @throws {RangeError} When too many wait for this sandbox already.
   */
  run<T>(containerId: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#tails.get(containerId) ??
      { count: 0, tail: Promise.resolve() };
    if (queue.count >= QUEUE_LIMIT) {
      throw new RangeError(
        `Cannot queue for sandbox ${containerId} as at most ${QUEUE_LIMIT} ` +
          "verbs may wait for one",
      );
    }
    const result = queue.tail.then(work, work);
    const tail = result.then(
      () => this.#left(containerId),
      () => this.#left(containerId),
    );
    this.#tails.set(containerId, { count: queue.count + 1, tail });
    return result;
  }

  /** How many sandboxes have something going on. */
  get count(): number {
    return this.#tails.size;
  }

  #left(containerId: string): void {
    const queue = this.#tails.get(containerId);
    if (queue === undefined) return;
    queue.count--;
    if (queue.count === 0) this.#tails.delete(containerId);
  }
}
