/**
 * The leases of pods whose addresses are a member ENI's: the cloud's controller
 * made, assigned and attached it, so nothing is lent here. What is promised is
 * that no address has two owners and each lease survives a crash. They are in
 * the same journal as the cards, under a name of their own.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";
import { type Clock, systemClock } from "./clock.ts";
import { PoolError } from "./error.ts";
import type { Journal } from "./journal.ts";
import { leasedIps } from "./lease.ts";
import { isOfMembers, MEMBERS_KEY, membersRecord } from "./members_record.ts";
import type { Lease, OwnerKey } from "./state.ts";

/** Who gets which member. */
export interface MemberWish {
  /** Who. */
  readonly ownerKey: OwnerKey;
  /** The member's id in the cloud. */
  readonly eniId: string;
  /** Its address; IPv6 for one without IPv4. */
  readonly ip: Ip;
  /** The IPv6 address beside it. */
  readonly ip6?: Ip;
  /** The recipe of what the pod gets. */
  readonly recipe: string;
  /** What the pod gets; survives JSON unchanged. */
  readonly attachment: unknown;
}

/** Keeps the leases. */
export class Members {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #leases = new Map<OwnerKey, Lease>();

  /**
   * Takes up what the journal says.
   *
   * @param journal Remembers.
   * @param clock `systemClock()` unless told.
   * @throws {PoolError} `journal` when it can't be read.
   */
  constructor(journal: Journal, clock: Clock = systemClock()) {
    this.#journal = journal;
    this.#clock = clock;
    for (const lease of journal.load().leases.filter(isOfMembers)) {
      this.#leases.set(lease.ownerKey, lease);
    }
  }

  /**
   * Writes down who has a member; an owner that has one gets the same again.
   *
   * @param wish Who, and what it gets.
   * @returns The lease, which the journal holds.
   * @throws {PoolError} `full` while an earlier owner has the address;
   * `journal` when it can't be written.
   */
  claim(wish: MemberWish): Lease {
    const earlier = this.#leases.get(wish.ownerKey);
    if (earlier !== undefined) return earlier;
    const lease: Lease = {
      ...wish,
      eniKey: MEMBERS_KEY,
      atMs: this.#clock.nowMs(),
    };
    const ips = leasedIps(lease);
    for (const other of this.#leases.values()) {
      const taken = leasedIps(other).find((ip) => ips.includes(ip));
      if (taken !== undefined) throw held(taken, lease, other);
    }
    this.#journal.commit({
      gone: { enis: [], slots: [], leases: [] },
      put: {
        enis: [membersRecord()],
        slots: ips.map((ip) => ({
          ...{ eniKey: MEMBERS_KEY, ip, kind: "leased", atMs: 0 } as const,
        })),
        leases: [lease],
      },
    });
    this.#leases.set(lease.ownerKey, lease);
    return lease;
  }

  /**
   * Ends a lease: its addresses are the controller's again.
   *
   * @param ownerKey Whose.
   * @returns The lease that ended; undefined when there was none.
   * @throws {PoolError} `journal` when it can't be written: the lease is in
   * force then.
   */
  release(ownerKey: OwnerKey): Lease | undefined {
    const lease = this.#leases.get(ownerKey);
    if (lease === undefined) return undefined;
    const slots = leasedIps(lease).map((ip) => ({ eniKey: MEMBERS_KEY, ip }));
    this.#journal.commit({
      gone: { enis: [], slots, leases: [ownerKey] },
      put: { enis: [], slots: [], leases: [] },
    });
    this.#leases.delete(ownerKey);
    return lease;
  }

  /** Finds an owner's lease. */
  lease(ownerKey: OwnerKey): Lease | undefined {
    return this.#leases.get(ownerKey);
  }

  /** Gives all leases, in no order. */
  leases(): readonly Lease[] {
    return [...this.#leases.values()];
  }
}

function held(ip: Ip, { ownerKey }: Lease, other: Lease): PoolError {
  return new PoolError(
    "full",
    `Cannot give ${ip} to ${ownerKey} as ${other.ownerKey} has it still: it ` +
      "can be had once that sandbox is gone",
  );
}
