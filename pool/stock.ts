/**
 * What the pool has, in numbers: one pass over cards and addresses that both
 * the plan and the reasons of waiting claims start from.
 *
 * @module
 */
import { idlePlaces, isFit, leadOf, placesOf, tallyOf } from "./family.ts";
import type { PoolLimits } from "./limits.ts";
import { prefixSize } from "./prefix.ts";
import { addressesOf, askedOf, prefixesHeld, unitsOf } from "./prefixed.ts";
import { JOINING, type PooledEni, type PoolState } from "./state.ts";

/**
 * Addresses by what can be done with them; where pods have both families, one
 * of each counts as one.
 */
export interface Stock {
  /** May be leased now. */
  readonly idle: number;
  /** Leased. */
  readonly leased: number;
  /** Will be idle by themselves. */
  readonly cooling: number;
  /** Asked for, or on a card that isn't ready yet. */
  readonly coming: number;
  /** Could be asked for on the cards that there are. */
  readonly room: number;
  /** Leave, and make room for as many. */
  readonly leaving: number;
  /** Cards that could be made, whatever the cloud says. */
  readonly freeEnis: number;
}

/**
 * Tells whether a card's addresses may be leased.
 *
 * @param eni The card.
 * @returns True when it is set up and the cloud knows it.
 */
export function serves(eni: PooledEni): boolean {
  return eni.phase === "ready" && eni.missingSinceMs === undefined &&
    eni.sight.apartMs === undefined;
}

/**
 * Tells whether a card may be attached, detached and deleted.
 *
 * @param eni The card.
 * @param limits The pool's bounds.
 * @returns False when it isn't ours, or cards here don't come and go.
 */
export function isPluggable(eni: PooledEni, limits: PoolLimits): boolean {
  return limits.hotPlug && !eni.isAdopted;
}

/**
 * Tells whether the cloud is looked at again by and by: while there is
 * something that may change, or somebody who waits for it to change.
 *
 * @param state The pool.
 * @returns False when the pool is empty, nobody wants anything, no card of ours
 * may still come to light, and the cloud answered last.
 */
export function isSurveyed(state: PoolState): boolean {
  return state.enis.size > 0 || state.claims.size > 0 ||
    state.orphans.size > 0 || (state.surveyedMs ?? 0) < state.doubtUntilMs ||
    state.health.awayMs !== undefined || state.health.level !== "whole" ||
    state.trunk.hasForeign;
}

/**
 * Orders two cards by the operator's choice.
 *
 * @param limits The pool's bounds.
 * @param a How much of the one is in use.
 * @param b How much of the other.
 * @returns As `Array.sort` wants it: the one that comes first is less.
 */
export function inOrder(limits: PoolLimits, a: number, b: number): number {
  return limits.eniPolicy === "most_ips" ? b - a : a - b;
}

/**
 * Tells how many more addresses a card may hold.
 *
 * @param eni The card.
 * @param limits The pool's bounds.
 * @returns 0 or more; what is under way is counted as there.
 */
export function roomOf(eni: PooledEni, limits: PoolLimits): number {
  const lead = leadOf(limits.stack);
  const places = placesOf(eni, limits);
  if (eni.card === undefined) {
    return Math.max(0, places - intended(eni, limits));
  }
  const { assign } = eni;
  const asked = unitsOf(eni, lead) +
    (assign?.family === lead ? assign.count : 0);
  // What IPv6 can't follow would only be given back.
  const { pairable } = idlePlaces(eni, limits);
  if (limits.prefixes !== undefined) {
    const { unitsPerEni, perEniCount } = limits.prefixes;
    const size = prefixSize(lead);
    const count = Math.min(
      unitsPerEni[lead] - asked,
      perEniCount - prefixesHeld(eni, lead),
      Math.floor(pairable / size),
    );
    return Math.max(0, count) * size;
  }
  return Math.max(0, Math.min(places - asked, pairable));
}

/** Pods for which addresses were asked with the card itself. */
function intended({ intent }: PooledEni, limits: PoolLimits): number {
  return addressesOf(intent, leadOf(limits.stack));
}

/** Pods for which addresses are being asked. */
function assigning({ assign }: PooledEni, limits: PoolLimits): number {
  return assign?.family === leadOf(limits.stack) ? askedOf(assign) : 0;
}

/**
 * Counts.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @returns The numbers.
 */
export function stockOf(state: PoolState, limits: PoolLimits): Stock {
  const sum = {
    idle: 0,
    leased: 0,
    cooling: 0,
    coming: 0,
    room: 0,
    leaving: 0,
  };
  for (const eni of state.enis.values()) {
    const isJoining = JOINING.has(eni.phase);
    const isServing = serves(eni);
    // A card that we may not make or attach brings nothing, and makes no room.
    const isStuck = eni.phase === "created" || eni.phase === "creating";
    if (isStuck && !isPluggable(eni, limits)) continue;
    if ((!isJoining && !isServing) || !isFit(eni, limits.stack)) {
      sum.leaving += limits.addressesPerEni;
      continue;
    }
    sum.room += roomOf(eni, limits);
    sum.coming += eni.card === undefined
      ? intended(eni, limits)
      : assigning(eni, limits);
    const lead = tallyOf(eni, leadOf(limits.stack));
    sum.leased += lead.leased;
    sum.cooling += lead.cooling;
    sum.leaving += lead.unassigning;
    const { now, later } = idlePlaces(eni, limits);
    sum.idle += isServing ? now : 0;
    sum.coming += isServing ? later : now + later;
  }
  const taken = state.enis.size + state.foreignEniIds.length;
  const freeEnis = limits.hotPlug ? Math.max(0, limits.eniCount - taken) : 0;
  return { ...sum, freeEnis };
}
