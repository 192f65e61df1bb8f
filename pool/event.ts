/**
 * What may happen to a pool: the closed set of events that `step` takes, and
 * the calls whose ends they tell.
 *
 * Events are plain data. Time, chance and tokens come in with them, so that a
 * list of events replays to the same state.
 *
 * @module
 */
import type { Cidr, Family, Ip } from "../netns/ip.ts";
import type { Adoptable } from "./adopt.ts";
import type { CloudErrorKind, Eni } from "./cloud.ts";
import type { IpStack } from "./family.ts";
import type { EniIntent, EniKey, Lease, OwnerKey } from "./state.ts";

/** Something that the pool asks of the cloud, or of the host's kernel. */
export type Call =
  /** Describes all cards of this instance and all that bear our tags. */
  | {
    readonly kind: "survey";
    /** vSwitches to look at too, when there is a choice of them. */
    readonly vSwitchIds?: readonly string[];
  }
  /** Describes cards that are about to change. */
  | { readonly kind: "describe"; readonly eniKeys: readonly EniKey[] }
  /** Makes a card; the key is the token. */
  | {
    readonly kind: "create";
    readonly eniKey: EniKey;
    readonly intent: EniIntent;
  }
  /** Adds addresses, IPv4 or IPv6. */
  | {
    readonly kind: "assign" | "assign6";
    readonly eniKey: EniKey;
    /** Addresses, or prefixes of them. */
    readonly count: number;
    readonly ofPrefixes?: boolean;
    readonly token: string;
  }
  /** Takes addresses away, IPv4 or IPv6. */
  | {
    readonly kind: "unassign" | "unassign6";
    readonly eniKey: EniKey;
    readonly ips: readonly Ip[];
    /** The prefixes that the addresses are of; absent for single ones. */
    readonly prefixes?: readonly Cidr[];
  }
  /** Attaches, detaches or deletes a card. */
  | {
    readonly kind: "attach" | "detach" | "delete";
    readonly eniKey: EniKey;
  }
  /** Sets a card up in the kernel: the daemon's part. */
  | { readonly kind: "prepare"; readonly eniKey: EniKey }
  /** Undoes that; a card that stays in the cloud leaves the pool with it. */
  | {
    readonly kind: "retire";
    readonly eniKey: EniKey;
    readonly stays?: boolean;
  }
  /** Puts a card into security groups, and out of all others. */
  | {
    readonly kind: "secure";
    readonly eniKey: EniKey;
    readonly securityGroupIds: readonly string[];
  }
  /** Deletes a card of ours that no record speaks of, if it is still loose. */
  | { readonly kind: "purge"; readonly eniId: string }
  /** Asks the host whether anything there speaks for quarantined addresses. */
  | { readonly kind: "prove"; readonly ips: readonly Ip[] };

/** A call's name. */
export type CallKind = Call["kind"];

/** A call that adds addresses. */
export type AssignCall = Extract<Call, { kind: "assign" | "assign6" }>;

/** A call that takes addresses away. */
export type UnassignCall = Extract<Call, { kind: "unassign" | "unassign6" }>;

/**
 * Tells of which family the addresses of a call are.
 *
 * @param kind The call's name.
 * @returns 4 or 6.
 */
export function familyOfCall(
  kind: AssignCall["kind"] | UnassignCall["kind"],
): Family {
  return kind === "assign6" || kind === "unassign6" ? 6 : 4;
}

/** A call that has begun and has not ended. */
export type OpenCall = Call & {
  /** Counts up; a later call has a higher number. */
  readonly id: number;
  /** When it began. */
  readonly startedMs: number;
};

/**
 * Why a call failed, as plain data.
 *
 * Besides the cloud's kinds: `timeout`, its deadline ended; `host`, the kernel
 * side failed.
 */
export interface Problem {
  /** What was called. */
  readonly call: CallKind;
  /** What it means. */
  readonly kind: CloudErrorKind | "timeout" | "host";
  /** The cloud's name of the call, such as `CreateNetworkInterface`. */
  readonly api: string;
  /** The cloud's own code, or the error's name. */
  readonly code: string;
  /** The cloud's words. */
  readonly message: string;
  /** What the cloud's support asks for; may be empty. */
  readonly requestId: string;
  /** The HTTP status; 0 when no answer came. */
  readonly httpStatus: number;
}

/** What a call gave. */
export type Answer =
  | {
    readonly kind: "survey" | "describe";
    /** The node's primary card is left out. */
    readonly enis: readonly Eni[];
    /** This node's instance. */
    readonly instanceId: string;
    /** Of a survey: cards here that are ours, or that we may use. */
    readonly adoptable?: readonly Adoptable[];
    /** Of a survey: cards that are ours by their tags, and attached nowhere. */
    readonly looseEniIds?: readonly string[];
    /** Of a survey: how many addresses the vSwitches can still give. */
    readonly available?: readonly {
      readonly vSwitchId: string;
      readonly ipCount: number;
    }[];
  }
  | { readonly kind: "create"; readonly eni: Eni }
  | {
    readonly kind: "assign" | "assign6";
    readonly ips: readonly Ip[];
    /** The prefixes that they are of; absent for single ones. */
    readonly prefixes?: readonly Cidr[];
  }
  /** Whether it was still loose. */
  | { readonly kind: "purge"; readonly isDeleted: boolean }
  /** Of the addresses asked about, those that nothing speaks for. */
  | { readonly kind: "prove"; readonly freeIps: readonly Ip[] }
  | {
    readonly kind:
      | "unassign"
      | "unassign6"
      | "attach"
      | "detach"
      | "delete"
      | "secure"
      | "prepare"
      | "retire";
  };

/** Something that happened. */
export type PoolEvent =
  /** An owner wants an address. Nothing happens when it waits or has one. */
  | {
    readonly kind: "claimed";
    readonly ownerKey: OwnerKey;
    readonly nowMs: number;
  }
  /** Nobody waits for this owner's address any more. */
  | { readonly kind: "dropped"; readonly ownerKey: OwnerKey }
  /** An idle address became a lease, and its claim ended. */
  | { readonly kind: "granted"; readonly lease: Lease }
  /** A lease of a lost journal is known again; see `recovered()`. */
  | {
    readonly kind: "recovered";
    readonly lease: Lease;
    /** Whose lease it was, when it is taken over. */
    readonly from?: OwnerKey;
  }
  /** A lease ended; its address cools. Nothing happens when there is none. */
  | {
    readonly kind: "released";
    readonly ownerKey: OwnerKey;
    readonly nowMs: number;
  }
  /** Addresses have cooled. */
  | {
    readonly kind: "cooled";
    readonly eniKey: EniKey;
    readonly ips: readonly Ip[];
    readonly nowMs: number;
  }
  /** A call begins: what it intends is in the state before it is made. */
  | { readonly kind: "begun"; readonly call: Call; readonly nowMs: number }
  /** A call ended well. */
  | {
    readonly kind: "answered";
    readonly callId: number;
    readonly answer: Answer;
    readonly nowMs: number;
    /** From 0 to below 1; spreads what is due again. Half when absent. */
    readonly chance?: number;
  }
  /** A call failed. `chance` is from 0 to below 1. */
  | {
    readonly kind: "failed";
    readonly callId: number;
    readonly problem: Problem;
    readonly nowMs: number;
    readonly chance: number;
  }
  /** The operator's wishes, at the start and whenever they change. */
  | {
    readonly kind: "configured";
    /** Of all cards that we make or made. */
    readonly securityGroupIds: readonly string[];
    /** The families of pods' addresses; as they are when absent. */
    readonly stack?: IpStack;
  }
  /** What a warm-up asks for is there: that was the only time. */
  | { readonly kind: "warmed" }
  /** From here on nothing is leased, and all that we made goes. */
  | { readonly kind: "draining"; readonly nowMs: number };

/** An event of one kind. */
export type EventOf<K extends PoolEvent["kind"]> = Extract<
  PoolEvent,
  { kind: K }
>;

/**
 * Tells whether nobody knows if the cloud did it.
 *
 * @param problem The failure.
 * @returns True when an answer is missing or makes no sense, or the cloud is
 * still busy with an earlier attempt.
 */
export function isUnsure(problem: Problem): boolean {
  if (problem.kind === "timeout" || problem.kind === "transient") return true;
  // Source: ECS "Public error codes", IdempotentProcessing.
  return problem.kind === "conflict" && problem.call === "create";
}
