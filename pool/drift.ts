/**
 * Drift: what the cloud has that isn't as the pool has it, because somebody
 * else changed it.
 *
 * The cloud is the truth, but one look may be stale: what a look contradicts
 * is in doubt, is neither leased nor dropped, and is looked at again. A lease
 * is never ended by drift, only marked as lost; its pod is the daemon's to
 * tell.
 *
 * @module
 */
import { familyOf, type Ip } from "../netns/ip.ts";
import { ipsOf, isHeldElsewhere, withAddresses } from "./card.ts";
import type { Eni } from "./cloud.ts";
import type { Call } from "./event.ts";
import { hasIp6 } from "./family.ts";
import { MISSING_MS, QUARANTINE_MS } from "./limits.ts";
import { withPrefixes } from "./prefixed.ts";
import type { PooledEni, PoolState, Slot } from "./state.ts";

/** A look at one card. */
export interface Look {
  /** What the cloud showed. */
  readonly seen: Eni;
  /** When it was asked. */
  readonly startedMs: number;
  /** When it answered. */
  readonly nowMs: number;
}

/**
 * Brings a card's addresses in line with the cloud's, as far as that is safe:
 * what is absent twice goes or is marked as lost, and what appears without an
 * intent of ours is quarantined.
 *
 * @param state The pool.
 * @param eni The card.
 * @param look What was seen of it.
 * @returns The card; its phase is as it was.
 */
export function reconciled(
  state: PoolState,
  eni: PooledEni,
  { seen, startedMs, nowMs }: Look,
): PooledEni {
  const isSeen = new Set(ipsOf(seen));
  const { slots, absent } = settledSlots(eni, isSeen, nowMs);
  const kept: PooledEni = {
    ...eni,
    slots: sameSlots(eni.slots, slots) ? eni.slots : slots,
    most6: (eni.most6?.untilMs ?? 0) > nowMs ? eni.most6 : undefined,
    sight: {
      ...eni.sight,
      seenMs: startedMs,
      absent,
      lookFromMs: absent.size > 0 ? nowMs + MISSING_MS : undefined,
    },
  };
  // IPv6 addresses of a node without IPv6 are others' business.
  const isOurs = (ip: Ip) => familyOf(ip) === 4 || hasIp6(state.stack);
  const fresh = [...isSeen].filter((ip) => !slots.has(ip) && isOurs(ip));
  // The answer of an Assign that is under way will tell which ones are ours.
  if (fresh.length === 0 || eni.assign !== undefined) {
    return { ...withPrefixes(kept, seen.prefixes), resync: false };
  }
  const isNew = eni.phase === "created" || eni.phase === "attaching";
  if ((isNew && !eni.wasAttached) || eni.resync) {
    const full = withAddresses(state, kept, fresh, nowMs);
    return { ...withPrefixes(full, seen.prefixes), resync: false };
  }
  const all = new Map(slots);
  for (const ip of fresh) all.set(ip, { kind: "quarantined", sinceMs: nowMs });
  // They can be proven once they are seen again.
  const sight = { ...kept.sight, lookFromMs: nowMs + MISSING_MS };
  return withPrefixes({ ...kept, slots: all, sight }, seen.prefixes);
}

function settledSlots(
  eni: PooledEni,
  isSeen: ReadonlySet<Ip>,
  nowMs: number,
): { slots: Map<Ip, Slot>; absent: Map<Ip, number> } {
  const slots = new Map<Ip, Slot>();
  const absent = new Map<Ip, number>();
  for (const [ip, slot] of eni.slots) {
    if (isSeen.has(ip)) {
      slots.set(ip, slot);
      continue;
    }
    const sinceMs = eni.sight.absent.get(ip) ?? nowMs;
    const isSure = nowMs - sinceMs >= MISSING_MS;
    if (slot.kind === "leased") {
      slots.set(ip, isSure ? lost(slot, nowMs) : slot);
    } else if (!isSure) slots.set(ip, slot);
    const isOpen = slot.kind !== "leased" || slot.lostMs === undefined;
    if (!isSure && isOpen) absent.set(ip, sinceMs);
  }
  return { slots, absent };
}

function sameSlots(
  before: ReadonlyMap<Ip, Slot>,
  after: ReadonlyMap<Ip, Slot>,
): boolean {
  if (before.size !== after.size) return false;
  for (const [ip, slot] of before) if (after.get(ip) !== slot) return false;
  return true;
}

/**
 * Gives a card that isn't where it should be, as two looks have shown: its
 * leases are marked as lost.
 *
 * @param eni The card.
 * @param nowMs The time.
 * @returns The card.
 */
export function withLostLeases(eni: PooledEni, nowMs: number): PooledEni {
  return withSlots(
    eni,
    (slot) => slot.kind === "leased" ? lost(slot, nowMs) : slot,
  );
}

/**
 * Gives a card that is in the cloud no more: nothing but its leases is left,
 * marked as lost.
 *
 * @param eni The card.
 * @param nowMs The time.
 * @returns The card.
 */
export function withOnlyLost(eni: PooledEni, nowMs: number): PooledEni {
  return withSlots(
    eni,
    (slot) => slot.kind === "leased" ? lost(slot, nowMs) : undefined,
  );
}

/**
 * Gives a card that is attached: leases that it carries are lost no more.
 *
 * @param eni The card.
 * @param seen What the cloud showed.
 * @returns The card.
 */
export function withFoundLeases(eni: PooledEni, seen: Eni): PooledEni {
  const isSeen = new Set(ipsOf(seen));
  return withSlots(
    eni,
    (slot, ip) =>
      slot.kind === "leased" && slot.lostMs !== undefined && isSeen.has(ip)
        ? { kind: "leased", ownerKey: slot.ownerKey }
        : slot,
  );
}

function withSlots(
  eni: PooledEni,
  change: (slot: Slot, ip: Ip) => Slot | undefined,
): PooledEni {
  const slots = new Map<Ip, Slot>();
  for (const [ip, slot] of eni.slots) {
    const next = change(slot, ip);
    if (next !== undefined) slots.set(ip, next);
  }
  return sameSlots(eni.slots, slots) ? eni : { ...eni, slots };
}

function lost(slot: Extract<Slot, { kind: "leased" }>, nowMs: number): Slot {
  return slot.lostMs === undefined ? { ...slot, lostMs: nowMs } : slot;
}

/** In one question to the host; it reads its tables once for all of them. */
const SUSPECTS_AT_ONCE = 64;

/**
 * Gives quarantined addresses that have rested, were seen again since, and are
 * on no other card: only the host may still speak for them.
 *
 * @param state The pool.
 * @param nowMs The time.
 * @returns The addresses, at most 64.
 */
export function suspects(state: PoolState, nowMs: number): readonly Ip[] {
  const ips: Ip[] = [];
  for (const eni of state.enis.values()) {
    if (!mayProve(eni)) continue;
    for (const ip of eni.slots.keys()) {
      if (isProvable(state, eni, ip, nowMs)) ips.push(ip);
    }
  }
  return ips.slice(0, SUSPECTS_AT_ONCE);
}

/**
 * Gives the time from which an address may be proven free.
 *
 * @param slot The address.
 * @returns The time; undefined when it isn't quarantined.
 */
export function provableFromMs(slot: Slot): number | undefined {
  if (slot.kind !== "quarantined") return undefined;
  return slot.sinceMs + QUARANTINE_MS;
}

function mayProve(eni: PooledEni): boolean {
  return eni.phase === "ready" && eni.missingSinceMs === undefined &&
    eni.sight.apartMs === undefined;
}

function isProvable(
  state: PoolState,
  eni: PooledEni,
  ip: Ip,
  nowMs: number,
): boolean {
  const slot = eni.slots.get(ip);
  if (slot?.kind !== "quarantined") return false;
  const { seenMs, absent } = eni.sight;
  return slot.sinceMs + QUARANTINE_MS <= nowMs &&
    seenMs >= slot.sinceMs + MISSING_MS && !absent.has(ip) &&
    !isHeldElsewhere(state, eni, ip);
}

/**
 * Takes in what the host says of quarantined addresses.
 *
 * @param state The pool before.
 * @param proof The question, and the addresses that nothing speaks for.
 * @returns The pool after; those addresses are idle.
 */
export function proven(
  state: PoolState,
  proof: {
    readonly call: Extract<Call, { kind: "prove" }> & { startedMs: number };
    readonly freeIps: readonly Ip[];
    readonly nowMs: number;
  },
): PoolState {
  const { call, nowMs } = proof;
  const isFree = new Set(proof.freeIps.filter((ip) => call.ips.includes(ip)));
  const enis = new Map(state.enis);
  for (const [key, eni] of state.enis) {
    if (!mayProve(eni)) continue;
    const next = withSlots(eni, (slot, ip) =>
      // What was quarantined anew since the question was asked isn't proven.
      isFree.has(ip) && isProvable(state, eni, ip, call.startedMs)
        ? { kind: "idle", sinceMs: nowMs }
        : slot);
    enis.set(key, next);
  }
  return { ...state, enis };
}
