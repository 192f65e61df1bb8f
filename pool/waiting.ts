/**
 * Tells which claims wait and why: once a claim and reason.
 *
 * @module
 */
import { GATHER_MS, type PoolLimits } from "./limits.ts";
import type { PoolNews, Reason } from "./news.ts";
import { reasonsOf } from "./reason.ts";
import type { OwnerKey, PoolState } from "./state.ts";

/** Remembers what was told of waiting claims. */
export class WaitingNews {
  readonly #told = new Map<OwnerKey, Reason["kind"]>();

  /**
   * Gives what is new: claims that wait longer than it takes to gather them,
   * and those that wait for another reason than before.
   *
   * @param state The pool.
   * @param limits Its bounds.
   * @param nowMs The time.
   * @returns The news.
   */
  of(state: PoolState, limits: PoolLimits, nowMs: number): PoolNews[] {
    for (const ownerKey of this.#told.keys()) {
      if (!state.claims.has(ownerKey)) this.#told.delete(ownerKey);
    }
    if (state.claims.size === 0) return [];
    const news: PoolNews[] = [];
    for (const [ownerKey, reason] of reasonsOf(state, limits, nowMs)) {
      const sinceMs = state.claims.get(ownerKey)?.atMs ?? nowMs;
      if (nowMs - sinceMs < GATHER_MS) continue;
      if (this.#told.get(ownerKey) === reason.kind) continue;
      this.#told.set(ownerKey, reason.kind);
      news.push({ kind: "claimWaiting", ownerKey, reason });
    }
    return news;
  }
}
