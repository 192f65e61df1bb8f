/**
 * Leases of a lost journal, that the kernel still speaks of; and leases that
 * change their owner.
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
 * @returns The owner's lease, or a new one of those addresses that are in
 * quarantine on one card of the pool; undefined when none is.
 */
export function leaseFound(
  state: PoolState,
  { ownerKey, ips, from, attach }: LostAndFound,
  nowMs: number,
): Lease | undefined {
  const lease = state.leases.get(ownerKey);
  if (lease !== undefined) return lease;
  if (from !== undefined) {
    return leaseOf(state, { ownerKey, from, attach }, nowMs);
  }
  for (const eni of state.enis.values()) {
    const [ip, ip6] = ips.filter((one) =>
      eni.slots.get(one)?.kind === "quarantined"
    );
    if (ip === undefined || eni.card === undefined) continue;
    const held = { ownerKey, ip, ...(ip6 === undefined ? {} : { ip6 }) };
    const made = attach({ ...held, eni: hostEni(eni) });
    const { key: eniKey, card: { id: eniId } } = eni;
    return { ...held, eniKey, eniId, ...made, atMs: nowMs };
  }
  return undefined;
}

/** The same addresses of the same card, for another owner. */
function leaseOf(
  state: PoolState,
  { ownerKey, from, attach }: Omit<Required<LostAndFound>, "ips">,
  nowMs: number,
): Lease | undefined {
  const before = state.leases.get(from);
  const eni = before && state.enis.get(before.eniKey);
  if (eni?.card === undefined || before === undefined) return undefined;
  const { ip, ip6, eniKey, eniId } = before;
  if (eni.slots.get(ip)?.kind !== "leased" || state.draining) return undefined;
  const held = { ownerKey, ip, ...(ip6 === undefined ? {} : { ip6 }) };
  const made = attach({ ...held, eni: hostEni(eni) });
  return { ...held, eniKey, eniId, ...made, atMs: nowMs };
}

/**
 * Says that a lease couldn't be taken up in time.
 *
 * @param found What the kernel says.
 * @returns The error.
 */
export function notRecoveredError({ ownerKey, ips }: LostAndFound): PoolError {
  return new PoolError(
    "timeout",
    `Cannot take up ${
      ips.join(" and ")
    } of ${ownerKey} as it isn't quarantined any more, or the journal can't be written`,
  );
}
