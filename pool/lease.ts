/**
 * How addresses change hands: claim, grant, release, cool.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";
import { invariant } from "./error.ts";
import type { EventOf } from "./event.ts";
import { COOLING_MS } from "./limits.ts";
import {
  eniOf,
  type Lease,
  type OwnerKey,
  type PooledEni,
  type PoolState,
  type Slot,
  withEni,
  withEntry,
} from "./state.ts";

/**
 * Puts an owner in the queue, unless it is there or has a lease.
 *
 * @param state The pool before.
 * @param event Who claims.
 * @returns The pool after.
 */
export function claimed(
  state: PoolState,
  event: EventOf<"claimed">,
): PoolState {
  const { ownerKey, nowMs } = event;
  if (state.draining) return state;
  if (state.claims.has(ownerKey) || state.leases.has(ownerKey)) return state;
  const claim = { ownerKey, atMs: nowMs };
  const claims = withEntry(state.claims, ownerKey, claim);
  return { ...state, claims, claimedMs: nowMs };
}

/**
 * Gives all addresses of a lease.
 *
 * @param lease The lease.
 * @returns One a family, `ip` first.
 */
export function leasedIps(
  { ip, ip6 }: Pick<Lease, "ip" | "ip6">,
): readonly Ip[] {
  return ip6 === undefined ? [ip] : [ip, ip6];
}

/**
 * Turns idle addresses of a ready card into a lease: all of them, or none.
 *
 * @param state The pool before.
 * @param lease The lease.
 * @returns The pool after.
 * @throws {PoolError} `broken` when the address isn't idle, the owner has
 * another lease, or the card doesn't serve.
 */
export function granted(state: PoolState, lease: Lease): PoolState {
  const { ownerKey, eniKey, ip } = lease;
  const eni = eniOf(state, eniKey);
  for (const one of leasedIps(lease)) {
    const slot = eni.slots.get(one);
    invariant(
      slot?.kind === "idle",
      `${one} can't be leased: it is ${slot?.kind ?? "unknown"}`,
    );
  }
  invariant(
    eni.phase === "ready",
    `${ip} can't be leased: its card ${eniKey} is ${eni.phase}`,
  );
  invariant(!state.leases.has(ownerKey), `${ownerKey} has a lease already`);
  return held(state, eni, lease);
}

/** Gives a pool in which a lease is in force. */
function held(state: PoolState, eni: PooledEni, lease: Lease): PoolState {
  const { ownerKey } = lease;
  const slots = new Map(eni.slots);
  for (const ip of leasedIps(lease)) {
    slots.set(ip, { kind: "leased", ownerKey });
  }
  return {
    ...withEni(state, { ...eni, slots }),
    leases: withEntry(state.leases, ownerKey, lease),
    claims: withEntry(state.claims, ownerKey, undefined),
  };
}

/**
 * Takes up a lease that a lost journal knew: its addresses are quarantined, and
 * the kernel says whose they are. Nothing happens when one isn't quarantined
 * any more, or the owner has a lease. With `from` it takes over that owner's.
 *
 * @param state The pool before.
 * @param event The lease.
 * @returns The pool after; the same when nothing happened.
 */
export function recovered(
  state: PoolState,
  { lease, from }: Omit<EventOf<"recovered">, "kind">,
): PoolState {
  if (from !== undefined) return takenOver(state, lease, from);
  const { ownerKey, eniKey } = lease;
  const eni = state.enis.get(eniKey);
  if (eni === undefined || state.leases.has(ownerKey)) return state;
  const isFound = leasedIps(lease).every((ip) =>
    eni.slots.get(ip)?.kind === "quarantined"
  );
  return isFound ? held(state, eni, lease) : state;
}

/** Only what is still that owner's, and is there: else nothing happens. */
function takenOver(
  state: PoolState,
  lease: Lease,
  from: OwnerKey,
): PoolState {
  const { ownerKey, eniKey } = lease;
  const eni = state.enis.get(eniKey);
  const isHeld = state.leases.has(from) && !state.leases.has(ownerKey);
  if (eni === undefined || !isHeld || state.draining) return state;
  const isIts = leasedIps(lease).every((ip) => {
    const slot = eni.slots.get(ip);
    return slot?.kind === "leased" && slot.ownerKey === from &&
      slot.lostMs === undefined;
  });
  if (!isIts) return state;
  const leases = withEntry(state.leases, from, undefined);
  return held({ ...state, leases }, eni, lease);
}

/**
 * Ends an owner's lease; its addresses cool, or are quarantined when the cloud
 * has lost them. Only the owner itself can: a late release of an older
 * sandbox names another owner, and finds nothing.
 *
 * @param state The pool before.
 * @param event Whose lease ends.
 * @returns The pool after.
 * @throws {PoolError} `broken` when the lease's address isn't leased by it.
 */
export function released(
  state: PoolState,
  event: EventOf<"released">,
): PoolState {
  const { ownerKey, nowMs } = event;
  const lease = state.leases.get(ownerKey);
  if (lease === undefined) return state;
  const eni = eniOf(state, lease.eniKey);
  const slots = new Map(eni.slots);
  for (const ip of leasedIps(lease)) {
    const slot = slots.get(ip);
    invariant(
      slot?.kind === "leased" && slot.ownerKey === ownerKey,
      `${ownerKey} leases ${ip}, which is ${slot?.kind ?? "unknown"}`,
    );
    // What the cloud has lost isn't ours to lend: it must be seen and proven.
    const next: Slot = slot.lostMs === undefined
      ? { kind: "cooling", untilMs: nowMs + COOLING_MS }
      : { kind: "quarantined", sinceMs: nowMs };
    slots.set(ip, next);
  }
  return {
    ...withEni(state, { ...eni, slots }),
    leases: withEntry(state.leases, ownerKey, undefined),
  };
}

/**
 * Makes addresses idle that have cooled.
 *
 * @param state The pool before.
 * @param event Which.
 * @returns The pool after.
 * @throws {PoolError} `broken` when one isn't cooling, or still must.
 */
export function cooled(state: PoolState, event: EventOf<"cooled">): PoolState {
  const { eniKey, ips, nowMs } = event;
  const eni = eniOf(state, eniKey);
  const slots = new Map(eni.slots);
  for (const ip of ips) {
    const slot = slots.get(ip);
    invariant(
      slot?.kind === "cooling" && slot.untilMs <= nowMs,
      `${ip} can't have cooled: it is ${slot?.kind ?? "unknown"}`,
    );
    // It counts as idle since its rest ended: the longest idle one goes first.
    slots.set(ip, { kind: "idle", sinceMs: slot.untilMs });
  }
  return withEni(state, { ...eni, slots });
}
