/**
 * Who waits for what: the promises that the keeper has given.
 *
 * @module
 */
import type { ClaimWish } from "./contract.ts";
import type { Lease, OwnerKey, PoolState } from "./state.ts";

/** A wish to end a lease, which the keeper's next turn fulfils. */
export interface Release {
  /** Whose. */
  readonly ownerKey: OwnerKey;
  /** Told of the lease that ended. */
  readonly resolve: (lease: Lease | undefined) => void;
  /** Told why it didn't. */
  readonly reject: (error: unknown) => void;
}

/** One caller that waits for an owner's lease. */
export interface Waiter {
  /** What it wants. */
  readonly wish: ClaimWish;
  /** Gives it the lease. */
  readonly resolve: (lease: Lease) => void;
  /** Tells it why there is none. */
  readonly reject: (error: unknown) => void;
}

/** Callers that wait for leases: several may wait for the same owner's. */
export class Waiters {
  readonly #byOwner = new Map<OwnerKey, Set<Waiter>>();

  /** How many owners are waited for. */
  get ownerCount(): number {
    return this.#byOwner.size;
  }

  /**
   * Waits until told.
   *
   * @param wish For whose lease.
   * @param signal Ends the wait.
   * @param onAbort Called when the signal ended; gives the error to throw.
   * `isLast` when nobody else waits for the owner.
   * @returns The lease.
   */
  wait(
    wish: ClaimWish,
    signal: AbortSignal,
    onAbort: (isLast: boolean) => Error,
  ): Promise<Lease> {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const waiter: Waiter = { wish, resolve, reject };
    const waiting = this.#byOwner.get(wish.ownerKey) ?? new Set();
    this.#byOwner.set(wish.ownerKey, waiting);
    waiting.add(waiter);
    const abort = () => {
      if (!waiting.delete(waiter)) return;
      const isLast = waiting.size === 0;
      if (isLast) this.#forget(wish.ownerKey, waiting);
      reject(onAbort(isLast));
    };
    signal.addEventListener("abort", abort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", abort));
  }

  /** Gives all owners that are waited for. */
  owners(): readonly OwnerKey[] {
    return [...this.#byOwner.keys()];
  }

  /** Finds what an owner is to get; undefined when nobody waits for it. */
  wishOf(ownerKey: OwnerKey): ClaimWish | undefined {
    const [first] = this.#byOwner.get(ownerKey) ?? [];
    return first?.wish;
  }

  /** Takes out all who wait for an owner. */
  take(ownerKey: OwnerKey): readonly Waiter[] {
    const waiting = this.#byOwner.get(ownerKey);
    if (waiting === undefined) return [];
    this.#byOwner.delete(ownerKey);
    const all = [...waiting];
    waiting.clear();
    return all;
  }

  /** Takes out all. */
  takeAll(): readonly Waiter[] {
    return [...this.#byOwner.keys()].flatMap((owner) => this.take(owner));
  }

  #forget(ownerKey: OwnerKey, waiting: Set<Waiter>): void {
    if (this.#byOwner.get(ownerKey) === waiting) this.#byOwner.delete(ownerKey);
  }
}

interface Watcher {
  readonly isMet: (state: PoolState) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Callers that wait for the pool to become something. */
export class Watchers {
  readonly #all = new Set<Watcher>();

  /**
   * Waits until the pool meets a condition.
   *
   * @param isMet The condition; asked after each turn.
   * @param until Ends the wait, and gives the error to throw then.
   */
  async wait(
    isMet: (state: PoolState) => boolean,
    until: { readonly signal: AbortSignal; readonly error: () => Error },
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watcher = { isMet, resolve, reject };
    const abort = () => reject(until.error());
    this.#all.add(watcher);
    until.signal.addEventListener("abort", abort, { once: true });
    if (until.signal.aborted) abort();
    try {
      await promise;
    } finally {
      this.#all.delete(watcher);
      until.signal.removeEventListener("abort", abort);
    }
  }

  /** Ends the waits whose condition is met. */
  meet(state: PoolState): void {
    for (const { isMet, resolve } of this.#all) if (isMet(state)) resolve();
  }

  /** Ends all waits badly. */
  reject(error: Error): void {
    for (const watcher of this.#all) watcher.reject(error);
  }
}
