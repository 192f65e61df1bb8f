/**
 * What this version makes of the keys that it knows: which have no effect any
 * more, which say something that isn't built yet and are refused, and which
 * nothing reads yet and are warned of.
 *
 * Who builds or wires one of them takes its line away here.
 *
 * @module
 */
import type { ConfTree } from "./eni_conf_text.ts";

/** Keys that older versions knew: of no effect, with a warning. */
export const LEGACY: ReadonlySet<string> = new Set([
  "eni_cap_policy",
  "enable_eip_pool",
  "enable_eip_migrate",
  "allow_eip_rob",
  "wait_trunk_eni",
]);

/** By key, the values that ask for what isn't built: an error. */
const UNBUILT = new Map<string, (value: unknown) => boolean>([
  ["ipam_type", (value) => value === "crd" || value === "preferCRD"],
  ["enable_erdma", (value) => value === true],
]);

/** Source: `k8s/`, which watches, and calls a few times a pod. */
const FEW_CALLS =
  "the daemon watches its own pods, node and configuration, and writes an " +
  "event and an annotation a pod: too few calls to hold back";

/** Keys that are checked and that nothing reads: a warning that says why. */
export const UNREAD: ReadonlyMap<string, string> = new Map([
  [
    "ip_pool_sync_period",
    "the cloud is asked every 38 to 46 s, so that what others change in it is " +
    "found within a minute",
  ],
  ["kube_client_qps", FEW_CALLS],
  ["kube_client_burst", FEW_CALLS],
  [
    "backoff_override",
    "pauses follow from what the cloud answers: until the next minute when it " +
    "throttles, 20 to 30 min at a quota, 1 s doubled up to 60 s else",
  ],
]);

/** The names of the keys that can ask for what isn't built. */
export const UNBUILT_KEYS: ReadonlySet<string> = new Set(UNBUILT.keys());

/**
 * Finds what isn't built.
 *
 * @param tree Known keys, values as they were written.
 * @returns The keys that ask for it.
 */
export function findUnbuilt(tree: ConfTree): readonly string[] {
  return Object.entries(tree)
    .filter(([key, value]) => UNBUILT.get(key)?.(value))
    .map(([key]) => key);
}
