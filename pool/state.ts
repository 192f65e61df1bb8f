/**
 * The pool's state: immutable plain data, all that `plan` looks at.
 *
 * A card of ours walks through its phases, each of which has exactly one next
 * action; what a crash can interrupt is on both sides of a phase:
 *
 * ```text
 *             create          attach           (polled)      prepare
 *   creating ───────► created ───────► attaching ──────► preparing ──────► ready
 *      │ refused                                                            │
 *      ▼                                                            retire  ▼
 *     gone ◄──────── deleting ◄──────── detaching ◄────── retired ◄────── retiring
 *             delete          (polled)            detach           (kernel side undone)
 * ```
 *
 * `seeking` is beside it: a card whose creation was refused after an attempt
 * without a known end. It is closed when a survey proves that nothing was made.
 *
 * @module
 */
import type { Cidr, Family, Ip } from "../netns/ip.ts";
import { type Spent, UNSPENT } from "./budget.ts";
import type { CallKind, OpenCall, Problem } from "./event.ts";
import { invariant } from "./error.ts";
import type { IpStack } from "./family.ts";
import { type Health, WHOLE } from "./health.ts";
import type { Sight } from "./sight.ts";
import { type TrunkSight, UNSEEN } from "./trunk_sight.ts";

/** Who holds a lease: network, container id and interface name as one text. */
export type OwnerKey = string;

/** A card in the pool: the token that made it, or an adopted one's cloud id. */
export type EniKey = string;

/** Where a card is in its life; see this module's drawing. */
export type EniPhase =
  | "creating"
  | "seeking"
  | "created"
  | "attaching"
  | "preparing"
  | "ready"
  | "retiring"
  | "retired"
  | "detaching"
  | "deleting";

/** Phases from which a card comes into service. */
export const JOINING: ReadonlySet<EniPhase> = new Set<EniPhase>([
  "creating",
  "created",
  "attaching",
  "preparing",
]);

/** Phases from which a card only leaves. */
export const LEAVING: ReadonlySet<EniPhase> = new Set<EniPhase>([
  "seeking",
  "retiring",
  "retired",
  "detaching",
  "deleting",
]);

/**
 * An address on a card.
 *
 * - `idle`: may be leased.
 * - `leased`: an owner has it. `lostMs` since when the cloud doesn't have it on
 *   this card any more, or the card isn't attached, as two looks have shown.
 * - `cooling`: was released a moment ago.
 * - `unassigning`: the cloud was asked to take it back; never leased again.
 *   `unsure` when an attempt has no known end.
 * - `quarantined`: nobody here asked for it, it was lost, or it is held
 *   elsewhere; it is neither leased nor given back until it is proven free.
 */
export type Slot =
  | { readonly kind: "idle"; readonly sinceMs: number }
  | {
    readonly kind: "leased";
    readonly ownerKey: OwnerKey;
    readonly lostMs?: number;
  }
  | { readonly kind: "cooling"; readonly untilMs: number }
  | { readonly kind: "unassigning"; readonly unsure: boolean }
  | { readonly kind: "quarantined"; readonly sinceMs: number };

/** A card that shall be made; kept, since a repeated call must be the same. */
export interface EniIntent {
  /** Where its addresses come from. */
  readonly vSwitchId: string;
  /** The prefix of that vSwitch. */
  readonly subnet: Cidr;
  /** IPv4 addresses, the primary one included. */
  readonly ipCount: number;
  /** IPv4 prefixes beside them; none when absent. */
  readonly prefixCount?: number;
  /** IPv6 prefixes; none when absent. */
  readonly prefix6Count?: number;
  /** IPv6 addresses; none when absent. */
  readonly ip6Count?: number;
  /** The IPv6 prefix of that vSwitch, when pods have IPv6 and it has. */
  readonly subnet6?: Cidr;
  /** Set for a trunk. */
  readonly trunk?: boolean;
  /** Its security groups; none while it isn't known which it is in. */
  readonly securityGroupIds: readonly string[];
}

/** What the cloud calls a card once it exists. */
export interface Card {
  /** The cloud's id. */
  readonly id: string;
  /** In lower case, with colons. */
  readonly mac: string;
  /** Its zone. */
  readonly zone: string;
  /** The address that lives and dies with it. */
  readonly primaryIp: Ip;
}

/** Addresses that a card shall get: the call may have been made. */
export interface AssignIntent {
  /** Makes a repeated call give the same addresses. */
  readonly token: string;
  /** How many. */
  readonly count: number;
  /** Whether prefixes are counted. */
  readonly ofPrefixes?: boolean;
  /** Of which family. */
  readonly family: Family;
  /** Whether an attempt has no known end. */
  readonly unsure: boolean;
}

/** A card that we made, are making, or have adopted. */
export interface PooledEni {
  /** Its name in the pool. */
  readonly key: EniKey;
  /** Whether somebody else made it: it is never detached or deleted. */
  readonly isAdopted: boolean;
  /** Where it is in its life. */
  readonly phase: EniPhase;
  /** When that began. */
  readonly sinceMs: number;
  /** How it was asked for. */
  readonly intent: EniIntent;
  /** Whether an attempt to create it has no known end. */
  readonly unsure: boolean;
  /** What the cloud calls it; undefined while it is being created. */
  readonly card: Card | undefined;
  /** Whether it was attached once, as far as is known. */
  readonly wasAttached: boolean;
  /** Its addresses of both families; the primary one comes first. */
  readonly slots: ReadonlyMap<Ip, Slot>;
  /** Its prefixes, whose addresses are in `slots`; absent without any. */
  readonly prefixes?: ReadonlySet<Cidr>;
  /** Addresses under way. */
  readonly assign: AssignIntent | undefined;
  /** No address is asked for before: the cloud said that it is full. */
  readonly assignFromMs: number;
  /** Set while the cloud is known to allow no more IPv6 addresses than this. */
  readonly most6:
    | { readonly count: number; readonly untilMs: number }
    | undefined;
  /** Whether what the next description shows of addresses is all ours. */
  readonly resync: boolean;
  /** Nothing is tried with it before. */
  readonly notBeforeMs: number;
  /** How often its calls failed in a row. */
  readonly failureCount: number;
  /** The last of those failures. */
  readonly problem: Problem | undefined;
  /** When a description first lacked it. */
  readonly missingSinceMs: number | undefined;
  /** What else looks told. */
  readonly sight: Sight;
  /** A description by a call below this number is older than a change of it. */
  readonly changedAtCall: number;
}

/** An address that an owner has. */
export interface Lease {
  /** Who has it. */
  readonly ownerKey: OwnerKey;
  /** The card's name in the pool. */
  readonly eniKey: EniKey;
  /** The card's id in the cloud. */
  readonly eniId: string;
  /** The address; IPv6 for a pod without IPv4. */
  readonly ip: Ip;
  /** The IPv6 address beside it, of the same card. */
  readonly ip6?: Ip;
  /** The recipe by which the kernel was set up, such as `veth/1`. */
  readonly recipe: string;
  /** All that the pod got, as the caller made it; survives JSON unchanged. */
  readonly attachment: unknown;
  /** When it was granted. */
  readonly atMs: number;
}

/** A wish that waits. */
export interface Claim {
  /** Who wants an address. */
  readonly ownerKey: OwnerKey;
  /** Since when. */
  readonly atMs: number;
}

/** An API that refused or failed, and when it may be called again. */
export interface Gate {
  /** Not before this. */
  readonly notBeforeMs: number;
  /** How often it failed in a row; one call at a time until it succeeds. */
  readonly failureCount: number;
  /** Why. */
  readonly problem: Problem;
}

/** A vSwitch that has few addresses left, or none. */
export interface Rest {
  /** Until when that is believed. */
  readonly untilMs: number;
  /** How many may still be asked for in one call; 0 for none. */
  readonly atMost: number;
  /** Whether prefixes were refused: free addresses needn't lie together. */
  readonly ofPrefixes?: boolean;
}

/** The cloud allows no further card. */
export interface Full {
  /** Since when. */
  readonly sinceMs: number;
  /** When it is tried again, unless a card of ours goes before. */
  readonly untilMs: number;
  /** The cloud's answer. */
  readonly problem: Problem;
}

/** All that a pool knows. */
export interface PoolState {
  /** Cards by key, oldest first. */
  readonly enis: ReadonlyMap<EniKey, PooledEni>;
  /** Leases by owner. */
  readonly leases: ReadonlyMap<OwnerKey, Lease>;
  /** Claims that wait, first come first. */
  readonly claims: ReadonlyMap<OwnerKey, Claim>;
  /** Calls that have begun and not ended. */
  readonly calls: ReadonlyMap<number, OpenCall>;
  /** The next call's number. */
  readonly nextCallId: number;
  /** APIs that are held back. */
  readonly gates: ReadonlyMap<CallKind, Gate>;
  /** vSwitches that are held back, by id. */
  readonly rests: ReadonlyMap<string, Rest>;
  /** Set while the cloud allows no further card. */
  readonly full: Full | undefined;
  /** When the cloud last told all cards of this instance. */
  readonly surveyedMs: number | undefined;
  /** When it is asked for them again, if anything is held. */
  readonly surveyFromMs: number;
  /** What the last survey told of vSwitches: how many addresses they have. */
  readonly available: ReadonlyMap<string, number>;
  /** Drawn with the last survey, from 0 to below 1. */
  readonly draw: number;
  /** The families of pods' addresses. */
  readonly stack: IpStack;
  /** What cards of ours shall be in; undefined until the operator said. */
  readonly securityGroupIds: readonly string[] | undefined;
  /** Before, an older call that sets groups may still be on its way. */
  readonly secureFromMs: number;
  /** Cards of ours without a record, and when each was first seen. */
  readonly orphans: ReadonlyMap<string, number>;
  /** Until then one may still appear, though nothing else is held. */
  readonly doubtUntilMs: number;
  /** How often APIs were called in this minute. */
  readonly spent: Spent;
  /** Whether the cloud answers. */
  readonly health: Health;
  /** When a pod last asked. */
  readonly claimedMs: number;
  /** When something was last given back. */
  readonly gaveBackMs: number;
  /** Whether the pool has never held what a warm-up asks for. */
  readonly isCold: boolean;
  /** When the host may be asked again whether quarantined addresses are free. */
  readonly proveFromMs: number;
  /** Secondary cards of this instance that aren't in `enis`. */
  readonly foreignEniIds: readonly string[];
  /** What is seen of the trunk, beside its card. */
  readonly trunk: TrunkSight;
  /** A survey by a call below this number may still show a card that is gone. */
  readonly goneAtCall: number;
  /** Set once and for good when the pool is to be emptied. */
  readonly draining: boolean;
}

/**
 * Gives a pool that knows nothing.
 *
 * @returns The state.
 */
export function emptyState(): PoolState {
  return {
    enis: new Map(),
    leases: new Map(),
    claims: new Map(),
    calls: new Map(),
    nextCallId: 1,
    gates: new Map(),
    rests: new Map(),
    full: undefined,
    surveyedMs: undefined,
    surveyFromMs: 0,
    proveFromMs: 0,
    available: new Map(),
    draw: 0.5,
    stack: "ipv4",
    securityGroupIds: undefined,
    secureFromMs: 0,
    orphans: new Map(),
    doubtUntilMs: 0,
    spent: UNSPENT,
    health: WHOLE,
    claimedMs: 0,
    gaveBackMs: 0,
    isCold: true,
    foreignEniIds: [],
    trunk: UNSEEN,
    goneAtCall: 0,
    draining: false,
  };
}

/**
 * Tells whether a pool that is being emptied is empty.
 *
 * @param state The pool.
 * @returns Whether nothing is left of it.
 */
export function isEmptied(state: PoolState): boolean {
  return state.draining && state.enis.size === 0;
}

/**
 * Gives a copy with one entry set, or taken out.
 *
 * @param map What to copy; its order is kept.
 * @param key Whose entry.
 * @param value What it becomes; undefined takes it out.
 * @returns The copy.
 */
export function withEntry<K, V>(
  map: ReadonlyMap<K, V>,
  key: K,
  value: V | undefined,
): ReadonlyMap<K, V> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

/**
 * Gives a state in which a card has changed.
 *
 * @param state The pool.
 * @param eni The card as it is now.
 * @returns The new state.
 */
export function withEni(state: PoolState, eni: PooledEni): PoolState {
  return { ...state, enis: withEntry(state.enis, eni.key, eni) };
}

/**
 * Finds a card.
 *
 * @param state The pool.
 * @param key Which.
 * @returns The card.
 * @throws {PoolError} `broken` when there is none.
 */
export function eniOf(state: PoolState, key: EniKey): PooledEni {
  const eni = state.enis.get(key);
  invariant(eni !== undefined, `the pool has no card ${key}`);
  return eni;
}

/**
 * Finds a card's id and MAC.
 *
 * @param eni The card.
 * @returns What the cloud calls it.
 * @throws {PoolError} `broken` when it isn't created yet.
 */
export function cardOf(eni: PooledEni): Card {
  invariant(eni.card !== undefined, `card ${eni.key} is still ${eni.phase}`);
  return eni.card;
}
