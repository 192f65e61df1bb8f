/**
 * Keeps the node's kernel as the plans want it: what somebody else removed or
 * changed is put back, and told as the command that it equals.
 *
 * The kernel tells of links, routes, rules and queues of the node within milliseconds;
 * what happens inside a pod, and what an event missed, is found by a look at
 * everything once a minute.
 *
 * @module
 */
import {
  addressesOf,
  type Attachment,
  hostLinkName,
} from "../../netns/attachment.ts";
import { ownSlave } from "../../netns/datapath/ipvlan.ts";
import { type Cidr, hostCidr } from "../../netns/ip.ts";
import type { Kernel, KernelEvent } from "../../netns/kernel.ts";
import { NamespaceError } from "../../netns/namespace.ts";
import type { Difference } from "../../netns/step.ts";
import type { OwnerKey } from "../../pool/state.ts";
import { errorFields, type Log } from "../log.ts";
import type { Attacher } from "./attach.ts";
import { attachmentOf, cardIdOf, sentence } from "./attached.ts";
import { sharesMore } from "./sharing.ts";
import type { NodeEnis } from "./enis.ts";
import type { Lender } from "./lender.ts";

/** What a repairer works with. */
export interface RepairParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** Whose leases are in force. */
  readonly lender: Lender;
  /** The node's ENIs in its kernel. */
  readonly enis: NodeEnis;
  /** Repairs a pod, in line with the verbs of its sandbox. */
  readonly attacher: Attacher;
  /** Where repairs are told. */
  readonly log: Log;
}

/**
 * Changes come in groups: `ip route flush` is an event a route. So long is
 * waited for the rest of a group; a second is what a repair may take.
 */
const GATHER_MS = 100;

/** Puts back what was there. */
export class Repairer implements AsyncDisposable {
  readonly #parts: RepairParts;
  readonly #pods = new Set<OwnerKey>();
  readonly #enis = new Set<string>();
  /** Names of links and prefixes that something happened to. */
  readonly #links = new Set<string>();
  /** Indexes of links that may not send as they should. */
  readonly #senders = new Set<number>();
  readonly #prefixes = new Set<Cidr>();
  readonly #ears = new DisposableStack();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  /**
   * Listens to the kernel from now on.
   *
   * @param parts What it works with.
   */
  constructor(parts: RepairParts) {
    this.#parts = parts;
    const { kernel, enis, lender } = parts;
    this.#ears.use(kernel.onEvent((event) => this.#hear(event)));
    this.#ears.use(enis.onReady((eniId) => {
      const itsPods = lender.leases().filter((lease) =>
        lease.eniId === eniId || cardIdOf(attachmentOf(lease)) === eniId
      );
      if (itsPods.length === 0) return;
      for (const { ownerKey } of itsPods) this.#pods.add(ownerKey);
      this.#begin();
    }));
  }

  /**
   * Compares everything with the kernel, and repairs.
   *
   * @returns When that is done; failures are told, and tried again next time.
   */
  sweep(): Promise<void> {
    this.#markAll();
    return this.#repairMarked();
  }

  /** Listens no more, and waits for a repair that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#ears[Symbol.dispose]();
    clearTimeout(this.#timer);
    await this.#work;
  }

  #hear(event: KernelEvent): void {
    if (this.#mark(event)) this.#begin();
  }

  /** Repairs what is marked, soon. */
  #begin(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#repairMarked();
    }, GATHER_MS);
  }

  /** Notes what an event may have broken; an event of our own work breaks nothing. */
  #mark(event: KernelEvent): boolean {
    switch (event.kind) {
      case "lost":
        this.#markAll();
        return true;
      case "link":
        if (event.action === "new" && event.link.up) return false;
        this.#markEni(event.link.ifIndex);
        this.#links.add(event.link.name);
        return true;
      case "rule": {
        if (event.action !== "deleted") return false;
        const { from, to } = event.rule;
        for (const prefix of [from, to]) {
          if (prefix !== undefined) this.#prefixes.add(prefix);
        }
        return true;
      }
      case "route":
        if (event.action !== "deleted") return false;
        this.#markEni(event.route.ifIndex);
        this.#prefixes.add(event.route.destination);
        return true;
      case "qdisc":
        // A new one too: whose it is isn't told.
        this.#senders.add(event.ifIndex);
        return true;
      case "address":
        return false;
    }
  }

  #markAll(): void {
    for (const eniId of this.#parts.enis.ids()) this.#enis.add(eniId);
    for (const { ownerKey } of this.#parts.lender.leases()) {
      this.#pods.add(ownerKey);
    }
  }

  #markEni(ifIndex: number): void {
    const eniId = this.#parts.enis.idOf(ifIndex);
    if (eniId !== undefined) this.#enis.add(eniId);
  }

  /** Finds whose links and prefixes were noted: one walk for a whole group. */
  async #markPods(): Promise<void> {
    const links = new Set(take(this.#links));
    const prefixes = new Set(take(this.#prefixes));
    const cards = new Set(take(this.#senders));
    const senders = await this.#limitedLinks(cards);
    if (links.size + prefixes.size + senders.size === 0) return;
    for (const lease of this.#parts.lender.leases()) {
      const attachment = attachmentOf(lease);
      const link = hostLinkName(attachment.owner);
      const isMeant = links.has(link) ||
        attachment.bandwidth !== undefined && senders.has(link) ||
        addressesOf(attachment).some((ip) => prefixes.has(hostCidr(ip))) ||
        this.#isOnCard(attachment, { links, cards });
      if (isMeant) this.#pods.add(lease.ownerKey);
    }
  }

  /** Whether something happened to what IPvlan pods of a card share. */
  #isOnCard(
    attachment: Attachment,
    { links, cards }: {
      readonly links: ReadonlySet<string>;
      readonly cards: ReadonlySet<number>;
    },
  ): boolean {
    if (!sharesMore(attachment)) return false;
    const link = this.#parts.enis.link(cardIdOf(attachment) ?? "");
    if (link === undefined) return false;
    return cards.has(link.ifIndex) || links.has(ownSlave(link.ifIndex));
  }

  /** An event of a queue tells its link's index alone. */
  async #limitedLinks(indexes: ReadonlySet<number>): Promise<Set<string>> {
    if (indexes.size === 0) return new Set();
    const links = await this.#parts.kernel.links();
    return new Set(
      links.filter(({ ifIndex }) => indexes.has(ifIndex))
        .map(({ name }) => name),
    );
  }

  #repairMarked(): Promise<void> {
    this.#work = this.#work.then(async () => {
      const { enis, attacher } = this.#parts;
      await this.#markPods();
      for (const eniId of take(this.#enis)) {
        await this.#repair({ eni: eniId }, () => enis.repair(eniId));
      }
      for (const key of take(this.#pods)) {
        await this.#repair({ owner: key }, () => attacher.repair(key));
      }
    });
    return this.#work;
  }

  async #repair(
    who: Readonly<Record<string, string>>,
    repair: () => Promise<readonly Difference[]>,
  ): Promise<void> {
    if (this.#stopped) return;
    const { log } = this.#parts;
    try {
      const differences = await repair();
      if (differences.length === 0) return;
      log.warning("somebody changed the network: it was put back", {
        ...who,
        was: differences.map(sentence),
      });
    } catch (error) {
      // A pod whose namespace is gone waits for its DEL.
      if (error instanceof NamespaceError) return;
      log.warning("the network isn't as it should be, and can't be put back", {
        ...who,
        ...errorFields(error),
      });
    }
  }
}

function take<T>(set: Set<T>): readonly T[] {
  const all = [...set];
  set.clear();
  return all;
}
