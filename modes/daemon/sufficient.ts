/**
 * The node's condition `SufficientIP`: whether the next pod would get an
 * address, from the pool's own words.
 *
 * @module
 */
import type { PoolStatus } from "../../pool/contract.ts";

/** A condition, without its times. */
export interface Condition {
  /** Whether it holds. */
  readonly status: "True" | "False";
  /** One word. Source: reference §1.8. */
  readonly reason: "SufficientIP" | "InsufficientIP";
  /** For people. */
  readonly message: string;
}

/** Who waits no longer waits for what is under way anyhow. */
const PATIENCE_MS = 10_000;

/**
 * Judges a pool.
 *
 * @param status The pool.
 * @returns False while a pod has waited for ten seconds, with its reason.
 */
export function sufficientIp(
  status: Pick<PoolStatus, "nowMs" | "claims" | "slots" | "capacity">,
): Condition {
  const { nowMs, claims, slots, capacity } = status;
  const waiting = claims.filter(({ atMs }) => nowMs - atMs >= PATIENCE_MS);
  const [first] = waiting;
  if (first !== undefined) {
    return {
      status: "False",
      reason: "InsufficientIP",
      message: `${waiting.length} pods wait for an address: ` +
        first.reason.text,
    };
  }
  const { idle, leased } = slots;
  return {
    status: "True",
    reason: "SufficientIP",
    message: `${leased} of ${capacity} addresses are taken, ${idle} are idle`,
  };
}
