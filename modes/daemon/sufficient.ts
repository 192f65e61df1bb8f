/**
 * The node's condition `SufficientIP`: whether the next pod would get an
 * address, from the pool's own words.
 *
 * @module
 */
import type { PoolStatus } from "../../pool/contract.ts";
import type { Condition } from "./node_verdict.ts";

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
      type: "SufficientIP",
      status: "False",
      reason: "InsufficientIP",
      message: `${waiting.length} pods wait for an address: ` +
        first.reason.text,
    };
  }
  const { idle, leased } = slots;
  return {
    type: "SufficientIP",
    status: "True",
    reason: "SufficientIP",
    message: `${leased} of ${capacity} addresses are taken, ${idle} are idle`,
  };
}
