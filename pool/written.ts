/**
 * What the journal holds of the state, and whether it can be written.
 *
 * @module
 */
import type { Journal } from "./journal.ts";
import type { PoolNews } from "./news.ts";
import { withoutMembers } from "./members_record.ts";
import { withoutPodCidr } from "./pod_cidr_record.ts";
import { difference, restore } from "./record.ts";
import { emptyState, type PoolState } from "./state.ts";

/** A journal that is as far as a state. */
export class Written {
  readonly #journal: Journal;
  #state: PoolState = emptyState();
  #isDown = false;

  /**
   * Takes a journal over.
   *
   * @param journal Where; whoever opened it closes it.
   */
  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /**
   * Reads what the process before wrote.
   *
   * @param nowMs The time.
   * @returns The state to begin with.
   * @throws {PoolError} `journal` when the records contradict each other.
   */
  load(nowMs: number): PoolState {
    const cards = withoutMembers(withoutPodCidr(this.#journal.load()));
    this.#state = restore(cards, nowMs);
    return this.#state;
  }

  /**
   * Writes what differs from what was written last.
   *
   * @param state The state that the journal shall hold.
   * @returns What to tell.
   * @throws {PoolError} `journal` when it can't be written.
   */
  write(state: PoolState): readonly PoolNews[] {
    const change = difference(this.#state, state);
    if (change !== undefined) this.#journal.commit(change);
    this.#state = state;
    if (!this.#isDown || change === undefined) return [];
    this.#isDown = false;
    return [{ kind: "journalBack" }];
  }

  /**
   * Remembers that it couldn't be written.
   *
   * @param message Why.
   * @returns What to tell: once, until it can be written again.
   */
  refused(message: string): readonly PoolNews[] {
    if (this.#isDown) return [];
    this.#isDown = true;
    return [{ kind: "journalFailed", message }];
  }
}
