/**
 * How the pool gives back what is idle beyond the stock's upper mark.
 *
 * A card without leases whose addresses are all surplus leaves as a whole: its
 * primary address can't go otherwise. Else secondary addresses go, from the
 * card with the fewest leases, so that it may become empty.
 *
 * @module
 */
import { type Family, familyOf, type Ip } from "../netns/ip.ts";
import { hasIp6, idlePlaces, type IpStack, leadOf, tallyOf } from "./family.ts";
import { type Desk, isWarming, prefixCount } from "./grow.ts";
import { ADDRESSES_PER_CALL, type PoolLimits } from "./limits.ts";
import { ipsOfPrefix, PREFIX_SIZE, PREFIXES_PER_CALL } from "./prefix.ts";
import { idlePrefixes, prefixesIn, prefixOf } from "./prefixed.ts";
import { LEAVING, type PooledEni, type PoolState } from "./state.ts";
import { isPluggable, serves, stockOf } from "./stock.ts";
import { isKeptTrunk, isTrunkDue } from "./trunk.ts";

/**
 * Adds the calls that give back what is too much. While a pod waits, or the
 * cloud is away, nothing is too much.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param desk What the plan works with.
 */
export function shrink(
  state: PoolState,
  limits: PoolLimits,
  desk: Desk,
): void {
  if (state.health.level !== "whole") return;
  if (state.claims.size > 0 || isWarming(state, limits)) return;
  const { idle } = stockOf(state, limits);
  let surplus = Math.max(
    idle - limits.maxIdle,
    reclaimable(state, limits, { idle, nowMs: desk.nowMs }),
  );
  giveStrays(state, limits, desk);
  if (makeWay(state, limits, desk)) return;
  if (surplus <= 0) return;
  let left = idle;
  let spare = keepable(state) - limits.minEniCount;
  const lead = leadOf(limits.stack);
  const { minCount = 0 } = limits.prefixes ?? {};
  let sparePrefixes = prefixCount(state, lead) - minCount;
  const enis = [...state.enis.values()]
    .filter((eni) => serves(eni) && desk.lanes.isFree(eni))
    .filter((eni) => eni.assign === undefined && !eni.resync)
    .map((eni) => ({ eni, busy: busyCount(eni) }))
    .sort((a, b) => a.busy - b.busy);
  for (const { eni, busy } of enis) {
    const { total } = tallyOf(eni, lead);
    if (busy > 0 || total > surplus) continue;
    if (!isPluggable(eni, limits) || spare <= 0) continue;
    const { length } = prefixesIn(eni, lead);
    if (length > sparePrefixes) continue;
    if (isKeptTrunk(state, eni, limits)) continue;
    spare--;
    sparePrefixes -= length;
    desk.begin({ kind: "retire", eniKey: eni.key });
    surplus -= total;
    left -= total;
  }
  for (const { eni } of enis) {
    const count = give(eni, lead, { most: surplus, desk });
    surplus -= count;
    left -= count;
  }
  // One of IPv6 costs nothing, and leaves with its card.
  if (lead === 6) return;
  for (const { eni } of enis) {
    // A prefix goes as a whole, so the last one may be more than what is wanted.
    const atMost = Math.min(
      Math.ceil(surplus / PREFIX_SIZE),
      Math.floor((left - limits.minIdle) / PREFIX_SIZE),
      sparePrefixes,
    );
    const count = givePrefixes(eni, 4, { atMost, desk });
    sparePrefixes -= count;
    surplus -= count * PREFIX_SIZE;
    left -= count * PREFIX_SIZE;
  }
}

/** Gives prefixes back of which every address is idle, and tells how many. */
function givePrefixes(
  eni: PooledEni,
  family: Family,
  { atMost, desk }: { atMost: number; desk: Desk },
): number {
  const kind = family === 6 ? "unassign6" : "unassign";
  if (atMost <= 0 || !desk.lanes.isFree(eni)) return 0;
  if (!desk.lanes.isOpen(kind)) return 0;
  const prefixes = idlePrefixes(eni, family)
    .slice(0, Math.min(atMost, PREFIXES_PER_CALL));
  if (prefixes.length === 0) return 0;
  const ips = prefixes.flatMap(ipsOfPrefix);
  desk.begin({ kind, eniKey: eni.key, ips, prefixes });
  return prefixes.length;
}

/** A trunk needs a card's place: one without pods gives it. */
function makeWay(state: PoolState, limits: PoolLimits, desk: Desk): boolean {
  if (!isTrunkDue(state, limits, desk.nowMs)) return false;
  if (stockOf(state, limits).freeEnis > 0) return false;
  const enis = [...state.enis.values()];
  if (enis.some(({ phase }) => LEAVING.has(phase))) return true;
  const eni = enis.find((one) =>
    serves(one) && isPluggable(one, limits) && busyCount(one) === 0 &&
    desk.lanes.isFree(one) && one.assign === undefined && !one.resync
  );
  if (eni === undefined) return false;
  desk.begin({ kind: "retire", eniKey: eni.key });
  return true;
}

/** Of cards that carry fewer pods than they have addresses of one family. */
function giveStrays(
  state: PoolState,
  limits: PoolLimits,
  desk: Desk,
): void {
  for (const eni of state.enis.values()) {
    if (!serves(eni) || eni.assign !== undefined || eni.resync) continue;
    const { stray4, stray6 } = idlePlaces(eni, limits);
    give(eni, 4, { most: stray4, desk });
    give(eni, 6, { most: stray6, desk });
    giveStrayPrefixes(eni, { stack: limits.stack, stray4, desk });
  }
}

/** Of IPv6 a card keeps one, where pods have that family. */
function giveStrayPrefixes(
  eni: PooledEni,
  { stack, stray4, desk }: { stack: IpStack; stray4: number; desk: Desk },
): void {
  if (eni.prefixes === undefined) return;
  const kept6 = hasIp6(stack) ? 1 : 0;
  const atMost = Math.floor(stray4 / PREFIX_SIZE);
  givePrefixes(eni, 4, { atMost, desk });
  const { length } = prefixesIn(eni, 6);
  givePrefixes(eni, 6, { atMost: length - kept6, desk });
}

/** Gives idle addresses of a card back, and tells how many. */
function give(
  eni: PooledEni,
  family: Family,
  { most, desk }: { most: number; desk: Desk },
): number {
  const ips = idleSecondaries(eni, family)
    .slice(0, Math.min(most, ADDRESSES_PER_CALL));
  const kind = family === 6 ? "unassign6" : "unassign";
  if (ips.length === 0 || !desk.lanes.isFree(eni)) return 0;
  if (!desk.lanes.isOpen(kind)) return 0;
  desk.begin({ kind, eniKey: eni.key, ips });
  return ips.length;
}

/**
 * Gives the time from which a batch of idle addresses goes although they are
 * within the bounds.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @returns The time; Infinity when nothing goes by time.
 */
export function reclaimFromMs(state: PoolState, limits: PoolLimits): number {
  const { idleReclaim } = limits;
  if (idleReclaim === undefined) return Infinity;
  const { afterMs, intervalMs, jitter } = idleReclaim;
  const pauseMs = Math.round(intervalMs * (1 + jitter * state.draw));
  return Math.max(state.claimedMs + afterMs, state.gaveBackMs + pauseMs);
}

function reclaimable(
  state: PoolState,
  limits: PoolLimits,
  { idle, nowMs }: { idle: number; nowMs: number },
): number {
  if (reclaimFromMs(state, limits) > nowMs) return 0;
  const { batchCount = 0 } = limits.idleReclaim ?? {};
  return Math.min(batchCount, idle - limits.minIdle);
}

function keepable(state: PoolState): number {
  let count = 0;
  for (const { phase } of state.enis.values()) {
    if (!LEAVING.has(phase)) count++;
  }
  return count;
}

function idleSecondaries(eni: PooledEni, family: Family): Ip[] {
  const ips: Ip[] = [];
  for (const [ip, slot] of eni.slots) {
    if (slot.kind !== "idle" || eni.sight.absent.has(ip)) continue;
    if (familyOf(ip) !== family || ip === eni.card?.primaryIp) continue;
    if (prefixOf(eni, ip) !== undefined) continue;
    ips.push(ip);
  }
  return ips;
}

function busyCount(eni: PooledEni): number {
  let count = 0;
  for (const slot of eni.slots.values()) if (slot.kind !== "idle") count++;
  return count;
}
