/**
 * What descriptions tell about our cards.
 *
 * A description that began before the card's last change is too old and tells
 * nothing about it; nothing is given up because one description lacks it.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";
import { isBusy } from "./begin.ts";
import {
  entered,
  hasLease,
  isCooling,
  known,
  withAddresses,
  withoutEni,
} from "./card.ts";
import type { Eni, EniStatus } from "./cloud.ts";
import { type Answer, isUnsure, type OpenCall } from "./event.ts";
import { JOINING_MS, MISSING_MS, POLL_MS, UNMOVED_MS } from "./limits.ts";
import { INTENT_TAG } from "./tags.ts";
import {
  type EniPhase,
  type PooledEni,
  type PoolState,
  type Slot,
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
  let after: PoolState = { ...state, surveyedMs: nowMs };
  for (const eni of state.enis.values()) after = look(after, eni, sighting);
  if (call.id < state.goneAtCall) return after;
  const ours = new Set([...after.enis.values()].map((eni) => eni.card?.id));
  const foreign = answer.enis.filter((eni) =>
    eni.instanceId === answer.instanceId && !ours.has(eni.id) &&
    !state.enis.has(eni.tags[INTENT_TAG] ?? "") &&
    // A member hangs on a trunk and takes no card's place.
    eni.type !== "Member"
  );
  return { ...after, foreignEniIds: foreign.map((eni) => eni.id) };
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
  if (seen === undefined) return unseen(state, eni, sighting);
  if (eni.card === undefined) {
    return withEni(
      state,
      moved(
        entered(known(eni, seen, nowMs), "created", at(nowMs)),
        seen,
        nowMs,
      ),
    );
  }
  const met = { ...eni, missingSinceMs: undefined };
  return withEni(state, moved(synced(state, met, sighting, seen), seen, nowMs));
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
    return { ...state, enis: withEntry(state.enis, eni.key, undefined) };
  }
  const missingSinceMs = eni.missingSinceMs ?? nowMs;
  const isGone = nowMs - missingSinceMs >= MISSING_MS;
  if (isGone && !hasLease(eni)) return withoutEni(state, eni);
  return withEni(state, {
    ...eni,
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
  const phase = nextPhase(eni, seen.status, nowMs);
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
      if (place === "free" || place === "dead") return "deleting";
      if (place === "attached" && isUnmoved) return "retired";
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

/**
 * Brings a card's addresses in line with the cloud's, as far as that is safe:
 * a lease stays whatever the cloud says, and what appears without an intent of
 * ours is quarantined.
 */
function synced(
  state: PoolState,
  eni: PooledEni,
  { nowMs }: Sighting,
  seen: Eni,
): PooledEni {
  const isSeen = new Set<Ip>([seen.primaryIp, ...seen.ips]);
  const slots = new Map<Ip, Slot>();
  for (const [ip, slot] of eni.slots) {
    if (isSeen.has(ip) || slot.kind === "leased") slots.set(ip, slot);
  }
  const kept = slots.size === eni.slots.size ? eni : { ...eni, slots };
  const fresh = [...isSeen].filter((ip) => !slots.has(ip));
  // The answer of an Assign that is under way will tell which ones are ours.
  if (fresh.length === 0 || eni.assign !== undefined) {
    return { ...kept, resync: false };
  }
  const isNew = eni.phase === "created" || eni.phase === "attaching";
  if (isNew || eni.resync) {
    return { ...withAddresses(state, kept, fresh, nowMs), resync: false };
  }
  const all = new Map(slots);
  for (const ip of fresh) all.set(ip, { kind: "quarantined", sinceMs: nowMs });
  return { ...kept, slots: all };
}

function at(nowMs: number): { nowMs: number; notBeforeMs: number } {
  return { nowMs, notBeforeMs: nowMs };
}
