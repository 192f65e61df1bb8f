/**
 * Links of ours without a lease: what a crash or a lost journal left behind.
 *
 * A pod's routes and rules go before its link does. So a link that no route
 * leads to belongs to a pod that was being deleted, and only dies last. One
 * that a route leads to is a live pod's: a journal was lost, and the link
 * itself tells whose lease it must have been.
 *
 * @module
 */
import { type LinkOwner, readAlias } from "../../netns/alias.ts";
import { addressesOf, hostLinkName, ownerKey } from "../../netns/attachment.ts";
import { isGone } from "../../netns/errno.ts";
import { compareIp, type Ip } from "../../netns/ip.ts";
import type { Kernel, LinkSeen, Recalled } from "../../netns/kernel.ts";
import type { Log } from "../log.ts";
import { attachmentOf } from "./attached.ts";
import type { Lender } from "./lender.ts";

/** The journal's word for a lease comes in milliseconds, or not at all. */
const RECOVERY_DEADLINE_MS = 10_000;

/** What a sweep works with. */
export interface SweepParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** Whose leases are in force. */
  readonly lender: Lender;
  /** Where it is told what was done. */
  readonly log: Log;
}

/** What became of links without a lease. */
export interface Swept {
  /** Links that died. */
  readonly removed: readonly string[];
  /** Links whose lease was taken up again. */
  readonly recovered: readonly string[];
  /** Links that are left for the next time. */
  readonly left: readonly string[];
  /** Pods in which cards are left for the next time. */
  readonly rooms: ReadonlySet<string>;
}

/**
 * Removes the host ends of veth pairs that no route leads to, and takes the
 * leases of the others up again; then those of cards without a pair, which lie
 * in the same pods.
 *
 * A link is ours by three marks at once: the name and the MAC that we derive
 * from an owner, and the alias that we write. A card is by its alias and its
 * address, which must be of a card of the pool.
 *
 * @param parts What it works with.
 * @param before Namespaces of pods in which cards were left.
 * @returns What became of them.
 */
export async function sweepLinks(
  parts: SweepParts,
  before: ReadonlySet<string> = new Set(),
): Promise<Swept> {
  const { kernel, lender } = parts;
  // Of pods that were deleted just now, they die by themselves.
  await kernel.settled();
  const links = (await kernel.links()).filter(isOurs);
  const held = new Set(
    lender.leases().map((lease) => hostLinkName(attachmentOf(lease).owner)),
  );
  const orphans = links.filter(({ name }) => !held.has(name));
  const swept = {
    removed: [] as string[],
    recovered: [] as string[],
    left: [] as string[],
    rooms: new Set<string>(),
  };
  const rooms = new Set(before);
  if (orphans.length === 0 && rooms.size === 0) return swept;
  const routes = await kernel.hostRoutes();
  for (const link of orphans) {
    const ips = routes.filter(({ ifIndex }) => ifIndex === link.ifIndex)
      .map(({ ip }) => ip).sort(compareIp);
    const found = readAlias(link);
    if (ips.length === 0) {
      await remove(parts, link);
      swept.removed.push(link.name);
    } else if (
      found !== undefined && await recover(parts, { link, found, ips })
    ) {
      swept.recovered.push(link.name);
    } else swept.left.push(link.name);
    if (found?.netns !== undefined) rooms.add(found.netns);
  }
  for (const netns of rooms) {
    for (const left of await recoverCards(parts, netns)) {
      swept.left.push(left);
      swept.rooms.add(netns);
    }
  }
  await kernel.settled();
  return swept;
}

/** Gives those whose leases can't be taken up yet. */
async function recoverCards(
  parts: SweepParts,
  netns: string,
): Promise<readonly string[]> {
  const { kernel, lender } = parts;
  const left: string[] = [];
  for (const card of await kernel.markedCards(netns)) {
    const { ips, mtu, ...found } = card;
    const { owner } = found;
    if (lender.lease(ownerKey(owner)) !== undefined) continue;
    const link = { name: `${owner.ifName} in ${netns}`, mtu };
    const one = { link, found: { ...found, netns }, ips };
    if (!await recover(parts, one)) left.push(link.name);
  }
  return left;
}

/** Pods in which there may be cards that only a look finds. */
function roomsOf(lender: SweepParts["lender"]): ReadonlySet<string> {
  return new Set(
    lender.leases().map(attachmentOf)
      .filter(({ recipe }) => recipe === "exclusive/1")
      .map(({ netns }) => netns).filter((netns) => netns !== ""),
  );
}

/** Sweeps again and again, and tells of what can't be helped. */
export class LinkSweeper {
  readonly #parts: SweepParts;
  readonly #told = new Set<string>();
  #left: readonly string[] = [];
  /** Absent until the first sweep, which looks into every pod with a card. */
  #rooms: ReadonlySet<string> | undefined;
  #unexplained: readonly string[] = [];

  /**
   * Makes one.
   *
   * @param parts What it works with.
   */
  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  /** Whether the last sweep left links for the next. */
  get hasLeft(): boolean {
    return this.#left.length > 0;
  }

  /**
   * Sweeps, and tells of nothing that was left: for a while the cloud may not
   * have told which ENIs there are.
   *
   * @returns When that is done.
   */
  async sweep(): Promise<void> {
    const before = this.#rooms ?? roomsOf(this.#parts.lender);
    const { left, rooms } = await sweepLinks(this.#parts, before);
    this.#left = left;
    this.#rooms = rooms;
  }

  /**
   * Sweeps, and tells, once, of each link that the last look left too.
   *
   * @returns When that is done.
   */
  async look(): Promise<void> {
    await this.sweep();
    for (const link of this.#left) {
      if (this.#told.has(link) || !this.#unexplained.includes(link)) continue;
      this.#told.add(link);
      this.#parts.log.warning(
        "a live pod has no lease and can't have one again, as its ENI " +
          "isn't known on this node: it is left as it is, and isn't " +
          "repaired; delete it to have it made anew",
        { link },
      );
    }
    this.#unexplained = this.#left;
  }
}

async function remove(
  { kernel, log }: SweepParts,
  link: LinkSeen,
): Promise<void> {
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

async function recover(
  { kernel, lender, log }: SweepParts,
  one: {
    /** Of a card in a pod, without an index. */
    link: Pick<LinkSeen, "name" | "mtu"> & { readonly ifIndex?: number };
    found: LinkOwner;
    ips: readonly Ip[];
  },
): Promise<boolean> {
  const { link, found, ips } = one;
  const { ifIndex, mtu } = link;
  const { netns = "", owner } = found;
  const node = ifIndex !== undefined && { ifIndex };
  const recalled = await recallIfThere(
    kernel.recall({ ...node, mtu, netns, owner, ips }),
  );
  if (recalled === undefined) return false;
  const { problem, ...made } = recalled;
  const deadline = AbortSignal.timeout(RECOVERY_DEADLINE_MS);
  const lease = await lender.recover({ ...found, ...made, ips, mtu }, deadline);
  if (lease === undefined) return false;
  log.warning("a live pod without a lease has one again", {
    owner: ownerKey(found.owner),
    ips: addressesOf(attachmentOf(lease)),
    link: link.name,
    ...made,
    ...problem !== undefined && {
      unknown: "what limits it from inside, and its extra routes: it can't " +
        `be looked into, as ${problem}`,
    },
  });
  return true;
}

/** A pod that is deleted meanwhile is no reason to leave the others. */
async function recallIfThere(
  asked: Promise<Recalled>,
): Promise<Recalled | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isOurs({ name, mac, alias }: LinkSeen): boolean {
  return /^cali[0-9a-f]{11}$/.test(name) && mac.startsWith("0e:") &&
    (alias ?? "").startsWith("terway ");
}
