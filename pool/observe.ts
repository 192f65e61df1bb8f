/**
 * What descriptions tell about our cards.
 *
 * A description that began before the card's last change is too old and tells
 * nothing about it; nothing is given up because one description lacks it.
 *
 * @module
 */
import { adopted } from "./adopt.ts";
import { isBusy } from "./begin.ts";
import { entered, hasLease, isCooling, known, withoutEni } from "./card.ts";
import type { Eni, EniStatus } from "./cloud.ts";
import {
  reconciled,
  withFoundLeases,
  withLostLeases,
  withOnlyLost,
} from "./drift.ts";
import { type Answer, isUnsure, type OpenCall } from "./event.ts";
import { RECOVERY_PROBE_MS } from "./health.ts";
import {
  JOINING_MS,
  MISSING_MS,
  ORPHAN_MS,
  POLL_MS,
  SURVEY_MAX_MS,
  SURVEY_MIN_MS,
  UNMOVED_MS,
} from "./limits.ts";
import { hasIp6 } from "./family.ts";
import { orphansOf } from "./orphan.ts";
import { INTENT_TAG } from "./tags.ts";
import { hasMembers, membersIn, trunkOf } from "./trunk.ts";
import {
  type EniPhase,
  LEAVING,
  type PooledEni,
  type PoolState,
  withEni,
  withEntry,
} from "./state.ts";

/** A description, and the call that gave it. */
export interface Sighting {
  /** The call. */
  readonly call: OpenCall;
  /** What it gave. */
  readonly answer: Extract<Answer, { kind: "survey" | "describe" }>;
  /** When. */
  readonly nowMs: number;
  /** From 0 to below 1. */
  readonly chance: number;
}

/**
 * Takes in a description of some cards.
 *
 * @param state The pool before.
 * @param sighting What was described, and when it was asked for.
 * @returns The pool after.
 */
export function described(state: PoolState, sighting: Sighting): PoolState {
  const { call } = sighting;
  if (call.kind !== "describe") return state;
  return call.eniKeys.reduce(
    (after, key) => look(after, after.enis.get(key), sighting),
    state,
  );
}

/**
 * Takes in a description of everything that is ours or on this instance.
 *
 * @param state The pool before.
 * @param sighting What was described, and when it was asked for.
 * @returns The pool after.
 */
export function surveyed(state: PoolState, sighting: Sighting): PoolState {
  const { call, answer, nowMs } = sighting;
  const pauseMs = SURVEY_MIN_MS +
    Math.round(sighting.chance * (SURVEY_MAX_MS - SURVEY_MIN_MS));
  let after: PoolState = {
    ...state,
    surveyedMs: nowMs,
    surveyFromMs: nowMs +
      (isAwaited(state) ? RECOVERY_PROBE_MS : pauseMs),
    draw: sighting.chance,
    rests: fullerRests(state, answer),
    available: answer.available === undefined ? state.available : new Map(
      answer.available.map(({ vSwitchId, ipCount }) => [vSwitchId, ipCount]),
    ),
  };
  for (const eni of state.enis.values()) after = look(after, eni, sighting);
  if (call.id < state.goneAtCall) return after;
  const { enis, instanceId, adoptable = [] } = answer;
  after = withIp6(after, sighting);
  after = adopted(after, { enis, instanceId, adoptable, nowMs });
  after = { ...after, orphans: orphansOf(after, answer, nowMs) };
  const ours = new Set([...after.enis.values()].map((eni) => eni.card?.id));
  const foreign = answer.enis.filter((eni) =>
    eni.instanceId === answer.instanceId && !ours.has(eni.id) &&
    !state.enis.has(eni.tags[INTENT_TAG] ?? "") &&
    // A member hangs on a trunk and takes no card's place.
    eni.type !== "Member"
  );
  return withHeldTrunk({
    ...after,
    foreignEniIds: foreign.map((eni) => eni.id),
    trunk: {
      ...after.trunk,
      hasForeign: foreign.some((eni) => eni.type === "Trunk"),
      memberIds: membersIn(enis, instanceId),
    },
  }, nowMs);
}

/** Until a recovery is believed, it is probed; so are members at a drain. */
function isAwaited({ health, draining, trunk }: PoolState): boolean {
  return health.level !== "whole" || (draining && trunk.memberIds.length > 0);
}

/**
 * A trunk that was let go while somebody hung a member on it can't be detached:
 * it serves until the member is gone.
 */
function withHeldTrunk(state: PoolState, nowMs: number): PoolState {
  const trunk = trunkOf(state);
  if (trunk === undefined || !hasMembers(state, trunk)) return state;
  const isLet = ["retiring", "retired", "detaching"].includes(trunk.phase);
  if (!isLet || isBusy(state, trunk.key)) return state;
  return withEni(state, entered(trunk, "preparing", at(nowMs)));
}

/**
 * Cards from before pods had IPv6 are set up for it, once it is known that
 * their vSwitch has it.
 */
function withIp6(
  state: PoolState,
  { answer: { adoptable = [] }, nowMs }: Sighting,
): PoolState {
  if (!hasIp6(state.stack)) return state;
  let after = state;
  for (const eni of state.enis.values()) {
    const { intent, card, phase } = eni;
    const seen = adoptable.find(({ eniId }) => eniId === card?.id);
    if (seen?.subnet6 === undefined || intent.subnet6 !== undefined) continue;
    if (isBusy(state, eni.key)) continue;
    const known = { ...eni, intent: { ...intent, subnet6: seen.subnet6 } };
    const isReady = phase === "ready";
    after = withEni(
      after,
      isReady ? entered(known, "preparing", at(nowMs)) : known,
    );
  }
  return after;
}

/** A vSwitch that got addresses back may be asked for so many. */
function fullerRests(
  { rests }: PoolState,
  { available = [] }: Sighting["answer"],
): PoolState["rests"] {
  let fuller = rests;
  for (const { vSwitchId, ipCount } of available) {
    const rest = rests.get(vSwitchId);
    if (rest === undefined || rest.atMost >= ipCount) continue;
    if (rest.ofPrefixes) continue; // they needn't lie together
    fuller = withEntry(fuller, vSwitchId, { ...rest, atMost: ipCount });
  }
  return fuller;
}

function look(
  state: PoolState,
  eni: PooledEni | undefined,
  sighting: Sighting,
): PoolState {
  const { call, answer, nowMs } = sighting;
  if (eni === undefined || isBusy(state, eni.key)) return state;
  if (call.id < eni.changedAtCall) return state;
  const seen = answer.enis.find((one) =>
    eni.card === undefined
      ? one.tags[INTENT_TAG] === eni.key
      : one.id === eni.card.id
  );
  if (seen === undefined || isElsewhere(eni, seen, answer.instanceId)) {
    return unseen(state, eni, sighting);
  }
  if (eni.card === undefined) {
    return withEni(
      state,
      moved(
        entered(known(state, eni, seen, nowMs), "created", at(nowMs)),
        seen,
        nowMs,
      ),
    );
  }
  const met = { ...eni, missingSinceMs: undefined };
  const { startedMs } = call;
  const next = reconciled(state, met, { seen, startedMs, nowMs });
  return withEni(state, placed(next, seen, nowMs));
}

/** Somebody attached our card to another instance: here it is gone. */
function isElsewhere(eni: PooledEni, seen: Eni, instanceId: string): boolean {
  return eni.card !== undefined && PLACES[seen.status] === "attached" &&
    seen.instanceId !== undefined && seen.instanceId !== instanceId;
}

/** A card that serves leaves its phase when two looks show it apart. */
function placed(eni: PooledEni, seen: Eni, nowMs: number): PooledEni {
  const isAttached = PLACES[seen.status] === "attached";
  if (isAttached) {
    const found = withFoundLeases(eni, seen);
    const sight = { ...found.sight, apartMs: undefined };
    return moved({ ...found, sight }, seen, nowMs);
  }
  if (eni.phase !== "ready") return moved(eni, seen, nowMs);
  const apartMs = eni.sight.apartMs ?? nowMs;
  if (nowMs - apartMs >= MISSING_MS) {
    return moved(withLostLeases(eni, nowMs), seen, nowMs);
  }
  const lookFromMs = nowMs + MISSING_MS;
  return { ...eni, sight: { ...eni.sight, apartMs, lookFromMs } };
}

function unseen(
  state: PoolState,
  eni: PooledEni,
  { call, nowMs }: Sighting,
): PoolState {
  if (eni.phase === "creating") return state;
  if (eni.phase === "seeking") {
    // Proof: we looked long after the last request can have been on its way.
    if (call.kind !== "survey" || call.startedMs < eni.notBeforeMs) {
      return state;
    }
    return {
      ...state,
      enis: withEntry(state.enis, eni.key, undefined),
      doubtUntilMs: nowMs + ORPHAN_MS,
    };
  }
  const missingSinceMs = eni.missingSinceMs ?? nowMs;
  const isGone = nowMs - missingSinceMs >= MISSING_MS;
  if (isGone && !hasLease(eni)) return withoutEni(state, eni);
  return withEni(state, {
    ...(isGone ? withOnlyLost(eni, nowMs) : eni),
    missingSinceMs,
    notBeforeMs: nowMs + MISSING_MS,
  });
}

/** What the pool makes of a card's status. */
type Place = "coming" | "attached" | "going" | "free" | "dead";

const PLACES: Readonly<Record<EniStatus, Place>> = {
  Creating: "coming",
  Attaching: "coming",
  InUse: "attached",
  Linked: "attached",
  Detaching: "going",
  Unlinking: "going",
  Available: "free",
  Unattached: "free",
  Deleting: "dead",
  CreateFailed: "dead",
};

function moved(eni: PooledEni, seen: Eni, nowMs: number): PooledEni {
  const next = nextPhase(eni, seen.status, nowMs);
  // What we didn't make, we don't detach or delete.
  const phase = eni.isAdopted && LEAVING.has(next) ? eni.phase : next;
  if (phase !== eni.phase) return entered(eni, phase, at(nowMs));
  const isPolled = phase === "attaching" || phase === "detaching";
  return isPolled ? { ...eni, notBeforeMs: nowMs + POLL_MS } : eni;
}

function nextPhase(
  eni: PooledEni,
  status: EniStatus,
  nowMs: number,
): EniPhase {
  const place = PLACES[status];
  const heldMs = nowMs - eni.sinceMs;
  // A call that got no answer may be repeated at once; one that did takes time.
  const isUnmoved = heldMs >= UNMOVED_MS ||
    (eni.problem !== undefined && isUnsure(eni.problem));
  switch (eni.phase) {
    case "created":
      return joining(eni, place);
    case "attaching":
      if (place === "attached") return "preparing";
      if (place === "free" && isUnmoved) return "created";
      if (place === "dead" && !hasLease(eni)) return "deleting";
      return heldMs >= JOINING_MS && !hasLease(eni) && !isCooling(eni)
        ? "retired"
        : "attaching";
    case "preparing":
    case "ready":
      return place === "attached" ? eni.phase : joining(eni, place);
    case "detaching":
      // One that pods need is attached again.
      if (place === "free" || place === "dead") {
        return hasLease(eni) ? joining(eni, place) : "deleting";
      }
      if (place === "attached" && isUnmoved) {
        return hasLease(eni) ? "preparing" : "retired";
      }
      return "detaching";
    default:
      return eni.phase;
  }
}

/** Where a card stands that shall serve: also one that was detached behind our back. */
function joining(eni: PooledEni, place: Place): EniPhase {
  switch (place) {
    case "attached":
      return "preparing";
    case "free":
      return "created";
    case "coming":
    case "going":
      return "attaching";
    case "dead":
      return hasLease(eni) ? eni.phase : "deleting";
  }
}

function at(nowMs: number): { nowMs: number; notBeforeMs: number } {
  return { nowMs, notBeforeMs: nowMs };
}
