/**
 * Waiting for a link to come, by the kernel's events.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import type { Kernel } from "./kernel.ts";
import type { LinkSeen } from "./link_object.ts";

/**
 * Waits for a link of the node by MAC, without polling.
 *
 * @param kernel The node's kernel.
 * @param wish The MAC, in lower case, and what ends the waiting.
 * @returns The link, at once when it is there.
 * @throws The signal's reason.
 */
export async function waitForLink(
  kernel: Pick<Kernel, "findLink" | "onEvent">,
  { mac, signal }: { readonly mac: Mac; readonly signal: AbortSignal },
): Promise<LinkSeen> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<LinkSeen>();
  const abort = (): void => reject(signal.reason);
  const look = (): void => {
    kernel.findLink(mac).then((link) => link && resolve(link), reject);
  };
  signal.addEventListener("abort", abort);
  // Listening comes first, or a link between the two would be missed.
  using _listening = kernel.onEvent((event) => {
    if (event.kind === "lost") look();
    if (event.kind !== "link" || event.action !== "new") return;
    if (event.link.mac === mac) resolve(event.link);
  });
  look();
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
