/**
 * Orphans: cards that bear this node's tags, are attached nowhere, and that no
 * record speaks of. They are late children of intents that were closed, or
 * were detached by somebody else and then forgotten.
 *
 * One that stays so for long enough is deleted. What is attached to this node
 * is adopted instead (`adopt.ts`), and what doesn't bear our tags isn't ours.
 *
 * @module
 */
import { standingOf } from "./adopt.ts";
import type { Eni } from "./cloud.ts";
import type { PoolConfig } from "./contract.ts";
import type { Answer } from "./event.ts";
import type { Desk } from "./grow.ts";
import { ORPHAN_MS, type PoolLimits } from "./limits.ts";
import type { PoolState } from "./state.ts";
import { INTENT_TAG } from "./tags.ts";

/**
 * Tells whether a card is ours by its tags, and attached nowhere.
 *
 * @param eni The card.
 * @param config Which tags are ours.
 * @returns True when it would be an orphan, were there no record of it.
 */
export function isLoose(eni: Eni, config: PoolConfig): boolean {
  return eni.status === "Available" && eni.instanceId === undefined &&
    standingOf(eni, config) === "own";
}

/**
 * Gives the orphans that a survey shows; each keeps when it was first seen, as
 * long as every survey shows it.
 *
 * @param state The pool, which knows what else the survey told.
 * @param answer What the survey showed.
 * @param nowMs The time.
 * @returns When each was first seen, by the cloud's id.
 */
export function orphansOf(
  state: PoolState,
  answer: Extract<Answer, { kind: "survey" | "describe" }>,
  nowMs: number,
): PoolState["orphans"] {
  const { looseEniIds = [] } = answer;
  if (looseEniIds.length === 0) return NONE;
  const known = new Set([...state.enis.values()].map((eni) => eni.card?.id));
  const orphans = new Map<string, number>();
  for (const id of looseEniIds) {
    const seen = answer.enis.find((eni) => eni.id === id);
    const key = seen?.tags[INTENT_TAG] ?? "";
    if (known.has(id) || state.enis.has(key)) continue;
    orphans.set(id, state.orphans.get(id) ?? nowMs);
  }
  return orphans;
}

const NONE: PoolState["orphans"] = new Map();

/**
 * Adds the call that deletes an orphan which has been one for long enough; one
 * at a time, since none of this is urgent.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param desk What the plan works with.
 */
export function purge(state: PoolState, limits: PoolLimits, desk: Desk): void {
  const { lanes, begin } = desk;
  if (!limits.hotPlug || state.orphans.size === 0) return;
  if (!lanes.isIdle("purge") || !lanes.isOpenForStock("purge")) return;
  const due = [...state.orphans].filter(([, sinceMs]) =>
    // The last survey saw it too, or it wouldn't be here.
    (state.surveyedMs ?? sinceMs) - sinceMs >= ORPHAN_MS
  );
  // One that can't be deleted doesn't keep the others.
  const turn = state.gates.get("purge")?.failureCount ?? 0;
  const [eniId] = due[turn % due.length] ?? [];
  if (eniId !== undefined) begin({ kind: "purge", eniId });
}
