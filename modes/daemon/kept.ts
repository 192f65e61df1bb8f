/**
 * Addresses that are kept for a pod's successor of the same name: a pod of a
 * StatefulSet that is made anew on its node finds its address again.
 *
 * Such a lease isn't ended by its pod's DEL: it passes to an owner that no
 * runtime can name, and from there to the successor, each in one commit of the
 * journal, so that a restart changes nothing. Nobody but the lender sees it.
 *
 * @module
 */
import type { Attachment, PodName } from "../../netns/attachment.ts";
import type { Lease, OwnerKey } from "../../pool/state.ts";
import { attachmentOf } from "./attached.ts";

/** How long a successor finds it: an update of a StatefulSet takes less. */
export const KEEP_MS = 300_000;

/** No network may begin so. Source: `request.ts`, the rule of `name`. */
const PREFIX = "~kept/";

/** An attachment that nobody has. */
export type KeptAttachment = Attachment & {
  /** Until when it is kept, in milliseconds since 1970. */
  readonly keptUntilMs: number;
};

/**
 * Names the owner that keeps a pod's address.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const owner = { network: "terway", containerId: "c1", ifName: "eth0" };
 * const pod = { namespace: "shop", name: "db-0" };
 * assertEquals(keeperKey({ owner, pod }), "~kept/terway/shop/db-0/eth0");
 * ```
 * @param attachment Whose.
 * @returns The key; nothing for what nobody named.
 */
export function keeperKey(
  { owner: { network, ifName }, pod }: Pick<Attachment, "owner"> & {
    readonly pod?: PodName;
  },
): OwnerKey | undefined {
  if (pod === undefined) return undefined;
  return PREFIX + [network, pod.namespace, pod.name, ifName].join("/");
}

/**
 * Tells whether a lease is one that is kept.
 *
 * @param lease The lease.
 * @returns Whether it is.
 */
export function isKept({ ownerKey }: Pick<Lease, "ownerKey">): boolean {
  return ownerKey.startsWith(PREFIX);
}

/**
 * Tells whether a lease is to be kept when its pod ends.
 *
 * @param lease The lease.
 * @returns The owner that keeps it. None for a pod with an ENI to itself: the
 * card comes home, and with it the address.
 */
export function keeperOf(lease: Lease): OwnerKey | undefined {
  const attachment = attachmentOf(lease);
  const isShared = ["veth/1", "ipvlan/1", "vpc/1"].includes(attachment.recipe);
  if (attachment.keepsAddress !== true || !isShared) return undefined;
  return keeperKey(attachment);
}

/**
 * Finds what needn't be kept any more.
 *
 * @param leases All leases.
 * @param nowMs The time.
 * @returns The owners whose time has come; who has no time is as good as gone.
 */
export function expired(
  leases: readonly Lease[],
  nowMs: number,
): readonly OwnerKey[] {
  return leases.filter(isKept).filter((lease) => {
    const { keptUntilMs = 0 } = lease.attachment as Partial<KeptAttachment>;
    return keptUntilMs <= nowMs || keptUntilMs > nowMs + KEEP_MS;
  }).map(({ ownerKey }) => ownerKey);
}
