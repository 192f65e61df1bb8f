/**
 * The pool's state machine: one event in, the next state out.
 *
 * Pure: no clock, no chance, no I/O. What can't be throws, since a pool that
 * contradicts itself must not hand out addresses.
 *
 * @module
 */
import { answered } from "./answer.ts";
import { begun, isBusy } from "./begin.ts";
import type { EventOf, PoolEvent } from "./event.ts";
import { failed, sought } from "./failure.ts";
import { claimed, cooled, granted, recovered, released } from "./lease.ts";
import { type PoolState, withEntry } from "./state.ts";

/**
 * Applies an event.
 *
 * @example An owner waits
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { emptyState } from "./state.ts";
 *
 * const state = step(emptyState(), { kind: "claimed", ownerKey: "a", nowMs: 7 });
 * assertEquals([...state.claims.values()], [{ ownerKey: "a", atMs: 7 }]);
 * ```
 * @param state The pool before.
 * @param event What happened.
 * @returns The pool after; the same object when nothing changed.
 * @throws {PoolError} `broken` when the event can't have happened.
 */
export function step(state: PoolState, event: PoolEvent): PoolState {
  switch (event.kind) {
    case "claimed":
      return claimed(state, event);
    case "dropped":
      if (!state.claims.has(event.ownerKey)) return state;
      return {
        ...state,
        claims: withEntry(state.claims, event.ownerKey, undefined),
      };
    case "granted":
      return granted(state, event.lease);
    case "recovered":
      return recovered(state, event);
    case "released":
      return released(state, event);
    case "cooled":
      return cooled(state, event);
    case "begun":
      return begun(state, event);
    case "answered":
      return answered(state, event);
    case "failed":
      return failed(state, event);
    case "configured":
      return configured(state, event);
    case "warmed":
      return { ...state, isCold: false };
    case "draining":
      return draining(state, event.nowMs);
  }
}

function configured(
  state: PoolState,
  { securityGroupIds, stack = state.stack }: EventOf<"configured">,
): PoolState {
  return { ...state, securityGroupIds, stack };
}

function draining(state: PoolState, nowMs: number): PoolState {
  if (state.draining) return state;
  const enis = new Map(state.enis);
  for (const [key, eni] of enis) {
    // Nobody waits for it any more: rather prove that it isn't there.
    if (eni.phase === "creating" && !isBusy(state, key)) {
      enis.set(key, sought(eni, nowMs));
    }
  }
  // Whether members hang on a trunk is looked at now.
  const surveyFromMs = Math.min(state.surveyFromMs, nowMs);
  const claims = new Map();
  return { ...state, enis, draining: true, claims, surveyFromMs };
}
