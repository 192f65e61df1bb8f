/**
 * Security groups: the cards that we made are put into those that the operator
 * wants, also the ones that were made under an older wish.
 *
 * There is no token that tells an older call from a newer one: after a call
 * without a known end nothing is set until it can't be on its way any more.
 *
 * What counts is what a card was last put into by us: groups that somebody
 * changes in the console stay as they are until the wish changes.
 *
 * @module
 */
import type { Desk } from "./grow.ts";
import type { PoolState } from "./state.ts";
import { serves } from "./stock.ts";

/**
 * Adds the call that puts a card into its groups; one at a time, since an error
 * of the operator shall not cut off all pods at once.
 *
 * @param state The pool.
 * @param desk What the plan works with.
 */
export function secure(state: PoolState, { lanes, nowMs, begin }: Desk): void {
  const { securityGroupIds, secureFromMs } = state;
  if (securityGroupIds === undefined || state.draining) return;
  if (secureFromMs > nowMs) return;
  if (!lanes.isIdle("secure") || !lanes.isOpenForStock("secure")) return;
  const due = [...state.enis.values()].filter((eni) =>
    !eni.isAdopted && serves(eni) && lanes.isFree(eni) &&
    !isSame(eni.intent.securityGroupIds, securityGroupIds)
  );
  // One that can't be changed doesn't keep the others.
  const turn = state.gates.get("secure")?.failureCount ?? 0;
  const eni = due[turn % due.length];
  if (eni !== undefined) {
    begin({ kind: "secure", eniKey: eni.key, securityGroupIds });
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
