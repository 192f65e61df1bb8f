/**
 * What the pool tells: domain events for logs, metrics and Kubernetes events.
 * The pool itself never logs.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";
import type { Problem } from "./event.ts";
import type { EniPhase, OwnerKey } from "./state.ts";

/** Why a claim waits, or was refused. */
export interface Reason {
  /**
   * - `starting`: the cloud hasn't yet told which cards there are.
   * - `pending`: addresses are under way.
   * - `cooling`: released addresses rest.
   * - `full`: the cloud allows no further card.
   * - `capacity`: the instance type allows no further address.
   * - `exhausted`: no vSwitch has addresses.
   * - `budget`: this minute's calls of an API are spent.
   * - `throttled`: the cloud asks for fewer calls.
   * - `refused`: the cloud refuses; an operator must act.
   * - `unreachable`: the cloud doesn't answer, or not usefully.
   * - `busy`: as many calls are in flight as may be.
   * - `draining`: the pool is being emptied.
   */
  readonly kind:
    | "starting"
    | "pending"
    | "cooling"
    | "full"
    | "capacity"
    | "exhausted"
    | "budget"
    | "throttled"
    | "refused"
    | "unreachable"
    | "busy"
    | "draining";
  /** A clause with the numbers, such as `every address is leased (30 of 30)`. */
  readonly text: string;
  /** When the pool tries again by itself; undefined when a call is under way. */
  readonly nextMs: number | undefined;
}

/** Something that people and dashboards want to know. */
export type PoolNews =
  /** A card exists in the cloud. */
  | {
    readonly kind: "eniCreated";
    readonly eniId: string;
    readonly mac: string;
    readonly vSwitchId: string;
    readonly ipCount: number;
  }
  /** A card is attached, set up, and serves pods. */
  | {
    readonly kind: "eniReady";
    readonly eniId: string;
    readonly ipCount: number;
  }
  /** A card is on its way out. */
  | { readonly kind: "eniLeaving"; readonly eniId: string }
  /** A card is gone: deleted by us, or away when we looked twice. */
  | {
    readonly kind: "eniGone";
    readonly eniId: string;
    readonly lastPhase: EniPhase;
  }
  /** A card that is ours by its tags is attached nowhere, and has no record. */
  | {
    readonly kind: "orphanFound";
    readonly eniId: string;
    /** When it is deleted, unless that changes. */
    readonly purgeFromMs: number;
  }
  /** … and still was, and is deleted. */
  | { readonly kind: "orphanPurged"; readonly eniId: string }
  /** A card got addresses. */
  | {
    readonly kind: "assigned";
    readonly eniId: string;
    readonly ips: readonly Ip[];
  }
  /** A card gave addresses back. */
  | {
    readonly kind: "unassigned";
    readonly eniId: string;
    readonly ips: readonly Ip[];
  }
  /** Addresses that nobody here asked for were seen on a card of ours. */
  | {
    readonly kind: "quarantined";
    readonly eniId: string;
    readonly ips: readonly Ip[];
  }
  /** A card that the journal didn't know is used from now on. */
  | {
    readonly kind: "eniAdopted";
    readonly eniId: string;
    readonly mac: string;
    /** Whether we made it, and its record was lost. */
    readonly isOwn: boolean;
    readonly ipCount: number;
  }
  /** The cloud has lost what an owner leases, as two looks have shown. */
  | {
    readonly kind: "leaseLost";
    readonly ownerKey: OwnerKey;
    readonly ip: Ip;
    readonly eniId: string;
  }
  /** … and has it again. */
  | {
    readonly kind: "leaseFound";
    readonly ownerKey: OwnerKey;
    readonly ip: Ip;
    readonly eniId: string;
  }
  /** Addresses that nobody leased went from a card behind our back. */
  | {
    readonly kind: "addressesLost";
    readonly eniId: string;
    readonly ips: readonly Ip[];
  }
  /** Nothing speaks for these addresses: they may be leased, or given back. */
  | {
    readonly kind: "proven";
    readonly eniId: string;
    readonly ips: readonly Ip[];
  }
  /** A call failed. One warning line each; `nextStep` says what the pool does. */
  | {
    readonly kind: "callFailed";
    readonly problem: Problem;
    readonly eniId: string | undefined;
    readonly vSwitchId: string | undefined;
    readonly nextStep: string;
  }
  /** A vSwitch has few addresses left (`atMost`) or none (0). */
  | {
    readonly kind: "vSwitchRested";
    readonly vSwitchId: string;
    readonly atMost: number;
    readonly untilMs: number;
  }
  /** The cloud allows no further card. */
  | {
    readonly kind: "full";
    readonly untilMs: number;
    readonly problem: Problem;
  }
  /** Cards may be made again. */
  | { readonly kind: "fullEnded" }
  /** The cloud is away, and so much is left undone. */
  | {
    readonly kind: "degraded";
    readonly level: "noReleases" | "probesOnly";
    /** Since when no call was answered. */
    readonly sinceMs: number;
    readonly problem: Problem;
  }
  /** The cloud has answered for a while: all is done again. */
  | { readonly kind: "cloudBack" }
  /** A claim must wait. */
  | {
    readonly kind: "claimWaiting";
    readonly ownerKey: OwnerKey;
    readonly reason: Reason;
  }
  /** A claim was refused at once: waiting couldn't help. */
  | {
    readonly kind: "claimRefused";
    readonly ownerKey: OwnerKey;
    readonly reason: Reason;
  }
  /** An owner has an address, and the journal says so. */
  | {
    readonly kind: "leased";
    readonly ownerKey: OwnerKey;
    readonly ip: Ip;
    readonly eniId: string;
    readonly waitedMs: number;
  }
  /** An owner gave its address back, and the journal says so. */
  | {
    readonly kind: "released";
    readonly ownerKey: OwnerKey;
    readonly ip: Ip;
    readonly eniId: string;
  }
  /** The journal can't be written; nothing is granted until it can. */
  | { readonly kind: "journalFailed"; readonly message: string }
  /** The journal can be written again. */
  | { readonly kind: "journalBack" }
  /** An invariant is broken: the keeper has stopped, the process must end. */
  | { readonly kind: "broken"; readonly error: Error };
