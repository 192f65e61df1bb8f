/**
 * What people call whoever holds a lease.
 *
 * @module
 */
import type { Lease } from "./state.ts";

/** Holders that a text names; the rest is counted. */
const MOST_NAMES = 5;

/**
 * Names a lease's holder.
 *
 * @param lease The lease; of its attachment only `pod` is looked at.
 * @returns `<namespace>/<name>` of the pod where that is known, else the key.
 */
export function holderOf({ ownerKey, attachment }: Lease): string {
  if (typeof attachment !== "object" || attachment === null) return ownerKey;
  const pod = "pod" in attachment ? attachment.pod : undefined;
  if (typeof pod !== "object" || pod === null) return ownerKey;
  if (!("namespace" in pod) || !("name" in pod)) return ownerKey;
  return `${String(pod.namespace)}/${String(pod.name)}`;
}

/**
 * Names some holders, and counts the others.
 *
 * @param leases Their leases.
 * @returns Such as `default/a, default/b and 3 more`.
 */
export function holdersOf(leases: readonly Lease[]): string {
  const names = leases.slice(0, MOST_NAMES).map(holderOf).join(", ");
  const more = leases.length - MOST_NAMES;
  return more > 0 ? `${names} and ${more} more` : names;
}
