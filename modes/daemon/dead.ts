/**
 * Leases whose pods are gone without a DEL: a runtime that lost its memory, a
 * node that was reset, a DEL that could be answered but not written down.
 *
 * That a namespace can't be seen proves nothing: a mount may be missing. The
 * host's end of the veth pair lives exactly as long as the pod's, so both must
 * be gone, and stay so.
 *
 * @module
 */
import { hostLinkName, type Owner } from "../../netns/attachment.ts";
import type { Kernel } from "../../netns/kernel.ts";
import { NamespaceError } from "../../netns/namespace.ts";
import type { Lease, OwnerKey } from "../../pool/state.ts";
import { attachmentOf } from "./attached.ts";

/** So long a pod must have been gone: as long as anything else is a leak. */
export const DEAD_MS: number = 10 * 60_000;

/** Pods that weren't seen, and since when. */
export type Missing = ReadonlyMap<OwnerKey, number>;

/**
 * Tells which missing pods have been missing for long enough.
 *
 * @example Two looks, ten minutes apart
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const first = sinceWhen(new Map(), ["a", "b"], 1_000);
 * const second = sinceWhen(first, ["a"], 601_000);
 * assertEquals([...second], [["a", 1_000]]);
 * assertEquals(deadOf(second, 601_000), ["a"]);
 * ```
 * @param missing Since when pods are missing.
 * @param nowMs The time.
 * @returns The owners that are dead.
 */
export function deadOf(missing: Missing, nowMs: number): readonly OwnerKey[] {
  return [...missing].filter(([, sinceMs]) => nowMs - sinceMs >= DEAD_MS)
    .map(([owner]) => owner);
}

/**
 * Takes in another look.
 *
 * @param before Since when pods were missing at the last look.
 * @param owners Those that are missing now.
 * @param nowMs The time.
 * @returns Since when those are; who was seen is forgotten.
 */
export function sinceWhen(
  before: Missing,
  owners: readonly OwnerKey[],
  nowMs: number,
): Missing {
  return new Map(owners.map((owner) => [owner, before.get(owner) ?? nowMs]));
}

/**
 * Looks for leases whose pods aren't there.
 *
 * @param kernel The node's kernel.
 * @param leases All leases.
 * @returns Of whose pods neither the host's link nor the namespace is there.
 */
export async function findMissing(
  kernel: Pick<Kernel, "links" | "checkNamespace">,
  leases: readonly Lease[],
): Promise<readonly { readonly key: OwnerKey; readonly owner: Owner }[]> {
  const links = new Set((await kernel.links()).map(({ name }) => name));
  const found: { key: OwnerKey; owner: Owner }[] = [];
  for (const lease of leases) {
    const { owner, netns } = attachmentOf(lease);
    if (links.has(hostLinkName(owner))) continue;
    if (await isThere(kernel, netns)) continue;
    found.push({ key: lease.ownerKey, owner });
  }
  return found;
}

async function isThere(
  kernel: Pick<Kernel, "checkNamespace">,
  netns: string,
): Promise<boolean> {
  try {
    await kernel.checkNamespace(netns);
    return true;
  } catch (error) {
    if (!(error instanceof NamespaceError)) throw error;
    // One that may not be opened is there; a file that is left of one is not.
    return error.problem !== "missing" && error.problem !== "notNamespace";
  }
}
