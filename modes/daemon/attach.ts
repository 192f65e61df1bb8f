/**
 * The verbs of a sandbox: a lease from the pool and a plan for the kernel,
 * taken together or not at all.
 *
 * @module
 */
import {
  type Attachment,
  type Owner,
  ownerKey,
} from "../../netns/attachment.ts";
import { podPlan } from "../../netns/datapath/veth.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { Difference, Plan } from "../../netns/step.ts";
import type { Grant, Keeper } from "../../pool/contract.ts";
import type { Lease } from "../../pool/state.ts";
import type { NodeEnis } from "./enis.ts";
import { CNI_CODE, type CniRequest, RequestError } from "./request.ts";
import { CODE_CHANGED } from "./result.ts";
import { Sandboxes } from "./sandboxes.ts";

/** What an attacher works with. */
export interface AttacherParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** The node's pool. */
  readonly keeper: Keeper;
  /** The node's ENIs in its kernel. */
  readonly enis: NodeEnis;
  /** Bytes in a pod's packet when the network doesn't say. */
  readonly mtu: number;
}

/** A call on a sandbox, decoded. */
export type SandboxRequest = CniRequest & { readonly owner: Owner };

/** What an ADD did. */
export interface Added {
  /** What the pod has. */
  readonly attachment: Attachment;
  /** False when an earlier ADD of the same owner made it. */
  readonly fresh: boolean;
}

/** Attaches pods, checks and detaches them. */
export class Attacher {
  readonly #parts: AttacherParts;
  readonly #sandboxes = new Sandboxes();
  /** ADDs that wait or are under way, so that a DEL can end them. */
  readonly #adding = new Map<string, Set<AbortController>>();

  /**
   * Makes one.
   *
   * @param parts What it works with.
   */
  constructor(parts: AttacherParts) {
    this.#parts = parts;
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
  check(request: SandboxRequest): Promise<void> {
    return this.#sandboxes.run(
      request.owner.containerId,
      () => this.#check(request),
    );
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
   * Detaches every pod of a network but those named.
   *
   * @param list The network's name; who stays; and, for a list that was
   * written down, when: who came later isn't on it, and stays too.
   * @returns The owners that went.
   */
  async collect(
    { network, valid, writtenMs = Infinity }: {
      network: string;
      valid: readonly { containerID: string; ifname: string }[];
      writtenMs?: number;
    },
  ): Promise<readonly Owner[]> {
    const stays = (owner: Owner): boolean =>
      valid.some((one) =>
        one.containerID === owner.containerId &&
        (one.ifname === "" || one.ifname === owner.ifName)
      );
    const gone = this.#parts.keeper.leases()
      .filter((lease) => lease.atMs < writtenMs)
      .map((lease) => attachmentOf(lease).owner)
      .filter((owner) => owner.network === network && !stays(owner));
    for (const owner of gone) await this.delete(owner);
    return gone;
  }

  async #add(request: SandboxRequest, signal: AbortSignal): Promise<Added> {
    const { keeper, kernel } = this.#parts;
    const { owner } = request;
    const netns = request.netns ?? "";
    signal.throwIfAborted();
    await kernel.checkNamespace(netns);
    const earlier = keeper.lease(ownerKey(owner));
    if (earlier !== undefined) requireSame(attachmentOf(earlier), netns);
    const lease = await keeper.claim({
      ownerKey: ownerKey(owner),
      attach: (grant) => this.#attachment(request, grant),
    }, signal);
    const attachment = attachmentOf(lease);
    try {
      await kernel.apply(podPlan(attachment, attachment.eni));
      signal.throwIfAborted();
    } catch (error) {
      // Of a retried ADD, what the first one made is kept.
      if (earlier === undefined) await this.#delete(owner);
      throw error;
    }
    return { attachment, fresh: earlier === undefined };
  }

  async #check(request: SandboxRequest): Promise<void> {
    const { keeper, kernel, enis } = this.#parts;
    const lease = keeper.lease(ownerKey(request.owner));
    if (lease === undefined) {
      throw new RequestError(
        CODE_CHANGED,
        `${ownerKey(request.owner)} has no address here: it was never ` +
          "attached on this node, or is detached",
      );
    }
    const attachment = attachmentOf(lease);
    const eni = enis.attached(attachment.eni.id);
    if (eni === undefined) {
      throw new RequestError(
        CODE_CHANGED,
        `${attachment.eni.id} (${attachment.eni.mac}), which carries ` +
          `${attachment.ip}, isn't on this node any more`,
      );
    }
    const plans = [
      { ...podPlan(attachment, eni), netns: request.netns ?? attachment.netns },
      enis.plan(attachment.eni.id),
    ].filter((plan): plan is Plan => plan !== undefined);
    const found = await Promise.all(plans.map((plan) => kernel.compare(plan)));
    const differences = found.flat();
    if (differences.length === 0) return;
    throw new RequestError(
      CODE_CHANGED,
      `the network of ${ownerKey(request.owner)} isn't as it was made`,
      differences.map(sentence),
    );
  }

  async #delete(owner: Owner): Promise<void> {
    const { keeper, kernel } = this.#parts;
    const lease = keeper.lease(ownerKey(owner));
    if (lease === undefined) return;
    const attachment = attachmentOf(lease);
    await kernel.remove(podPlan(attachment, attachment.eni));
    await keeper.release(ownerKey(owner));
  }

  #attachment(
    request: SandboxRequest,
    grant: Grant,
  ): { recipe: string; attachment: Attachment } {
    const eni = this.#parts.enis.attached(grant.eni.id);
    if (eni === undefined) {
      throw new Error(
        `Cannot use ${grant.eni.id} as it isn't set up on this node`,
      );
    }
    const attachment: Attachment = {
      recipe: "veth/1",
      owner: request.owner,
      ...(request.pod === undefined ? {} : { pod: request.pod }),
      netns: request.netns ?? "",
      ip: grant.ip,
      eni,
      mtu: request.config.mtu ?? this.#parts.mtu,
    };
    return { recipe: attachment.recipe, attachment };
  }
}

/**
 * Reads the attachment that a lease was recorded with.
 *
 * @param lease A lease of this daemon's journal.
 * @returns What the pod got.
 */
export function attachmentOf(lease: Lease): Attachment {
  return lease.attachment as Attachment;
}

function requireSame(earlier: Attachment, netns: string): void {
  if (earlier.netns === netns) return;
  throw new RequestError(
    CNI_CODE.invalidVariable,
    `CNI_NETNS is ${netns}, but ${ownerKey(earlier.owner)} is attached in ` +
      `${earlier.netns}: DEL it first`,
  );
}

function sentence(difference: Difference): string {
  const seen = difference.seen === undefined
    ? ""
    : `, it is ${difference.seen}`;
  return `${difference.problem}: ${difference.object}${seen}`;
}
