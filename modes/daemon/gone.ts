/**
 * Leases of pods that neither the cluster nor the kernel knows: they end at
 * once, where a kernel's word alone has to hold for ten minutes.
 *
 * @module
 */
import type { PodName } from "../../netns/attachment.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { Log } from "../log.ts";
import type { Attacher } from "./attach.ts";
import { attachmentOf } from "./attached.ts";
import { findMissing } from "./dead.ts";
import type { Lender } from "./lender.ts";

/** What it works with. */
export interface GoneParts {
  /** Whose leases there are. */
  readonly lender: Pick<Lender, "leases">;
  /** The node's kernel. */
  readonly kernel: Pick<Kernel, "links" | "checkNamespace">;
  /** Ends them. */
  readonly attacher: Pick<Attacher, "delete">;
  /** Where it is told. */
  readonly log: Log;
}

/**
 * Ends them; a lease whose pod nobody named isn't touched.
 *
 * @param parts What it works with.
 * @param isKnown Whether the cluster has a pod.
 */
export async function releaseGone(
  { lender, kernel, attacher, log }: GoneParts,
  isKnown: (pod: PodName) => boolean,
): Promise<void> {
  const unknown = lender.leases().filter((lease) => {
    const { pod } = attachmentOf(lease);
    return pod !== undefined && !isKnown(pod);
  });
  if (unknown.length === 0) return;
  for (const { key, owner } of await findMissing(kernel, unknown)) {
    log.warning("a pod is gone from cluster and node: its address is free", {
      owner: key,
    });
    await attacher.delete(owner);
  }
}
