/**
 * The verbs of a sandbox: a lease from the pool and a plan for the kernel,
 * taken together or not at all.
 *
 * @module
 */
import {
  addressesOf,
  type Attachment,
  type Owner,
  ownerKey,
} from "../../netns/attachment.ts";
import type { Cidr, Ip } from "../../netns/ip.ts";
import type { Kernel } from "../../netns/kernel.ts";
import { planOf, type Plans } from "../../netns/recipe.ts";
import type { Difference } from "../../netns/step.ts";
import { PoolError } from "../../pool/error.ts";
import type { History } from "../../pool/history.ts";
import { errorFields, type Log } from "../log.ts";
import {
  attachmentOf,
  cardIdOf,
  hostEnd,
  requireResultOf,
  requireSame,
  sentence,
  whereOf,
} from "./attached.ts";
import type { NodeEnis } from "./enis.ts";
import {
  type Added,
  besidesOf,
  claimAll,
  joined,
  staleOf,
  type StillValid,
} from "./interfaces.ts";
import type { Lender } from "./lender.ts";
import { requireAsMade, requireAttached } from "./checked.ts";
import { Flows } from "./flows.ts";
import { meaning } from "./result.ts";
import { Sandboxes } from "./sandboxes.ts";
import { sharesMore, type Sharing } from "./sharing.ts";
import { Unheard } from "./unheard.ts";
import { type SandboxRequest, wishesOf } from "./wish.ts";

/** What an attacher works with. */
export interface AttacherParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** Lends addresses. */
  readonly lender: Lender;
  /** The node's ENIs in its kernel. */
  readonly enis: NodeEnis;
  /** The node's primary address. */
  readonly nodeIp: Ip;
  /** Its primary IPv6 address, where it has one. */
  readonly nodeIp6?: Ip;
  /** Bytes in a packet of ENIs that pods share; as they came when absent. */
  readonly mtu?: number;
  /** Prefixes that new pods reach by their gateway, whatever else they have. */
  readonly extraRoutes: () => readonly Cidr[];
  /** How pods share an ENI. */
  readonly sharing: Sharing;
  /** Where what happened to each pod is kept. */
  readonly history: Pick<History, "note">;
  /** Where is told what no caller hears. */
  readonly log: Log;
}

/** Attaches pods, checks and detaches them. */
export class Attacher {
  readonly #parts: AttacherParts;
  readonly #sandboxes = new Sandboxes();
  /** ADDs under way, so that a DEL can end them. */
  readonly #adding = new Map<string, Set<AbortController>>();
  readonly #unheard = new Unheard();
  /** Whose DEL was answered while the journal couldn't be written. */
  readonly #unreleased = new Map<string, Owner>();
  readonly #flows: Flows;

  /**
   * Makes one.
   *
   * @param parts What it works with.
   */
  constructor(parts: AttacherParts) {
    this.#parts = parts;
    this.#flows = new Flows(parts);
  }

  /**
   * Gives a pod its address and sets its network up. The same owner gets the
   * same again.
   *
   * @param request An ADD.
   * @param signal Ends when the caller is gone or its patience is: whatever
   * was begun is undone.
   * @returns What the pod got.
   */
  async add(request: SandboxRequest, signal: AbortSignal): Promise<Added> {
    const { owner } = request;
    const deleted = new AbortController();
    const adding = this.#adding.get(ownerKey(owner)) ?? new Set();
    this.#adding.set(ownerKey(owner), adding.add(deleted));
    try {
      const either = AbortSignal.any([signal, deleted.signal]);
      return await this.#sandboxes.run(
        owner.containerId,
        () => this.#add(request, either),
      );
    } catch (error) {
      this.#note(owner, "ADD failed", meaning(error).msg);
      throw error;
    } finally {
      adding.delete(deleted);
      if (adding.size === 0) this.#adding.delete(ownerKey(owner));
    }
  }

  /**
   * Compares a pod's network with what was made.
   *
   * @param request A CHECK.
   * @throws {RequestError} That names every object which is missing or
   * changed, as the command that makes it.
   */
  async check(request: SandboxRequest): Promise<void> {
    const { owner } = request;
    try {
      await this.#sandboxes.run(
        owner.containerId,
        () => this.#check(request),
      );
      this.#note(owner, "CHECK");
    } catch (error) {
      const { msg, details } = meaning(error);
      this.#note(owner, "CHECK failed", `${msg}: ${details}`);
      throw error;
    }
  }

  /**
   * Takes a pod's network away and its address back. What isn't there is no
   * error. An ADD of the same owner that came before ends without a result: a
   * runtime that has given it up must not wait for it.
   *
   * @param owner Whose.
   */
  delete(owner: Owner): Promise<void> {
    for (const adding of this.#adding.get(ownerKey(owner)) ?? []) {
      adding.abort(new DOMException("the sandbox was deleted", "AbortError"));
    }
    return this.#sandboxes.run(
      owner.containerId,
      () => this.#delete(owner),
    );
  }

  /**
   * Ends the leases of pods that were deleted while the journal couldn't be
   * written. Does nothing when there are none.
   */
  async releaseLate(): Promise<void> {
    for (const owner of [...this.#unreleased.values()]) {
      await this.delete(owner);
    }
  }

  /** Deletes the tracked flows of addresses that were released since. */
  forgetFlows(): Promise<void> {
    return this.#flows.forget();
  }

  /**
   * Makes a pod's network what it was made as. The verbs of its sandbox wait.
   *
   * @param key Whose.
   * @returns What wasn't as it should be, and is now; nothing without a lease.
   * @throws {NetlinkError} When the kernel refuses.
   * @throws {NamespaceError} When the pod's namespace is gone.
   */
  repair(key: string): Promise<readonly Difference[]> {
    const lease = this.#parts.lender.lease(key);
    if (lease === undefined) return Promise.resolve([]);
    const { containerId } = attachmentOf(lease).owner;
    return this.#sandboxes.run(containerId, () => this.#repair(key));
  }

  /**
   * Detaches every pod of a network but those named.
   *
   * @param list The network's name, and who stays.
   * @returns The owners that went.
   * @throws {AggregateError} When some couldn't; the others went.
   */
  async collect(list: StillValid): Promise<readonly Owner[]> {
    const gone = staleOf(this.#parts.lender.leases(), list);
    const failures: unknown[] = [];
    for (const owner of gone) {
      await this.delete(owner).catch((error) => failures.push(error));
    }
    if (failures.length === 0) return gone;
    throw new AggregateError(
      failures,
      `${failures.length} of ${gone.length} stale attachments can't be removed`,
    );
  }

  async #add(request: SandboxRequest, signal: AbortSignal): Promise<Added> {
    const { lender, kernel, sharing } = this.#parts;
    const { owner, pod, netns = "" } = request;
    const key = ownerKey(owner);
    const name = pod && { pod: `${pod.namespace}/${pod.name}` };
    this.#parts.history.note({ ownerKey: key, netns, ...name }, "ADD");
    signal.throwIfAborted();
    await kernel.checkNamespace(netns);
    const earlier = lender.lease(key);
    if (earlier !== undefined) requireSame(attachmentOf(earlier), netns);
    this.#unreleased.delete(key);
    const before = this.#setOf(owner);
    const shares = await sharing.wish(request.config);
    const wishes = (await wishesOf(request, { ...this.#parts, before }))
      .map((wish) => ({ ...wish, ...shares }));
    const leases = await claimAll(lender, wishes, signal);
    const isHeld = ({ owner }: Attachment): boolean =>
      before.some((one) => ownerKey(one.owner) === ownerKey(owner));
    const added = leases.map(attachmentOf).filter((one) => !isHeld(one));
    await this.#begin(added);
    const attachments = this.#setOf(owner);
    const plans = attachments.map((one) => this.plans(one).pod);
    try {
      for (const one of attachments) await sharing.begin(one, this.plans(one));
      await kernel.apply(joined(plans));
      signal.throwIfAborted();
    } catch (error) {
      // Of a retried ADD, what the first one made is kept.
      for (const one of added.reverse()) await this.#deleteOne(one.owner);
      throw error;
    }
    for (const one of attachments) this.#note(one.owner, "attached");
    const isNew = earlier === undefined;
    const ticket = this.#unheard.answered(key, { isNew });
    return {
      attachments,
      plans,
      heard: () => this.#unheard.arrived(key, ticket),
      undo: () =>
        this.#sandboxes.run(owner.containerId, async () => {
          const isForgotten = this.#unheard.isForgotten(key, ticket);
          if (!isForgotten) return;
          this.#note(owner, "undone", "the caller of ADD was gone");
          await this.#delete(owner);
        }),
    };
  }

  /** What is lent again without a rest must have nothing of its last pod. */
  async #begin(added: readonly Attachment[]): Promise<void> {
    for (const one of added) this.#note(one.owner, "leased", whereOf(one));
    if (!this.#flows.areLeft(added.flatMap(addressesOf))) return;
    await this.#parts.kernel.settled();
    await this.#flows.forget();
  }

  async #check(request: SandboxRequest): Promise<void> {
    const lease = this.#parts.lender.lease(ownerKey(request.owner));
    requireAttached(request.owner, lease);
    for (const attachment of this.#setOf(request.owner)) {
      requireResultOf(attachment, request);
      const plans = this.plans(attachment);
      await requireAsMade({ attachment, plans, request }, this.#parts);
    }
  }

  /** What an owner has, its own interface first. */
  #setOf(owner: Owner): readonly Attachment[] {
    const { lender } = this.#parts;
    const lease = lender.lease(ownerKey(owner));
    const own = lease === undefined ? [] : [attachmentOf(lease)];
    return [...own, ...besidesOf(lender.leases(), owner)];
  }

  async #repair(key: string): Promise<readonly Difference[]> {
    const { lender, kernel, enis } = this.#parts;
    const lease = lender.lease(key);
    if (lease === undefined || this.#unreleased.has(key)) return [];
    const attachment = attachmentOf(lease);
    const cardId = cardIdOf(attachment);
    // Its ENI is gone or comes: without it there is nothing to lead to.
    if (cardId !== undefined && !enis.attached(cardId)) return [];
    const { shared, pod } = this.plans(attachment);
    // What all pods of an ENI share is repaired with the ENI.
    const isEnis = attachment.recipe === "veth/1" && !sharesMore(attachment);
    const plans = isEnis ? [pod] : [shared, pod];
    const found: Difference[] = [];
    for (const plan of plans) {
      const differences = await kernel.compare(plan);
      if (differences.length > 0) await kernel.apply(plan);
      found.push(...differences);
    }
    if (found.length > 0) {
      const was = found.map(sentence).join("; ");
      this.#note(attachment.owner, "repaired", was);
    }
    return found;
  }

  /**
   * Plans an attachment by the node as it is now: an ENI's index may not be
   * what it was.
   *
   * @param attachment What a pod has.
   * @returns What the kernel shall hold.
   */
  plans(attachment: Attachment): Plans {
    const { nodeIp, nodeIp6, mtu, enis } = this.#parts;
    const cardId = cardIdOf(attachment);
    const eni = cardId === undefined ? undefined : enis.link(cardId);
    const { uplink } = enis;
    return planOf(attachment, {
      nodeIp,
      ...nodeIp6 !== undefined && { nodeIp6 },
      ...mtu !== undefined && { eniMtu: mtu },
      ...eni && { eni },
      ...uplink !== undefined && { uplink },
    });
  }

  /** What came last goes first. */
  async #delete(owner: Owner): Promise<void> {
    const besides = besidesOf(this.#parts.lender.leases(), owner);
    for (const one of besides.toReversed()) await this.#deleteOne(one.owner);
    await this.#deleteOne(owner);
  }

  async #deleteOne(owner: Owner): Promise<void> {
    const { lender, kernel } = this.#parts;
    const key = ownerKey(owner);
    const lease = lender.lease(key);
    this.#unheard.ended(key);
    if (lease === undefined) {
      this.#unreleased.delete(key);
      // A DEL that was cut short may have left it, and a journal may be lost.
      await kernel.remove({ steps: [hostEnd(owner)] });
      return;
    }
    const attachment = attachmentOf(lease);
    await kernel.remove(this.plans(attachment).pod);
    try {
      await lender.release(key);
      this.#unreleased.delete(key);
      this.#note(owner, "released", addressesOf(attachment).join(", "));
      this.#flows.released(addressesOf(attachment));
      await this.#parts.sharing.end(
        attachment,
        (one) => this.plans(one),
        lender.leases(),
      );
    } catch (error) {
      if (!(error instanceof PoolError) || error.kind !== "journal") {
        throw error;
      }
      // The pod must not hang on our disk; its address isn't given out until
      // the release is written, by releaseLate() or by a look for dead pods.
      if (!this.#unreleased.has(key)) {
        this.#parts.log.error(
          "a pod was deleted, but the journal can't be written: its address " +
            "stays taken until it can",
          { owner: key, ips: addressesOf(attachment), ...errorFields(error) },
        );
      }
      this.#unreleased.set(key, owner);
    }
  }

  #note(owner: Owner, what: string, detail?: string): void {
    this.#parts.history.note({ ownerKey: ownerKey(owner) }, what, detail);
  }
}
