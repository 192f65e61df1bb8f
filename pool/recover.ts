/**
 * Leases of a lost journal, that the kernel still speaks of.
 *
 * @module
 */
import type { LostAndFound } from "./contract.ts";
import { PoolError } from "./error.ts";
import { hostEni } from "./guard.ts";
import type { Lease, PoolState } from "./state.ts";

/**
 * Makes the lease that somebody must have had.
 *
 * @param state The pool.
 * @param found What the kernel says.
 * @param nowMs The time.
 * @returns The owner's lease, or a new one; undefined when the address isn't
 * in quarantine on a card of the pool.
 */
export function leaseFound(
  state: PoolState,
  { ownerKey, ip, attach }: LostAndFound,
  nowMs: number,
): Lease | undefined {
  const lease = state.leases.get(ownerKey);
  if (lease !== undefined) return lease;
  for (const eni of state.enis.values()) {
    if (eni.slots.get(ip)?.kind !== "quarantined") continue;
    if (eni.card === undefined) continue;
    const made = attach({ ownerKey, ip, eni: hostEni(eni) });
    const { key: eniKey, card: { id: eniId } } = eni;
    return { ownerKey, eniKey, eniId, ip, ...made, atMs: nowMs };
  }
  return undefined;
}

/**
 * Says that a lease couldn't be taken up in time.
 *
 * @param found What the kernel says.
 * @returns The error.
 */
export function notRecoveredError({ ownerKey, ip }: LostAndFound): PoolError {
  return new PoolError(
    "timeout",
    `Cannot take up ${ip} of ${ownerKey} as it isn't quarantined any more, or the journal can't be written`,
  );
}
