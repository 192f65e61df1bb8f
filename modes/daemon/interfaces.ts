/**
 * Several interfaces that one ADD makes: each has a lease and a plan of its
 * own, by its own name, but they come and go together. The interface that the
 * runtime named is the first; those beside it say in their records whose ADD
 * made them.
 *
 * @module
 */
import {
  type Attachment,
  type Owner,
  ownerKey,
} from "../../netns/attachment.ts";
import type { Plan } from "../../netns/step.ts";
import type { Lease } from "../../pool/state.ts";
import { attachmentOf } from "./attached.ts";
import type { AddressWish, Lender } from "./lender.ts";

/** What an ADD did. */
export interface Added {
  /** What the pod has, the interface that was asked for first. */
  readonly attachments: readonly Attachment[];
  /** How the kernel was set up for each of them. */
  readonly plans: readonly Plan[];
  /** To be called once the caller has its answer. */
  readonly heard: () => void;
  /**
   * To be called when no caller can have it: takes everything back, unless
   * another ADD of this owner has been answered since, or was before.
   */
  readonly undo: () => Promise<void>;
}

/**
 * Finds what the ADD of an owner made beside its own interface.
 *
 * @param leases All leases.
 * @param owner Whose ADD.
 * @returns In the order of their names.
 */
export function besidesOf(
  leases: readonly Lease[],
  { network, containerId, ifName }: Owner,
): readonly Attachment[] {
  return leases.map(attachmentOf).filter(({ owner, beside }) =>
    beside === ifName && owner.containerId === containerId &&
    owner.network === network
  ).sort((a, b) => a.owner.ifName < b.owner.ifName ? -1 : 1);
}

/**
 * Leases for all of an ADD's interfaces, or for none. They are asked for at
 * once: what is ready is written in one commit.
 *
 * @param lender Who lends.
 * @param wishes What each interface asks for, the first one's first.
 * @param signal Ends the wait for the cloud.
 * @returns The leases, in the same order.
 * @throws {PoolError} As {@linkcode Lender.claim} does; what the others got is
 * given back.
 */
export async function claimAll(
  lender: Pick<Lender, "claim" | "lease" | "release">,
  wishes: readonly AddressWish[],
  signal: AbortSignal,
): Promise<readonly Lease[]> {
  const isNew = wishes.map(({ owner }) =>
    lender.lease(ownerKey(owner)) === undefined
  );
  // One that can't be had ends the wait for the others.
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const claims = await Promise.allSettled(wishes.map(async (wish) => {
    try {
      return await lender.claim(wish, either);
    } catch (error) {
      ended.abort(error);
      throw error;
    }
  }));
  if (!ended.signal.aborted) {
    return claims.flatMap((one) => one.status === "fulfilled" ? one.value : []);
  }
  for (const [at, one] of claims.entries()) {
    if (one.status !== "fulfilled" || !isNew[at]) continue;
    // What can't be given back now goes by the DEL that follows a failed ADD.
    await lender.release(one.value.ownerKey).catch(() => {});
  }
  throw ended.signal.reason;
}

/**
 * Joins plans for one pod, to be made all or not at all.
 *
 * @param plans At least one; all of one namespace.
 * @returns Their steps, one plan's after another's.
 */
export function joined(plans: readonly Plan[]): Plan {
  const netns = plans[0]?.netns;
  return {
    ...netns !== undefined && { netns },
    steps: plans.flatMap(({ steps }) => steps),
  };
}

/** Attachments that somebody still needs. */
export interface StillValid {
  /** The network's name. */
  readonly network: string;
  /** Who stays; an empty name is all of a sandbox. */
  readonly valid: readonly {
    readonly containerID: string;
    readonly ifname: string;
  }[];
  /** When it was written down, if it was: who came later isn't on it. */
  readonly writtenMs?: number;
}

/**
 * Finds the owners of a network that aren't on a list. What stands beside an
 * interface that stays, stays: a runtime knows the first by name only.
 *
 * @param leases All leases.
 * @param list Who stays.
 * @returns Who goes.
 */
export function staleOf(
  leases: readonly Lease[],
  { network, valid, writtenMs = Infinity }: StillValid,
): readonly Owner[] {
  const stays = ({ owner, beside = owner.ifName }: Attachment): boolean =>
    valid.some((one) =>
      one.containerID === owner.containerId &&
      (one.ifname === "" || one.ifname === beside ||
        one.ifname === owner.ifName)
    );
  return leases.filter((lease) => lease.atMs < writtenMs).map(attachmentOf)
    .filter((one) => one.owner.network === network && !stays(one))
    .map(({ owner }) => owner);
}
