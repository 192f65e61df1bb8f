/**
 * Links that a daemon left behind when it was killed: looked for at start.
 *
 * A pod's rules and routes go before its lease does, so a lease's DEL finds
 * them; its link dies last, off the caller's path, and only it can be left
 * without a lease.
 *
 * @module
 */
import { hostLinkName } from "../../netns/attachment.ts";
import type { Kernel, LinkSeen } from "../../netns/kernel.ts";
import type { Keeper } from "../../pool/contract.ts";
import type { Log } from "../log.ts";
import { attachmentOf } from "./attach.ts";

/**
 * Removes the host ends of veth pairs that no lease stands for.
 *
 * A link is ours by three marks at once: the name and the MAC that we derive
 * from an owner, and the alias that we write.
 *
 * @param parts The kernel, the pool whose leases are in force, and the log.
 * @returns How many links were removed.
 */
export async function sweepLinks(
  parts: { kernel: Kernel; keeper: Keeper; log: Log },
): Promise<number> {
  const { kernel, keeper, log } = parts;
  const held = new Set(
    keeper.leases().map((lease) => hostLinkName(attachmentOf(lease).owner)),
  );
  const orphans = (await kernel.links())
    .filter((link) => isOurs(link) && !held.has(link.name));
  for (const link of orphans) {
    log.warning("a link without a lease is removed", {
      link: link.name,
      alias: link.alias,
    });
    await kernel.remove({
      steps: [{
        kind: "veth",
        host: { name: link.name, mac: link.mac },
        pod: { name: "", mac: "" },
        mtu: link.mtu,
        alias: link.alias ?? "",
      }],
    });
  }
  await kernel.settled();
  return orphans.length;
}

function isOurs({ name, mac, alias }: LinkSeen): boolean {
  return /^cali[0-9a-f]{11}$/.test(name) && mac.startsWith("0e:") &&
    (alias ?? "").startsWith("terway ");
}
