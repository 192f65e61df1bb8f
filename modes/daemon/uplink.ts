/**
 * The node's own card, as IPv6 sees it.
 *
 * @module
 */
import type { Mac } from "../../netns/attachment.ts";
import type { Kernel } from "../../netns/kernel.ts";

/**
 * Finds the node's own card if router advertisements may give it its routes: a
 * node that forwards forgets those, unless the card is told to go on hearing.
 *
 * @param kernel The node's kernel.
 * @param primaryMac The MAC of the node's primary ENI.
 * @returns The link's name; undefined when it is deaf to advertisements.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export async function hearingUplink(
  kernel: Kernel,
  primaryMac: Mac,
): Promise<string | undefined> {
  const name = (await kernel.findLink(primaryMac))?.name;
  if (name === undefined) return undefined;
  const key = `net/ipv6/conf/${name}/accept_ra`;
  const value = (await kernel.host.readSettings([key])).get(key) ?? "0";
  return value === "0" ? undefined : name;
}
