/**
 * The trunk: one card of the node that carries other cards, its members, by
 * VLAN tags. It is a shared card like any other besides, so that pods find as
 * many addresses with it as without.
 *
 * A trunk that is wanted is made before any other card and never given back.
 * Members are made and attached by somebody else; while one hangs on a trunk,
 * the trunk stays, wanted or not.
 *
 * @module
 */
import type { Eni } from "./cloud.ts";
import type { EventOf, OpenCall, Problem } from "./event.ts";
import { TRUNK_REST_MS } from "./limits.ts";
import type { PoolLimits } from "./limits.ts";
import {
  type EniIntent,
  type PooledEni,
  type PoolState,
  withEntry,
} from "./state.ts";

/** What a pool has of a trunk, for people. */
export interface TrunkStatus {
  /** The cloud's id, once there is one. */
  readonly eniId?: string;
  /** Members that hang on it, as the last survey showed. */
  readonly memberCount: number;
  /** Why there is none, or why it can't be used yet. */
  readonly reason?: string;
}

/**
 * Finds the trunk.
 *
 * @param state The pool.
 * @returns The card, in whichever phase; undefined when there is none.
 */
export function trunkOf(state: PoolState): PooledEni | undefined {
  for (const eni of state.enis.values()) if (eni.intent.trunk) return eni;
  return undefined;
}

/**
 * Gives the members on an instance.
 *
 * @param enis What a survey showed.
 * @param instanceId The instance.
 * @returns The cloud's ids.
 */
export function membersIn(
  enis: readonly Eni[],
  instanceId: string,
): readonly string[] {
  return enis.filter((eni) =>
    eni.type === "Member" && eni.instanceId === instanceId
  ).map(({ id }) => id);
}

/**
 * Tells whether members hang on a card.
 *
 * @param state The pool; an instance has one trunk at most.
 * @param eni The card.
 * @returns True when it must not leave.
 */
export function hasMembers(
  { trunk }: Pick<PoolState, "trunk">,
  { intent }: Pick<PooledEni, "intent">,
): boolean {
  return intent.trunk === true && trunk.memberIds.length > 0;
}

/**
 * Tells whether a card is a trunk that stays: as it is wanted, or members hang
 * on it.
 *
 * @param state The pool.
 * @param eni The card.
 * @param limits The pool's bounds.
 * @returns False for all others.
 */
export function isKeptTrunk(
  state: PoolState,
  eni: PooledEni,
  limits: PoolLimits,
): boolean {
  const isWanted = limits.trunk && !state.draining;
  return eni.intent.trunk === true && (isWanted || hasMembers(state, eni));
}

/**
 * Tells whether the next card shall be a trunk.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time.
 * @returns False also while an earlier trunk leaves: an instance has one at
 * most.
 */
export function isTrunkDue(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): boolean {
  return limits.trunk && limits.hotPlug && trunkOf(state) === undefined &&
    !state.trunk.hasForeign && (state.trunk.rest?.untilMs ?? 0) <= nowMs;
}

/**
 * Tells whether the cloud won't have a card as a trunk.
 *
 * @param intent What was asked for.
 * @param problem The cloud's answer.
 * @returns True when the same call for a common card may work.
 */
export function isTrunkRefused(
  { trunk }: EniIntent,
  { kind }: Problem,
): boolean {
  return trunk === true && kind === "invalid";
}

/**
 * Keeps a refused trunk from holding common cards back: it rests by itself.
 *
 * @param before The pool before the failure.
 * @param after The pool after it.
 * @param failure The call that failed, and how.
 * @returns The pool, its gates as they were before.
 */
export function withTrunkRest(
  before: PoolState,
  after: PoolState,
  { call, event: { problem, nowMs } }: {
    readonly call: OpenCall;
    readonly event: EventOf<"failed">;
  },
): PoolState {
  if (call.kind !== "create" && call.kind !== "attach") return after;
  const intent = before.enis.get(call.eniKey)?.intent;
  if (!intent || !isTrunkRefused(intent, problem)) return after;
  const gate = before.gates.get(call.kind);
  return {
    ...after,
    gates: withEntry(after.gates, call.kind, gate),
    trunk: {
      ...after.trunk,
      rest: { untilMs: nowMs + TRUNK_REST_MS, problem },
    },
  };
}

/**
 * Tells how it stands with the trunk.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param room Whether there is none for a further card.
 * @returns Nothing where none is wanted and none is there.
 */
export function trunkStatus(
  state: PoolState,
  limits: PoolLimits,
  { isFull }: { readonly isFull: boolean },
): TrunkStatus | undefined {
  const eni = trunkOf(state);
  const memberCount = state.trunk.memberIds.length;
  if (eni !== undefined) {
    const eniId = eni.card?.id;
    const reason = eni.phase === "ready" ? undefined : `it is ${eni.phase}`;
    return {
      memberCount,
      ...eniId !== undefined && { eniId },
      ...reason !== undefined && { reason },
    };
  }
  if (!limits.trunk) return undefined;
  return { memberCount, reason: whyNone(state, limits, isFull) };
}

function whyNone(
  { trunk: { hasForeign, rest }, full: quota, surveyedMs }: PoolState,
  { hotPlug }: PoolLimits,
  isFull: boolean,
): string {
  if (surveyedMs === undefined) return "the cloud hasn't told what there is";
  if (hasForeign) {
    return "the instance has a trunk that isn't this node's: detach it, or " +
      "let it be used (prefix, or eni_tag_filter, of eni_conf)";
  }
  if (!hotPlug) return "hot_plug is off, so none is made";
  if (rest !== undefined) return rest.problem.message;
  if (isFull) {
    return "every ENI that the type allows is there already: it is made when " +
      "one without pods has gone";
  }
  return quota === undefined ? "it is about to be made" : quota.problem.message;
}
