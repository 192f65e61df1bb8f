/**
 * How cards change, whatever made them change.
 *
 * @module
 */
import { familyOf, type Ip } from "../netns/ip.ts";
import type { Eni } from "./cloud.ts";
import { invariant } from "./error.ts";
import { ipsOfPrefix } from "./prefix.ts";
import { withPrefixes } from "./prefixed.ts";
import { CLEAR } from "./sight.ts";
import {
  type EniPhase,
  type PooledEni,
  type PoolState,
  type Slot,
  withEntry,
} from "./state.ts";

/**
 * Gives a card that enters a phase; what failed before is forgotten.
 *
 * @param eni The card.
 * @param phase The phase.
 * @param times The time, and when the phase's action may be taken.
 * @returns The card in that phase.
 */
export function entered(
  eni: PooledEni,
  phase: EniPhase,
  times: { nowMs: number; notBeforeMs: number },
): PooledEni {
  const { seenMs, absent } = eni.sight;
  return {
    ...eni,
    phase,
    wasAttached: eni.wasAttached || phase === "preparing",
    sinceMs: times.nowMs,
    notBeforeMs: times.notBeforeMs,
    failureCount: 0,
    problem: undefined,
    missingSinceMs: undefined,
    // A look that lacked an address is forgotten as a whole: it proves nothing.
    sight: { ...CLEAR, seenMs: absent.size > 0 ? 0 : seenMs },
  };
}

/**
 * Gives a card whose attach or detach failed in a way that doesn't tell whether
 * it happened: it is looked at, and the failure is remembered until then.
 *
 * @param eni The card, with its failure.
 * @param phase Where it would be had the call worked.
 * @param times The time, and when it is looked at.
 * @returns The card in that phase.
 */
export function suspended(
  eni: PooledEni,
  phase: "attaching" | "detaching",
  times: { nowMs: number; notBeforeMs: number },
): PooledEni {
  const { failureCount, problem } = eni;
  return { ...entered(eni, phase, times), failureCount, problem };
}

/**
 * Takes a card out that the cloud doesn't have any more: there is room for
 * another, and its vSwitch has its addresses again.
 *
 * @param state The pool before.
 * @param eni The card.
 * @returns The pool after.
 * @throws {PoolError} `broken` when one of its addresses is leased.
 */
export function withoutEni(state: PoolState, eni: PooledEni): PoolState {
  for (const [ip, slot] of eni.slots) {
    invariant(
      slot.kind !== "leased",
      `card ${eni.key} can't go: ${ip} is leased`,
    );
  }
  return {
    ...state,
    enis: withEntry(state.enis, eni.key, undefined),
    goneAtCall: state.nextCallId,
    rests: relieved(state, eni, [...eni.slots.keys()]),
    // One that never got a place leaves none.
    full: eni.wasAttached ? undefined : state.full,
  };
}

/**
 * Gives the vSwitches that rest, once one of them got addresses back. It has
 * those at least; where there may be more, others come first. IPv6 addresses
 * never run out.
 *
 * @param state The pool.
 * @param eni The card that they were on.
 * @param ips Which.
 * @returns The rests.
 */
export function relieved(
  state: PoolState,
  eni: PooledEni,
  ips: readonly Ip[],
): PoolState["rests"] {
  const { vSwitchId } = eni.intent;
  const rest = state.rests.get(vSwitchId);
  if (rest === undefined) return state.rests;
  const count = ips.filter((ip) => familyOf(ip) === 4).length;
  if (count === 0) return state.rests;
  const atMost = rest.atMost + count;
  return withEntry(state.rests, vSwitchId, { ...rest, atMost });
}

/**
 * Says what a card is called once the cloud has shown it. An address that
 * another card here still holds, though the cloud has lent it anew, is
 * quarantined.
 *
 * @param state The pool.
 * @param eni The card in the pool.
 * @param seen The card in the cloud.
 * @param nowMs The time.
 * @returns The card, with every address it was seen with.
 */
export function known(
  state: PoolState,
  eni: PooledEni,
  seen: Eni,
  nowMs: number,
): PooledEni {
  const { id, mac, zone, primaryIp } = seen;
  const named = {
    ...eni,
    card: { id, mac, zone, primaryIp },
    slots: new Map<Ip, Slot>(),
  };
  const full = withAddresses(state, named, ipsOf(seen), nowMs);
  return withPrefixes(full, seen.prefixes);
}

/**
 * Gives all addresses of a card.
 *
 * @param seen The card in the cloud.
 * @returns The primary one first, then those of prefixes, IPv6 last.
 */
export function ipsOf(
  { primaryIp, ips, prefixes = [], ips6 }: Pick<
    Eni,
    "primaryIp" | "ips" | "prefixes" | "ips6"
  >,
): readonly Ip[] {
  return [primaryIp, ...ips, ...prefixes.flatMap(ipsOfPrefix), ...ips6];
}

/**
 * Adds addresses that we asked for. One that another card here still holds is
 * quarantined: no address has two owners.
 *
 * @param state The pool.
 * @param eni The card.
 * @param ips Its new addresses; known ones are left as they are.
 * @param nowMs The time.
 * @returns The card.
 */
export function withAddresses(
  state: PoolState,
  eni: PooledEni,
  ips: readonly Ip[],
  nowMs: number,
): PooledEni {
  const slots = new Map(eni.slots);
  for (const ip of ips) {
    if (slots.has(ip)) continue;
    const kind = isHeldElsewhere(state, eni, ip) ? "quarantined" : "idle";
    slots.set(ip, { kind, sinceMs: nowMs });
  }
  return { ...eni, slots };
}

/**
 * Tells whether another card here holds an address.
 *
 * @param state The pool.
 * @param eni The card that it was seen on.
 * @param ip The address.
 * @returns True when another one has it and doesn't give it back.
 */
export function isHeldElsewhere(
  state: PoolState,
  eni: PooledEni,
  ip: Ip,
): boolean {
  for (const other of state.enis.values()) {
    if (other.key === eni.key) continue;
    const slot = other.slots.get(ip);
    if (slot !== undefined && slot.kind !== "unassigning") return true;
  }
  return false;
}

/**
 * Tells whether a card has a lease.
 *
 * @param eni The card.
 * @returns True when one of its addresses is leased.
 */
export function hasLease(eni: PooledEni): boolean {
  for (const slot of eni.slots.values()) {
    if (slot.kind === "leased") return true;
  }
  return false;
}

/**
 * Tells whether an address of a card still rests.
 *
 * @param eni The card.
 * @returns True when the card must not leave yet: the cloud would lend the
 * address to somebody else at once.
 */
export function isCooling(eni: PooledEni): boolean {
  for (const slot of eni.slots.values()) {
    if (slot.kind === "cooling") return true;
  }
  return false;
}
