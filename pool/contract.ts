/**
 * What the daemon gives to the pool, asks of it, and reads.
 *
 * @module
 */
import type { Cidr, Ip } from "../netns/ip.ts";
import type { Clock } from "./clock.ts";
import type { Cloud } from "./cloud.ts";
import type { Health } from "./health.ts";
import type { Journal } from "./journal.ts";
import type { PoolLimits } from "./limits.ts";
import type { PoolNews, Reason } from "./news.ts";
import type { CallKind, Problem } from "./event.ts";
import type { EniPhase, Lease, OwnerKey, Slot } from "./state.ts";
import type { TrunkStatus } from "./trunk.ts";

/** A card, as the kernel side needs it. */
export interface HostEni {
  /** The cloud's id. */
  readonly id: string;
  /** By which it is found in the kernel; lower case, with colons. */
  readonly mac: string;
  /** The address that lives and dies with it. */
  readonly primaryIp: Ip;
  /** Its vSwitch. */
  readonly vSwitchId: string;
  /** The prefix of its vSwitch. */
  readonly subnet: Cidr;
  /** The IPv6 prefix of its vSwitch, where pods have IPv6. */
  readonly subnet6?: Cidr;
  /** Its zone. */
  readonly zone: string;
}

/** An address that is about to be leased. */
export interface Grant {
  /** To whom. */
  readonly ownerKey: OwnerKey;
  /** The address; IPv6 for a pod without IPv4. */
  readonly ip: Ip;
  /** The IPv6 address beside it. */
  readonly ip6?: Ip;
  /** Its card, which is set up in the kernel. */
  readonly eni: HostEni;
}

/** What a caller wants. */
export interface ClaimWish {
  /** For whom; see `ownerKey` of an attachment. */
  readonly ownerKey: OwnerKey;
  /**
   * Says what the pod gets, from the address it was given. It is written with
   * the lease, before anybody sees it. Called once at most, while the pool
   * holds its breath: it must be quick, must not wait and should not throw.
   */
  readonly attach: (
    grant: Grant,
  ) => { readonly recipe: string; readonly attachment: unknown };
}

/** A lease that the kernel speaks of and the journal doesn't. */
export interface LostAndFound {
  /** Whose. */
  readonly ownerKey: OwnerKey;
  /** Its addresses: one, or one a family with the IPv4 one first. */
  readonly ips: readonly Ip[];
  /** Who holds them, when this is no lost lease: they pass in one commit. */
  readonly from?: OwnerKey;
  /** What the pod has, from the card that carries the address. */
  readonly attach: ClaimWish["attach"];
}

/** The kernel side of a card, which belongs to the daemon. Both are repeated. */
export interface PoolHost {
  /** Waits for the link and sets it up; quick when that was done before. */
  prepare(eni: HostEni, signal: AbortSignal): Promise<void>;
  /** Undoes that; resolves also when the link is gone or was never set up. */
  retire(eni: HostEni, signal: AbortSignal): Promise<void>;
  /**
   * Tells whether anything on this host still uses an address: a route, a rule
   * or a live namespace. Without it, quarantined addresses stay quarantined.
   */
  speaksFor?(ip: Ip, signal: AbortSignal): Promise<boolean>;
}

/** What a pool is told once. */
export interface PoolConfig {
  /** The cloud's id of this node's instance. */
  readonly instanceId: string;
  /** Names the cluster in the tags of what is made. */
  readonly clusterId: string;
  /** The MAC of the primary card, which serves no pods. */
  readonly primaryMac: string;
  /** Of new cards, 1 to 5. */
  readonly securityGroupIds: readonly string[];
  /** Of new cards, beside those by which we know them. */
  readonly eniTags?: Readonly<Record<string, string>>;
  /** Of new cards; the account's default when absent. */
  readonly resourceGroupId?: string;
  /** Others' cards on this instance that pods may use; none unless told. */
  readonly adopt?: {
    /** Those that bear all of these tags; none when there are no tags. */
    readonly tags?: Readonly<Record<string, string>>;
    /** Those with one of these MACs; in lower case, with colons. */
    readonly macs?: readonly string[];
  };
  /** A card that bears one of these tags is never used, ours included. */
  readonly blockTags?: readonly {
    readonly key: string;
    readonly value: string;
  }[];
}

/** What changes while a pool runs; what is absent stays as it is. */
export interface Reconfiguration {
  /** How much it may hold, the vSwitches included. */
  readonly limits?: PoolLimits;
  /** Of all cards that we make or made, 1 to 5. */
  readonly securityGroupIds?: readonly string[];
  /** Of new cards, beside those by which we know them. */
  readonly eniTags?: Readonly<Record<string, string>>;
  /** Of new cards; an empty text is the account's default. */
  readonly resourceGroupId?: string;
}

/** All that a keeper works with; time, chance and tokens included. */
export interface KeeperOptions {
  /** Lends cards and addresses. */
  readonly cloud: Cloud;
  /** Remembers; whoever opened it closes it, after the keeper stopped. */
  readonly journal: Journal;
  /** Who and where this pool is. */
  readonly config: PoolConfig;
  /** How much it may hold. */
  readonly limits: PoolLimits;
  /** The kernel side. */
  readonly host: PoolHost;
  /** `systemClock()` unless told. */
  readonly clock?: Clock;
  /** From 0 to below 1; `Math.random` unless told. */
  readonly chance?: () => number;
  /** Unique texts of at most 64 ASCII characters; UUIDs unless told. */
  readonly token?: () => string;
  /** Hears what happened, after it is in the journal; must not throw. */
  readonly onNews?: (news: PoolNews) => void;
}

/** A card, for people. */
export interface EniStatus {
  /** Its name in the pool: the token that made it. */
  readonly key: string;
  /** Whether somebody else made it. */
  readonly isAdopted: boolean;
  /** The cloud's id, once it exists. */
  readonly id: string | undefined;
  /** Its MAC, once it exists. */
  readonly mac: string | undefined;
  /** Set for a trunk. */
  readonly isTrunk?: boolean;
  /** Where it is in its life. */
  readonly phase: EniPhase;
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Its vSwitch. */
  readonly vSwitchId: string;
  /** Its addresses by kind; of IPv4, unless pods have IPv6 alone. */
  readonly slots: Readonly<Record<SlotKind, number>>;
  /** Its IPv6 addresses by kind, where pods have both. */
  readonly slots6?: Readonly<Record<SlotKind, number>>;
  /** Its prefixes, whose addresses are in `slots`; absent without any. */
  readonly prefixes?: readonly Cidr[];
  /** The security groups that we last put it into; none while that isn't known. */
  readonly securityGroupIds: readonly string[];
  /** Addresses under way. */
  readonly assigning: number;
  /** Why its last call failed, until one succeeds. */
  readonly problem: Problem | undefined;
  /** Since when the cloud doesn't show it, or shows it apart from this node. */
  readonly goneSinceMs: number | undefined;
}

/** A card without a record, for people. */
export interface OrphanStatus {
  /** The cloud's id. */
  readonly eniId: string;
  /** When it was first seen. */
  readonly sinceMs: number;
  /** When it is deleted, unless that changes. */
  readonly purgeFromMs: number;
}

/** A lease that the cloud has lost, for people. */
export interface LostLease {
  /** Whose. */
  readonly ownerKey: OwnerKey;
  /** The address. */
  readonly ip: Ip;
  /** The card. */
  readonly eniId: string;
  /** Since when. */
  readonly sinceMs: number;
}

/** How often an API may be called in a minute, for people. */
export interface BudgetStatus {
  /** The cloud's name of the API. */
  readonly api: string;
  /** Calls in this minute. */
  readonly used: number;
  /** As many may be made in it. */
  readonly most: number;
}

/** A card that makes way for one where there are addresses, for people. */
export interface ExchangeStatus {
  /** The card; nothing of it is leased any more. */
  readonly eniId: string;
  /** Its vSwitch, which ran dry. */
  readonly vSwitchId: string;
  /** Where the next card is made. */
  readonly targetVSwitchId: string;
  /** Who holds it: it goes when they have gone. */
  readonly ownerKeys: readonly OwnerKey[];
}

/** How the cloud answers, for people; see `Health`. */
export interface HealthStatus {
  /** `whole`, or what is left undone. */
  readonly level: Health["level"];
  /** Since when no call was answered. */
  readonly awayMs?: number;
  /** Since when all calls are answered again. */
  readonly backMs?: number;
  /** The last failure while it was away. */
  readonly problem?: Problem;
}

/** How an address is used. */
export type SlotKind = Slot["kind"];

/** A claim that waits, for people. */
export interface ClaimStatus {
  /** Who waits. */
  readonly ownerKey: OwnerKey;
  /** Since when. */
  readonly atMs: number;
  /** Why. */
  readonly reason: Reason;
}

/** The whole pool, for people; plain data. */
export interface PoolStatus {
  /** When this was true. */
  readonly nowMs: number;
  /** Whether it serves, only empties itself, or has ended. */
  readonly mode: "new" | "starting" | "serving" | "draining" | "stopped";
  /** Addresses that pods may have: cards times addresses a card. */
  readonly capacity: number;
  /** The bounds in force. */
  readonly limits: PoolLimits;
  /** Addresses of all cards by kind; of IPv4, unless pods have IPv6 alone. */
  readonly slots: Readonly<Record<SlotKind, number>>;
  /** IPv6 addresses of all cards by kind, where pods have both. */
  readonly slots6?: Readonly<Record<SlotKind, number>>;
  /** Cards, oldest first. */
  readonly enis: readonly EniStatus[];
  /** Secondary cards of this instance that aren't ours, or that we don't know. */
  readonly foreignEniIds: readonly string[];
  /** Cards that are ours by their tags, loose and without a record. */
  readonly orphans: readonly OrphanStatus[];
  /** Leases that the cloud has lost: changed behind our back. */
  readonly lost: readonly LostLease[];
  /** Claims that wait, first come first. */
  readonly claims: readonly ClaimStatus[];
  /** Calls in flight. */
  readonly calls: readonly {
    readonly kind: CallKind;
    readonly startedMs: number;
  }[];
  /** Set while the cloud allows no further card. */
  readonly full:
    | { readonly untilMs: number; readonly problem: Problem }
    | undefined;
  /** vSwitches that are held back. */
  readonly rests: readonly {
    readonly vSwitchId: string;
    readonly untilMs: number;
    readonly atMost: number;
  }[];
  /** Where new cards may be made, and how many addresses a survey saw there. */
  readonly vSwitches: readonly {
    readonly id: string;
    readonly cidr: Cidr;
    readonly cidr6?: Cidr;
    readonly ipCount?: number;
  }[];
  /** Calls of this minute, by API. */
  readonly budgets: readonly BudgetStatus[];
  /** A card that makes way for another, while pods wait for that. */
  readonly exchange: ExchangeStatus | undefined;
  /** The trunk, where one is wanted or there. */
  readonly trunk?: TrunkStatus;
  /** Whether the cloud answers, and what is left undone while it doesn't. */
  readonly health: HealthStatus;
  /** APIs that are held back. */
  readonly gates: readonly {
    readonly call: CallKind;
    readonly notBeforeMs: number;
    readonly problem: Problem;
  }[];
}

/** The pool of one node. */
export interface Keeper extends AsyncDisposable {
  /**
   * Takes up the work: what the journal says is in force at once, so that
   * `lease`, `release` and `claim` may be called right after. Open intents are
   * finished or undone by and by.
   *
   * @param signal Ends the wait, not the work.
   * @returns When the cloud has told which cards there are.
   * @throws {PoolError} `timeout` when the signal ended first; `closing` when
   * the keeper stopped; `broken` when the journal can't be true.
   */
  start(signal: AbortSignal): Promise<void>;
  /**
   * Gives an owner an address, at once or when there is one. An owner that has
   * one gets the same lease again, and `attach` isn't called.
   *
   * @param wish For whom, and what it gets.
   * @param signal Its end cancels the claim; an address that is granted in the
   * same moment cools down.
   * @returns The lease, which the journal holds.
   * @throws {PoolError} `timeout`, `cancelled`, `full`, `overloaded`,
   * `closing`, `journal` or `broken`; the message says why no address came,
   * and when the pool tries again.
   */
  claim(wish: ClaimWish, signal: AbortSignal): Promise<Lease>;
  /**
   * Ends a lease; its address cools. A claim of the same owner that still
   * waits is cancelled.
   *
   * @param ownerKey Whose.
   * @returns The lease that ended, once the journal has forgotten it;
   * undefined when there was none.
   * @throws {PoolError} `journal` when it couldn't be written: the lease is
   * still in force then.
   */
  release(ownerKey: OwnerKey): Promise<Lease | undefined>;
  /**
   * Takes up a lease that a lost journal knew. Its addresses must be in
   * quarantine, as all are on a card that was found and not made; one that
   * isn't is left out. With `from` it takes over another owner's lease.
   *
   * @param found What the kernel says.
   * @param signal Ends the wait for the journal.
   * @returns The lease; undefined when no address is in quarantine, or they are
   * on no card of the pool.
   * @throws {PoolError} `timeout` when the signal ended first; `closing` when
   * the keeper stopped.
   */
  recover(found: LostAndFound, signal: AbortSignal): Promise<Lease | undefined>;
  /** Finds an owner's lease. */
  lease(ownerKey: OwnerKey): Lease | undefined;
  /** Gives all leases, in no order. */
  leases(): readonly Lease[];
  /**
   * Takes up other settings at once: what is planned from here on goes by
   * them, and calls that run go on. See `reconfigure.ts` for what may change.
   *
   * @param change What shall be.
   * @throws {RangeError} When a setting is out of bounds: all stay as they are.
   * @throws {PoolError} `closing` when the keeper stopped.
   */
  reconfigure(change: Reconfiguration): void;
  /** Tells how the pool is. */
  status(): PoolStatus;
  /**
   * Empties the pool: nothing is leased any more, and every card that we made
   * is detached and deleted, cooling ignored. A card with leases is never
   * taken from under its pods: it goes when the last one is released.
   *
   * There is no way back but a new keeper. A trunk goes when no member is left.
   *
   * @param signal Ends the wait; the pool stays closed to claims.
   * @returns When nothing of ours is left in cloud and journal.
   * @throws {PoolError} `timeout` when the signal ended first, naming what is
   * left; `closing` when the keeper stopped.
   */
  drain(signal: AbortSignal): Promise<void>;
  /**
   * Stops: waiting claims fail with `closing`, calls in flight are aborted
   * (their intents are in the journal), nothing is released.
   *
   * @returns When no call is in flight.
   */
  stop(): Promise<void>;
}
