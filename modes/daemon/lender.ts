/**
 * Who lends a pod its address: the pool of ENIs, or the node's pod CIDR.
 *
 * @module
 */
import type { LinkOwner } from "../../netns/alias.ts";
import { ownerKey } from "../../netns/attachment.ts";
import type { Ip } from "../../netns/ip.ts";
import type { Recalled } from "../../netns/kernel.ts";
import type { Grant, Keeper, PoolStatus } from "../../pool/contract.ts";
import { PoolError } from "../../pool/error.ts";
import type { PodCidr, PodCidrStatus } from "../../pool/pod_cidr.ts";
import type { Lease, OwnerKey } from "../../pool/state.ts";
import {
  asFound,
  attachmentFor,
  attachmentOf,
  DEFAULT_MTU,
  NotSetUpError,
  type PodWish,
  vpcAttachment,
  type VpcPods,
} from "./attached.ts";
import type { NodeEnis } from "./enis.ts";
import { expired, isKept, KEEP_MS, keeperKey, keeperOf } from "./kept.ts";
import type { MemberAsk, MemberPods } from "./member_pods.ts";

/** A lease passes on in one commit: a millisecond. */
const PASS_MS = 2_000;

/** How long a successor waits for the ENI of its address, and how it looks. */
const SET_UP_MS = 10_000;
const LOOK_MS = 50;

/** An address that passes to another owner. */
interface Passed {
  readonly ip: Ip;
  /** The grant, for an address of an ENI. */
  readonly grant?: Grant;
}

/** Whether the cloud would give another address now. */
function mayGrow(
  { slots, capacity, full, rests, health, limits }: PoolStatus,
): boolean {
  const held = slots.leased + slots.cooling + slots.unassigning;
  return held < capacity && full === undefined && rests.length === 0 &&
    health.level === "whole" && limits.hotPlug;
}

function requireGrant(grant: Grant | undefined): Grant {
  if (grant !== undefined) return grant;
  throw new NotSetUpError("Cannot use an address of no ENI and no pod CIDR");
}

/** What lends. */
export interface LenderParts {
  /** The pool of ENIs. */
  readonly keeper: Keeper;
  /** The ENIs in the node's kernel. */
  readonly enis: NodeEnis;
  /** The node's pod CIDR, in a mode that has one. */
  readonly podCidr?: PodCidr;
  /** Pods with ENIs that hang on the node's trunk, if it has one. */
  readonly memberPods?: MemberPods;
  /** Bytes in a packet of the node's own card; Ethernet's own when absent. */
  readonly uplinkMtu?: number;
}

/** What a pod asks for. */
export interface AddressWish extends PodWish {
  /** Whether it shall have an ENI to itself where others don't. */
  readonly wantsEni: boolean;
  /** Set when an ENI is made for it, which hangs on the trunk. */
  readonly member?: MemberAsk;
}

/** Lends addresses, whoever has them. */
export class Lender {
  readonly #parts: LenderParts;

  /**
   * Makes one.
   *
   * @param parts Who lends.
   */
  constructor(parts: LenderParts) {
    this.#parts = parts;
  }

  /**
   * Leases an address; an owner that has one gets the same again.
   *
   * @param wish What the pod asks for.
   * @param signal Ends the wait for the cloud.
   * @returns The lease, which the journal holds.
   * @throws {PoolError} As {@linkcode Keeper.claim} and
   * {@linkcode PodCidr.claim} do.
   */
  async claim(wish: AddressWish, signal: AbortSignal): Promise<Lease> {
    const { keeper, enis, podCidr, memberPods } = this.#parts;
    const { wantsEni, member, ...pod } = wish;
    const key = ownerKey(pod.owner);
    const earlier = this.lease(key);
    if (earlier !== undefined) return earlier;
    if (member !== undefined && memberPods !== undefined) {
      return memberPods.claim(pod, member, signal);
    }
    const kept = await this.#takeOver(wish, signal);
    if (kept !== undefined) return kept;
    if (podCidr !== undefined && !wantsEni) {
      const attach = (ip: Ip) => vpcAttachment(pod, ip, this.#vpcPods(podCidr));
      await this.#giveWayOf(podCidr);
      return podCidr.claim({ ownerKey: key, attach });
    }
    await this.#giveWay();
    return await keeper.claim({
      ownerKey: key,
      attach: (grant) => attachmentFor(pod, grant, enis),
    }, signal);
  }

  /**
   * Takes up a lease that a lost journal knew.
   *
   * @param found What the pod's link on the host tells.
   * @param signal Ends the wait for the journal.
   * @returns The lease; undefined while that can't be.
   */
  async recover(
    found:
      & LinkOwner
      & Omit<PodWish, "netns">
      & Pick<Recalled, "byPair">
      & { readonly ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<Lease | undefined> {
    const { keeper, enis, podCidr } = this.#parts;
    const { ips, byPair, netns = "", ...rest } = found;
    const pod = { ...rest, netns };
    const key = ownerKey(found.owner);
    const ip = podCidr && ips.find((one) => podCidr.holds(one));
    if (podCidr !== undefined && ip !== undefined) {
      const attach = (ip: Ip) => vpcAttachment(pod, ip, this.#vpcPods(podCidr));
      return podCidr.recover({ ownerKey: key, ip, attach });
    }
    try {
      return await keeper.recover({
        ownerKey: key,
        ips,
        attach: (grant) => {
          const made = attachmentFor(pod, grant, enis);
          return byPair === undefined ? made : asFound(made, byPair);
        },
      }, signal);
    } catch (error) {
      if (error instanceof NotSetUpError) return undefined;
      throw error;
    }
  }

  #vpcPods({ cidr: podCidr }: PodCidr): VpcPods {
    return { podCidr, mtu: this.#parts.uplinkMtu ?? DEFAULT_MTU };
  }

  /**
   * Ends a lease. Its addresses may be kept for the pod's successor: to
   * everybody else that is the same.
   *
   * @param key Whose.
   * @returns The lease that ended; undefined when there was none.
   * @throws {PoolError} `journal` when it couldn't be written.
   */
  async release(key: OwnerKey): Promise<Lease | undefined> {
    const lease = this.lease(key);
    const keeper = lease && keeperOf(lease);
    if (lease !== undefined && keeper !== undefined) {
      if (await this.#keep(lease, keeper)) return lease;
    }
    return await this.#release(key);
  }

  /**
   * Ends what is kept.
   *
   * @param which `expired` for what no successor came for in time; `all`
   * before a drain.
   */
  async releaseKept(which: "expired" | "all"): Promise<void> {
    const leases = this.#all();
    const keys = which === "all"
      ? leases.filter(isKept).map(({ ownerKey }) => ownerKey)
      : expired(leases, Date.now());
    for (const key of keys) await this.#release(key);
  }

  /** For a pod that would wait nothing is kept: the address cools, and is lent. */
  async #giveWay(): Promise<void> {
    const [kept] = this.#parts.keeper.leases().filter(isKept);
    if (kept === undefined) return;
    const { slots, ...status } = this.#parts.keeper.status();
    if (slots.idle > 0 || mayGrow({ slots, ...status })) return;
    await this.#release(kept.ownerKey);
  }

  /** The same for the pod CIDR, which refuses at once. */
  async #giveWayOf(podCidr: PodCidr): Promise<void> {
    const [kept] = podCidr.leases().filter(isKept);
    const { capacity, leased, cooling } = podCidr.status();
    if (kept === undefined || leased + cooling < capacity) return;
    await this.#release(kept.ownerKey);
  }

  async #keep(lease: Lease, ownerKey: OwnerKey): Promise<boolean> {
    const keptUntilMs = Date.now() + KEEP_MS;
    const { recipe } = lease;
    const attachment = { ...attachmentOf(lease), keptUntilMs };
    const attach = () => ({ recipe, attachment });
    return await this.#pass(lease, ownerKey, attach) !== undefined;
  }

  /** A successor of the same name has the address that its predecessor had. */
  async #takeOver(
    { wantsEni, ...pod }: AddressWish,
    signal: AbortSignal,
  ): Promise<Lease | undefined> {
    const { enis, podCidr } = this.#parts;
    const key = keeperKey(pod);
    const kept = this.#all().find(({ ownerKey }) => ownerKey === key);
    if (kept === undefined || wantsEni || pod.keepsAddress !== true) {
      return undefined;
    }
    if (podCidr?.lease(kept.ownerKey) === undefined) {
      await this.#untilSetUp(kept.eniId, signal);
    }
    signal.throwIfAborted();
    const attach = ({ ip, grant }: Passed) =>
      podCidr !== undefined && grant === undefined
        ? vpcAttachment(pod, ip, this.#vpcPods(podCidr))
        : attachmentFor(pod, requireGrant(grant), enis);
    return await this.#pass(kept, ownerKey(pod.owner), attach);
  }

  /** After a start the kernel gets its ENIs back one after another. */
  async #untilSetUp(eniId: string, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + SET_UP_MS;
    while (this.#parts.enis.attached(eniId) === undefined) {
      if (signal.aborted || performance.now() > endMs) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Passes a lease on, whoever lends it; nothing where that can't be. */
  async #pass(
    { ownerKey: from, ip, ip6 }: Lease,
    ownerKey: OwnerKey,
    attach: (passed: Passed) => { recipe: string; attachment: unknown },
  ): Promise<Lease | undefined> {
    const { keeper, podCidr } = this.#parts;
    const wish = { ownerKey, from };
    try {
      if (podCidr?.lease(from) !== undefined) {
        return podCidr.recover({ ...wish, ip, attach: (ip) => attach({ ip }) });
      }
      return await keeper.recover({
        ...wish,
        ips: ip6 === undefined ? [ip] : [ip, ip6],
        attach: (grant) => attach({ ip: grant.ip, grant }),
      }, AbortSignal.timeout(PASS_MS));
    } catch (error) {
      // Its ENI goes, or the disk is full: then it is lent as any other.
      if (error instanceof NotSetUpError) return undefined;
      if (error instanceof PoolError && error.kind !== "broken") {
        return undefined;
      }
      throw error;
    }
  }

  async #release(key: OwnerKey): Promise<Lease | undefined> {
    const { keeper, podCidr, memberPods } = this.#parts;
    if (podCidr?.lease(key) !== undefined) return podCidr.release(key);
    const member = memberPods?.members.release(key);
    if (member !== undefined) return member;
    return await keeper.release(key);
  }

  /** Tells how the pod CIDR is used, in a mode that has one. */
  podCidr(): PodCidrStatus | undefined {
    return this.#parts.podCidr?.status();
  }

  /** Finds an owner's lease. */
  lease(key: OwnerKey): Lease | undefined {
    const { keeper, podCidr, memberPods } = this.#parts;
    return podCidr?.lease(key) ?? memberPods?.members.lease(key) ??
      keeper.lease(key);
  }

  /** Gives the leases of pods, in no order. */
  leases(): readonly Lease[] {
    return this.#all().filter((lease) => !isKept(lease));
  }

  #all(): readonly Lease[] {
    const { keeper, podCidr, memberPods } = this.#parts;
    const ofMembers = memberPods?.members.leases() ?? [];
    return [...podCidr?.leases() ?? [], ...ofMembers, ...keeper.leases()];
  }
}
