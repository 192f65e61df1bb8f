/**
 * When the plan may change by time alone.
 *
 * @module
 */
import { isShort, nextMinuteMs } from "./budget.ts";
import { provableFromMs } from "./drift.ts";
import { GATHER_MS, JOINING_MS, type PoolLimits } from "./limits.ts";
import { reclaimFromMs } from "./shrink.ts";
import type { PoolState } from "./state.ts";
import { isSurveyed } from "./stock.ts";

/**
 * Gives the next time at which it is worth planning again although nothing
 * happened. Too early is harmless.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time, for which the plan is empty.
 * @returns A later time; undefined when only an event can change the plan.
 */
export function wakeMs(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): number | undefined {
  let next = Infinity;
  const at = (timeMs: number | undefined) => {
    if (timeMs !== undefined && timeMs > nowMs) next = Math.min(next, timeMs);
  };
  for (const eni of state.enis.values()) {
    at(eni.notBeforeMs);
    at(eni.assignFromMs);
    if (eni.phase === "preparing") at(eni.sinceMs + JOINING_MS);
    at(eni.sight.lookFromMs);
    for (const slot of eni.slots.values()) {
      if (slot.kind === "cooling") at(slot.untilMs);
      else at(provableFromMs(slot));
    }
  }
  for (const gate of state.gates.values()) at(gate.notBeforeMs);
  for (const rest of state.rests.values()) at(rest.untilMs);
  for (const claim of state.claims.values()) {
    at(claim.atMs + GATHER_MS);
    break; // the oldest decides for all
  }
  at(state.proveFromMs);
  at(state.secureFromMs);
  if (isSurveyed(state)) at(state.surveyFromMs);
  if (limits.idleReclaim !== undefined) at(reclaimFromMs(state, limits));
  at(state.full?.untilMs);
  at(state.trunk.rest?.untilMs);
  if (isShort(state.spent, limits.callsPerMinute)) {
    at(nextMinuteMs(state.spent.fromMs));
  }
  return next === Infinity ? undefined : next;
}
