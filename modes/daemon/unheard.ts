/**
 * Leases that no caller has heard of yet. When an ADD's caller is gone, what
 * it got is taken back; but not from under another ADD of the same owner that
 * was answered meanwhile, and not when an earlier one was heard.
 *
 * @module
 */

/** One answer with a lease. */
export interface Ticket {
  /** The lease's life, from the ADD that made it to its end. */
  readonly life: symbol;
  /** The ADD that was answered. */
  readonly add: symbol;
}

/** Who is to be taken back, by the owner's key. */
export class Unheard {
  readonly #last = new Map<string, Ticket>();

  /**
   * Notes an answer that is on its way.
   *
   * @param key Whose.
   * @param lease Whether the ADD made the lease.
   * @returns The answer; undefined when the lease was heard of before.
   */
  answered(
    key: string,
    { isNew }: { readonly isNew: boolean },
  ): Ticket | undefined {
    const before = this.#last.get(key);
    if (!isNew && before === undefined) return undefined;
    const life = isNew ? Symbol(key) : before?.life ?? Symbol(key);
    const ticket = { life, add: Symbol(key) };
    this.#last.set(key, ticket);
    return ticket;
  }

  /**
   * Notes that an answer arrived: the lease is its pod's from now on.
   *
   * @param key Whose.
   * @param ticket The answer.
   */
  arrived(key: string, ticket: Ticket | undefined): void {
    if (this.#last.get(key)?.life === ticket?.life) this.#last.delete(key);
  }

  /**
   * Tells whether a lease is to be taken back for an answer that was lost.
   *
   * @param key Whose.
   * @param ticket The answer.
   * @returns True when nobody was answered since, and none has heard.
   */
  isForgotten(key: string, ticket: Ticket | undefined): boolean {
    return ticket !== undefined && this.#last.get(key)?.add === ticket.add;
  }

  /**
   * Notes that a lease ended.
   *
   * @param key Whose.
   */
  ended(key: string): void {
    this.#last.delete(key);
  }
}
