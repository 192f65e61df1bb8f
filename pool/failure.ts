/**
 * How calls fail, and what each failure means for the card, its vSwitch and
 * the API.
 *
 * A failure whose end is known (the cloud refused) undoes the intent; one
 * whose end isn't (no answer) keeps it, with its token, until another answer
 * or a proof settles it.
 *
 * @module
 */
import { eniKeyOf } from "./begin.ts";
import { kindsOf } from "./budget.ts";
import {
  entered,
  hasLease,
  isHeldElsewhere,
  suspended,
  withoutEni,
} from "./card.ts";
import { invariant } from "./error.ts";
import {
  type AssignCall,
  type EventOf,
  isUnsure,
  type OpenCall,
  type Problem,
  type UnassignCall,
} from "./event.ts";
import { tallyOf } from "./family.ts";
import { type Health, responded, unanswered } from "./health.ts";
import { LANE_OF } from "./lanes.ts";
import {
  backoffMs,
  FULL_MAX_MS,
  FULL_MIN_MS,
  POLL_MS,
  PROOF_MS,
  REFUSED_MS,
  VSWITCH_REST_MS,
} from "./limits.ts";
import { addressesOf, askedOf } from "./prefixed.ts";
import {
  eniOf,
  type Gate,
  type PooledEni,
  type PoolState,
  type Slot,
  withEni,
  withEntry,
} from "./state.ts";
import { isTrunkRefused, withTrunkRest } from "./trunk.ts";

/**
 * Takes a failure in.
 *
 * @param state The pool before.
 * @param event The failure.
 * @returns The pool after.
 * @throws {PoolError} `broken` when no such call is in flight.
 */
export function failed(state: PoolState, event: EventOf<"failed">): PoolState {
  const call = state.calls.get(event.callId);
  invariant(call !== undefined, `call ${event.callId} failed: it is unknown`);
  const calls = withEntry(state.calls, call.id, undefined);
  const health = healthAfter(state, event);
  const known = bounded(gated({ ...state, calls, health }, event), call, event);
  const held = withTrunkRest(state, known, { call, event });
  const key = eniKeyOf(call);
  if (key === undefined) return held;
  const eni = { ...eniOf(held, key), changedAtCall: state.nextCallId };
  if (call.kind === "secure") {
    // Its groups are no reason to keep a card from serving.
    const { problem, nowMs } = event;
    const secureFromMs = isUnsure(problem)
      ? nowMs + PROOF_MS
      : held.secureFromMs;
    return { ...withEni(held, lookedAt(eni, event)), secureFromMs };
  }
  return settled(held, paused(eni, event), call, event);
}

/**
 * Turns a card whose creation has no known end into one that is looked for.
 *
 * @param eni The card.
 * @param nowMs When its last attempt ended, at the latest.
 * @returns The card, to be looked for when that attempt is old enough.
 */
export function sought(eni: PooledEni, nowMs: number): PooledEni {
  return entered(eni, "seeking", { nowMs, notBeforeMs: nowMs + PROOF_MS });
}

/** A refusal is an answer: only silence and nonsense are none. */
function healthAfter(
  { health }: PoolState,
  { problem, nowMs }: EventOf<"failed">,
): Health {
  if (LANE_OF[problem.call] === undefined) return health;
  const isAway = problem.kind === "transient" || problem.kind === "timeout";
  return isAway ? unanswered(health, problem, nowMs) : responded(health, nowMs);
}

/**
 * Tells whether an API refuses every call for now.
 *
 * @param gate What holds it back.
 * @param nowMs The time.
 * @returns True until the cloud counts anew, whatever else comes back of it.
 */
export function isThrottled(gate: Gate, nowMs: number): boolean {
  return gate.problem.kind === "throttled" && gate.notBeforeMs > nowMs;
}

/** Holds the API back, or opens it again when it answered in its own right. */
function gated(state: PoolState, event: EventOf<"failed">): PoolState {
  const { problem, nowMs } = event;
  const before = state.gates.get(problem.call);
  // A call that was on its way before ends no throttling.
  if (before !== undefined && isThrottled(before, nowMs)) return state;
  const failureCount = (before?.failureCount ?? 0) + 1;
  const notBeforeMs = gateMs(failureCount, event);
  const gate: Gate | undefined = notBeforeMs === undefined
    ? undefined
    : { notBeforeMs, failureCount, problem };
  const gates = withEntry(state.gates, problem.call, gate);
  if (gate === undefined || problem.kind !== "throttled") {
    return { ...state, gates };
  }
  return { ...state, gates: sharing(gates, gate) };
}

/** Who is throttled is so for an API, whatever it is called for. */
function sharing(gates: PoolState["gates"], gate: Gate): PoolState["gates"] {
  const { problem, notBeforeMs } = gate;
  return kindsOf(problem.api).reduce((held, kind) => {
    const before = gates.get(kind);
    const isHeld = before !== undefined && before.notBeforeMs >= notBeforeMs;
    if (kind === problem.call || isHeld) return held;
    return withEntry(held, kind, {
      ...gate,
      failureCount: before?.failureCount ?? 0,
    });
  }, gates);
}

function gateMs(
  failureCount: number,
  { problem, nowMs, chance }: EventOf<"failed">,
): number | undefined {
  // Whatever it is about, it is tried again by itself: not in a row.
  const isOwnGate = LANE_OF[problem.call] === "look" ||
    ["prove", "purge", "secure"].includes(problem.call);
  switch (problem.kind) {
    case "throttled":
      // Source: ECS "API throttling": blocked until the next minute. Spread
      // over some seconds, since all nodes of a cluster wait for it.
      return (Math.floor(nowMs / 60_000) + 1) * 60_000 +
        Math.round(chance * 5_000);
    case "denied":
      return nowMs + REFUSED_MS;
    case "transient":
    case "timeout":
    case "token":
      return nowMs + backoffMs(failureCount, chance);
    case "invalid":
    case "notFound":
      // What is wrong with one card's call isn't wrong with another's.
      if (problem.call === "create") return nowMs + REFUSED_MS;
      return isOwnGate ? nowMs + REFUSED_MS : undefined;
    case "conflict":
    case "quota":
    case "exhausted":
    case "host":
      return isOwnGate ? nowMs + backoffMs(failureCount, chance) : undefined;
  }
}

/** Remembers what has run dry: the instance's cards, or the vSwitch. */
function bounded(
  state: PoolState,
  call: OpenCall,
  event: EventOf<"failed">,
): PoolState {
  const { problem, nowMs, chance } = event;
  if (problem.kind === "quota" && /^(create|attach)$/.test(call.kind)) {
    const spread = chance * (FULL_MAX_MS - FULL_MIN_MS);
    const untilMs = nowMs + Math.round(FULL_MIN_MS + spread);
    return { ...state, full: { sinceMs: nowMs, untilMs, problem } };
  }
  if (problem.kind !== "exhausted") return state;
  if (call.kind !== "create" && call.kind !== "assign") return state;
  const { vSwitchId } = eniOf(state, call.eniKey).intent;
  const isNew = call.kind === "create";
  const count = isNew
    ? addressesOf(call.intent, 4)
    : askedOf({ ...call, family: 4 });
  const ofPrefixes = isNew
    ? (call.intent.prefixCount ?? 0) > 0
    : call.ofPrefixes;
  // The cloud gives all or nothing: fewer may still be had, until one is too many.
  const atMost = Math.min(
    Math.floor(count / 2),
    state.rests.get(vSwitchId)?.atMost ?? count,
  );
  const untilMs = nowMs + VSWITCH_REST_MS;
  const rest = { untilMs, atMost, ...(ofPrefixes ? { ofPrefixes } : {}) };
  return { ...state, rests: withEntry(state.rests, vSwitchId, rest) };
}

function paused(eni: PooledEni, event: EventOf<"failed">): PooledEni {
  const { problem, nowMs, chance } = event;
  const failureCount = eni.failureCount + 1;
  // A throttled API is held back as a whole; an empty vSwitch too. A card that
  // finds no place is held back by nothing else.
  const isElsewhere = problem.kind === "throttled" ||
    (problem.kind === "exhausted" && problem.call !== "assign6") ||
    (problem.kind === "quota" && problem.call !== "attach");
  const pauseMs = isElsewhere ? 0 : backoffMs(failureCount, chance);
  return { ...eni, failureCount, problem, notBeforeMs: nowMs + pauseMs };
}

/** A card that isn't found, or just changes, isn't what we thought. */
function lookedAt(
  eni: PooledEni,
  { problem, nowMs }: Pick<EventOf<"failed">, "problem" | "nowMs">,
): PooledEni {
  if (problem.kind !== "notFound" && problem.kind !== "conflict") return eni;
  return { ...eni, sight: { ...eni.sight, lookFromMs: nowMs } };
}

function settled(
  state: PoolState,
  eni: PooledEni,
  call: OpenCall,
  { problem, nowMs }: EventOf<"failed">,
): PoolState {
  const soon = { nowMs, notBeforeMs: nowMs + POLL_MS };
  const mayHaveHappened = isUnsure(problem) || problem.kind === "conflict" ||
    problem.kind === "notFound";
  switch (call.kind) {
    case "create":
      return settledCreate(state, eni, problem, nowMs);
    case "assign":
    case "assign6":
      return withEni(state, settledAssign(eni, call, { problem, nowMs }));
    case "unassign":
    case "unassign6":
      return withEni(
        state,
        settledUnassign(state, eni, call, { problem, nowMs }),
      );
    case "attach":
      if (mayHaveHappened) {
        return withEni(state, suspended(eni, "attaching", soon));
      }
      if (isPlaceless(eni, problem) && !hasLease(eni)) {
        return withEni(state, entered(eni, "deleting", soon));
      }
      return withEni(state, eni);
    case "detach":
      if (!mayHaveHappened) return withEni(state, eni);
      return withEni(state, suspended(eni, "detaching", soon));
    case "delete":
      if (problem.kind === "notFound") return withoutEni(state, eni);
      if (problem.kind !== "conflict") return withEni(state, eni);
      // Attached after all: by a request of ours that was long on its way.
      return withEni(state, suspended(eni, "detaching", soon));
    default:
      return withEni(state, eni);
  }
}

/** There is no room on the instance for it, or for another trunk. */
function isPlaceless({ intent }: PooledEni, problem: Problem): boolean {
  return problem.kind === "quota" || isTrunkRefused(intent, problem);
}

function settledCreate(
  state: PoolState,
  eni: PooledEni,
  problem: Problem,
  nowMs: number,
): PoolState {
  const isOpen = isUnsure(problem) || eni.unsure;
  if (!isOpen) {
    return { ...state, enis: withEntry(state.enis, eni.key, undefined) };
  }
  const mayRepeat = isUnsure(problem) || problem.kind === "throttled" ||
    problem.kind === "denied";
  return withEni(
    state,
    mayRepeat && !state.draining
      ? { ...eni, unsure: true }
      : sought({ ...eni, unsure: true }, nowMs),
  );
}

function settledAssign(
  eni: PooledEni,
  call: AssignCall,
  { problem, nowMs }: Pick<EventOf<"failed">, "problem" | "nowMs">,
): PooledEni {
  const assign = eni.assign;
  invariant(assign !== undefined, `card ${eni.key} was assigned no address`);
  if (isUnsure(problem)) return { ...eni, assign: { ...assign, unsure: true } };
  const mayRepeat = problem.kind === "throttled" || problem.kind === "denied" ||
    problem.kind === "conflict";
  if (assign.unsure && mayRepeat) return eni;
  const isFull = problem.kind === "quota";
  const is6Full = isFull && call.kind === "assign6";
  const untilMs = nowMs + VSWITCH_REST_MS;
  return {
    ...eni,
    assign: undefined,
    // So many pods it carries, and no more: IPv4 alone serves none.
    most6: is6Full ? { count: tallyOf(eni, 6).total, untilMs } : eni.most6,
    // An earlier attempt may still be on its way: look when it can't be.
    notBeforeMs: assign.unsure ? nowMs + PROOF_MS : eni.notBeforeMs,
    assignFromMs: isFull && !is6Full ? untilMs : eni.assignFromMs,
    // What an attempt without a known end brought is ours.
    resync: assign.unsure,
    // A card that is full or not found isn't what we thought: look.
    sight: isFull || problem.kind === "notFound"
      ? { ...eni.sight, lookFromMs: nowMs }
      : eni.sight,
  };
}

function settledUnassign(
  state: PoolState,
  eni: PooledEni,
  call: UnassignCall,
  { problem, nowMs }: Pick<EventOf<"failed">, "problem" | "nowMs">,
): PooledEni {
  const slots = new Map(eni.slots);
  for (const ip of call.ips) {
    const slot = slots.get(ip);
    if (slot?.kind !== "unassigning") continue;
    // Somebody else may have taken it off this card before, and the cloud may
    // have given it to another of ours since.
    const kind = isHeldElsewhere(state, eni, ip) ? "quarantined" : "idle";
    const idle: Slot = { kind, sinceMs: nowMs };
    const unsure: Slot = { kind: "unassigning", unsure: true };
    slots.set(ip, isUnsure(problem) || slot.unsure ? unsure : idle);
  }
  return {
    // Look before the next try.
    ...lookedAt(eni, { problem, nowMs }),
    slots,
    // The request may still be on its way, and would take an address that
    // came back in the meantime.
    assignFromMs: isUnsure(problem) ? nowMs + PROOF_MS : eni.assignFromMs,
  };
}
