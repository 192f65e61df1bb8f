/**
 * What a CHECK finds out: whether a pod's network is as it was made.
 *
 * @module
 */
import {
  type Attachment,
  type Owner,
  ownerKey,
} from "../../netns/attachment.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { Plans } from "../../netns/recipe.ts";
import type { Plan } from "../../netns/step.ts";
import type { Lease } from "../../pool/state.ts";
import { attachmentOf, cardIdOf, eniOf, sentence } from "./attached.ts";
import type { NodeEnis } from "./enis.ts";
import { type CniRequest, RequestError } from "./request.ts";
import { CODE_CHANGED } from "./result.ts";

/**
 * Wants an owner to have something.
 *
 * @param owner Whose.
 * @param lease What the pool says.
 * @returns What the owner has.
 * @throws {RequestError} When there is none.
 */
export function requireAttached(
  owner: Owner,
  lease: Lease | undefined,
): Attachment {
  if (lease !== undefined) return attachmentOf(lease);
  throw new RequestError(
    CODE_CHANGED,
    `${ownerKey(owner)} has no address here: it was never ` +
      "attached on this node, or is detached",
  );
}

/**
 * Wants the kernel to hold what was made.
 *
 * @param pod What it has, how that is made, and where the runtime has it now.
 * @param node The node.
 * @throws {RequestError} That names every object which is missing or changed,
 * as the command that makes it.
 */
export async function requireAsMade(
  { attachment, plans: { shared, pod }, request }: {
    readonly attachment: Attachment;
    readonly plans: Plans;
    readonly request: Pick<CniRequest, "netns">;
  },
  { kernel, enis }: { readonly kernel: Kernel; readonly enis: NodeEnis },
): Promise<void> {
  const cardId = cardIdOf(attachment);
  if (cardId !== undefined && enis.attached(cardId) === undefined) {
    throw new RequestError(
      CODE_CHANGED,
      `${cardId} (${
        eniOf(attachment)?.mac
      }), which carries ${attachment.ip}, isn't on ` +
        "this node any more",
    );
  }
  const netns = request.netns ?? attachment.netns;
  const wanted: readonly Plan[] = [{ ...pod, netns }, shared];
  const differences = (await kernel.compareAll(wanted)).flat();
  if (differences.length === 0) return;
  throw new RequestError(
    CODE_CHANGED,
    `the network of ${ownerKey(attachment.owner)} isn't as it was made`,
    differences.map(sentence),
  );
}
