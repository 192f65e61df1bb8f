/**
 * The addresses of a node's pod CIDR, which VPC routes lead to: no card and no
 * cloud is needed for them, only that none has two owners and each survives a
 * crash. They are in the same journal as the cards, under a name of their own.
 *
 * @module
 */
import {
  addressAt,
  type Cidr,
  contains,
  type Ip,
  parseCidr,
} from "../netns/ip.ts";
import { type Clock, systemClock } from "./clock.ts";
import { PoolError } from "./error.ts";
import type { Journal } from "./journal.ts";
import { COOLING_MS } from "./limits.ts";
import { isOfPodCidr, POD_CIDR_KEY, podCidrRecord } from "./pod_cidr_record.ts";
import type { Lease, OwnerKey } from "./state.ts";

/** What an allocator works with. */
export interface PodCidrOptions {
  /** The node's prefix, as its Node object's `spec.podCIDR` has it. */
  readonly cidr: Cidr;
  /** Remembers. */
  readonly journal: Journal;
  /** `systemClock()` unless told. */
  readonly clock?: Clock;
}

/** Who wants an address, and what the pod gets with it. */
export interface PodCidrWish {
  /** For whom. */
  readonly ownerKey: OwnerKey;
  /** Says what the pod gets; called once at most, and must be quick. */
  readonly attach: (
    ip: Ip,
  ) => { readonly recipe: string; readonly attachment: unknown };
}

/** How a prefix is used, for people. */
export interface PodCidrStatus {
  /** The prefix. */
  readonly cidr: Cidr;
  /** Addresses that pods may have. */
  readonly capacity: number;
  /** Addresses that pods have. */
  readonly leased: number;
  /** Addresses that rest after a release. */
  readonly cooling: number;
}

/** Lends the addresses of a node's pod CIDR. */
export class PodCidr {
  /** The prefix. */
  readonly cidr: Cidr;
  readonly #capacity: number;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #leases = new Map<OwnerKey, Lease>();
  readonly #taken = new Map<Ip, OwnerKey>();
  /** Until when released addresses rest. */
  readonly #cooling = new Map<Ip, number>();
  /** Addresses are given in a circle: the one that rested longest is next. */
  #next = 0;

  /**
   * Takes up what the journal says.
   *
   * @param options The prefix and the journal.
   * @throws {PoolError} `journal` when it can't be read or written, or holds
   * leases of another prefix.
   */
  constructor(options: PodCidrOptions) {
    const { cidr, journal } = options;
    this.cidr = cidr;
    this.#capacity = podCidrCapacity(cidr);
    this.#journal = journal;
    this.#clock = options.clock ?? systemClock();
    const nowMs = this.#clock.nowMs();
    const snapshot = journal.load();
    for (const lease of snapshot.leases.filter(isOfPodCidr)) {
      if (!contains(cidr, lease.ip)) throw moved(cidr, lease);
      this.#leases.set(lease.ownerKey, lease);
      this.#taken.set(lease.ip, lease.ownerKey);
    }
    const stale: Ip[] = [];
    for (const { ip, kind, atMs } of snapshot.slots.filter(isOfPodCidr)) {
      if (kind !== "cooling") continue;
      if (contains(cidr, ip)) {
        this.#cooling.set(ip, Math.min(atMs, nowMs + COOLING_MS));
      } else stale.push(ip);
    }
    this.#commit({ slots: [], gone: stale });
  }

  /**
   * Lends an address; an owner that has one gets the same again.
   *
   * @param wish For whom, and what it gets.
   * @returns The lease, which the journal holds.
   * @throws {PoolError} `full` when all addresses are taken or rest;
   * `journal` when it can't be written.
   */
  claim(wish: PodCidrWish): Lease {
    const { ownerKey, attach } = wish;
    const earlier = this.#leases.get(ownerKey);
    if (earlier !== undefined) return earlier;
    const ip = this.#free();
    if (ip === undefined) throw this.#full(ownerKey);
    const lease = this.#lease(ownerKey, ip, attach(ip));
    this.#commit({ slots: [{ ip, kind: "leased" }], lease });
    this.#take(lease);
    return lease;
  }

  /**
   * Ends a lease; its address rests.
   *
   * @param ownerKey Whose.
   * @returns The lease that ended; undefined when there was none.
   * @throws {PoolError} `journal` when it can't be written: the lease is in
   * force then.
   */
  release(ownerKey: OwnerKey): Lease | undefined {
    const lease = this.#leases.get(ownerKey);
    if (lease === undefined) return undefined;
    const { ip } = lease;
    const untilMs = this.#clock.nowMs() + COOLING_MS;
    this.#commit({
      slots: [{ ip, kind: "cooling", atMs: untilMs }],
      ended: ownerKey,
    });
    this.#leases.delete(ownerKey);
    this.#taken.delete(ip);
    this.#cooling.set(ip, untilMs);
    return lease;
  }

  /**
   * Takes up a lease that a lost journal knew; or, with `from`, that owner's.
   *
   * @param found What the kernel says.
   * @returns The lease; undefined when the address is another's or not of this
   * prefix.
   * @throws {PoolError} `journal` when it can't be written.
   */
  recover(
    found: PodCidrWish & { readonly ip: Ip; readonly from?: OwnerKey },
  ): Lease | undefined {
    const { ownerKey, ip, from, attach } = found;
    const earlier = this.#leases.get(ownerKey);
    if (earlier !== undefined) return earlier;
    const isFree = this.#taken.get(ip) === from;
    if (!contains(this.cidr, ip) || !isFree) return undefined;
    const lease = this.#lease(ownerKey, ip, attach(ip));
    const ended = from === undefined ? {} : { ended: from };
    this.#commit({ slots: [{ ip, kind: "leased" }], lease, ...ended });
    if (from !== undefined) this.#leases.delete(from);
    this.#take(lease);
    return lease;
  }

  /**
   * Tells whether an address is of this prefix.
   *
   * @param ip The address.
   * @returns Whether it is.
   */
  holds(ip: Ip): boolean {
    return contains(this.cidr, ip);
  }

  /** Finds an owner's lease. */
  lease(ownerKey: OwnerKey): Lease | undefined {
    return this.#leases.get(ownerKey);
  }

  /** Gives all leases, in no order. */
  leases(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  /** Tells how the prefix is used. */
  status(): PodCidrStatus {
    const nowMs = this.#clock.nowMs();
    let cooling = 0;
    for (const untilMs of this.#cooling.values()) {
      if (untilMs > nowMs) cooling++;
    }
    return {
      cidr: this.cidr,
      capacity: this.#capacity,
      leased: this.#leases.size,
      cooling,
    };
  }

  #lease(
    ownerKey: OwnerKey,
    ip: Ip,
    made: ReturnType<PodCidrWish["attach"]>,
  ): Lease {
    const atMs = this.#clock.nowMs();
    const eniKey = POD_CIDR_KEY;
    return { ownerKey, eniKey, eniId: POD_CIDR_KEY, ip, ...made, atMs };
  }

  #take(lease: Lease): void {
    this.#leases.set(lease.ownerKey, lease);
    this.#taken.set(lease.ip, lease.ownerKey);
    this.#cooling.delete(lease.ip);
  }

  #free(): Ip | undefined {
    const nowMs = this.#clock.nowMs();
    for (let tried = 0; tried < this.#capacity; tried++) {
      const place = (this.#next + tried) % this.#capacity;
      const ip = addressAt(this.cidr, FIRST + place);
      if (this.#taken.has(ip) || (this.#cooling.get(ip) ?? 0) > nowMs) continue;
      this.#next = (place + 1) % this.#capacity;
      return ip;
    }
    return undefined;
  }

  #commit(change: {
    slots: readonly { ip: Ip; kind: "leased" | "cooling"; atMs?: number }[];
    gone?: readonly Ip[];
    lease?: Lease;
    ended?: OwnerKey;
  }): void {
    const { slots, gone = [], lease, ended } = change;
    const eniKey = POD_CIDR_KEY;
    this.#journal.commit({
      gone: {
        enis: [],
        slots: gone.map((ip) => ({ eniKey, ip })),
        leases: ended === undefined ? [] : [ended],
      },
      put: {
        enis: [podCidrRecord(this.cidr)],
        slots: slots.map(({ ip, kind, atMs = 0 }) => ({
          ...{ eniKey, ip, kind, atMs },
        })),
        leases: lease === undefined ? [] : [lease],
      },
    });
  }

  #full(ownerKey: OwnerKey): PoolError {
    const { cidr, capacity, leased, cooling } = this.status();
    return new PoolError(
      "full",
      `Cannot lease an address to ${ownerKey} as ${leased} of ${capacity} ` +
        `addresses of this node's pod CIDR ${cidr} are leased and ${cooling} ` +
        "rest for at most 30 s: run fewer pods here, or give nodes a larger " +
        "prefix",
    );
  }
}

/** The network's own address and, as host-local has it, the gateway's go first. */
const FIRST = 2;

/**
 * Counts the addresses of a node's pod CIDR that pods may have.
 *
 * @param cidr The prefix.
 * @returns How many, 5 or more.
 * @throws {PoolError} `broken` when it isn't an IPv4 prefix of 8 to 29 bits.
 */
export function podCidrCapacity(cidr: Cidr): number {
  const { family, length } = parseCidr(cidr);
  if (family !== 4 || length < 8 || length > 29) {
    throw new PoolError(
      "broken",
      `Cannot lend addresses of the pod CIDR ${cidr} as it must be an IPv4 prefix of 8 to 29 bits`,
    );
  }
  // The last is the broadcast address.
  return 2 ** (32 - length) - FIRST - 1;
}

function moved(cidr: Cidr, { ip, ownerKey }: Lease): PoolError {
  return new PoolError(
    "journal",
    `Cannot lend addresses of ${cidr} as ${ownerKey} has ${ip}, of another pod CIDR: drain the node (kubectl drain) before its pod CIDR changes`,
  );
}
