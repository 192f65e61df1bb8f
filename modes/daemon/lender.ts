/**
 * Who lends a pod its address: the pool of ENIs, or the node's pod CIDR.
 *
 * @module
 */
import type { LinkOwner } from "../../netns/alias.ts";
import { ownerKey } from "../../netns/attachment.ts";
import type { Ip } from "../../netns/ip.ts";
import type { Recalled } from "../../netns/kernel.ts";
import type { Keeper } from "../../pool/contract.ts";
import type { PodCidr, PodCidrStatus } from "../../pool/pod_cidr.ts";
import type { Lease, OwnerKey } from "../../pool/state.ts";
import {
  asFound,
  attachmentFor,
  DEFAULT_MTU,
  NotSetUpError,
  type PodWish,
  vpcAttachment,
  type VpcPods,
} from "./attached.ts";
import type { NodeEnis } from "./enis.ts";

/** What lends. */
export interface LenderParts {
  /** The pool of ENIs. */
  readonly keeper: Keeper;
  /** The ENIs in the node's kernel. */
  readonly enis: NodeEnis;
  /** The node's pod CIDR, in a mode that has one. */
  readonly podCidr?: PodCidr;
  /** Bytes in a packet of the node's own card; Ethernet's own when absent. */
  readonly uplinkMtu?: number;
}

/** What a pod asks for. */
export interface AddressWish extends PodWish {
  /** Whether it shall have an ENI to itself where others don't. */
  readonly wantsEni: boolean;
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
    const { keeper, enis, podCidr } = this.#parts;
    const { wantsEni, ...pod } = wish;
    const key = ownerKey(pod.owner);
    const earlier = this.lease(key);
    if (earlier !== undefined) return earlier;
    if (podCidr !== undefined && !wantsEni) {
      const attach = (ip: Ip) => vpcAttachment(pod, ip, this.#vpcPods(podCidr));
      return podCidr.claim({ ownerKey: key, attach });
    }
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
   * Ends a lease.
   *
   * @param key Whose.
   * @returns The lease that ended; undefined when there was none.
   * @throws {PoolError} `journal` when it couldn't be written.
   */
  async release(key: OwnerKey): Promise<Lease | undefined> {
    const { keeper, podCidr } = this.#parts;
    if (podCidr?.lease(key) !== undefined) return podCidr.release(key);
    return await keeper.release(key);
  }

  /** Tells how the pod CIDR is used, in a mode that has one. */
  podCidr(): PodCidrStatus | undefined {
    return this.#parts.podCidr?.status();
  }

  /** Finds an owner's lease. */
  lease(key: OwnerKey): Lease | undefined {
    const { keeper, podCidr } = this.#parts;
    return podCidr?.lease(key) ?? keeper.lease(key);
  }

  /** Gives all leases, in no order. */
  leases(): readonly Lease[] {
    const { keeper, podCidr } = this.#parts;
    return [...podCidr?.leases() ?? [], ...keeper.leases()];
  }
}
