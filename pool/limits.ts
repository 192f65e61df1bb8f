/**
 * The numbers that bound the pool: what the instance type allows, what the
 * operator wants in stock, and how long each thing may take.
 *
 * A card that is shared holds `addressesPerEni` addresses. An exclusive card
 * is the same with one address: then idle addresses are idle cards, and the
 * same plan serves both modes.
 *
 * @module
 */
import type { Cidr, Family } from "../netns/ip.ts";
import { CALLS_PER_MINUTE, type CallsPerMinute } from "./budget.ts";
import type { InstanceLimits } from "./cloud.ts";
import { hasIp6, type IpStack, leadOf } from "./family.ts";
import { PREFIX6_SIZE, PREFIX_SIZE } from "./prefix.ts";

/** Calls to the cloud at once. Source: seed 000, "no more than 8". */
export const CALLS_AT_ONCE: number = 8;

/**
 * How many of those may take something from the cloud, give something back,
 * and look. They add up so that no sort ever waits for another: releases never
 * queue behind allocations.
 */
export const LANES = { take: 5, give: 2, look: 1 } as const;

/** After a failed write the keeper tries again so much later. */
export const JOURNAL_RETRY_MS: number = 1_000;

/** A released address rests so long. Source: amazon-vpc-cni `IP_COOLDOWN_PERIOD`. */
export const COOLING_MS: number = 30_000;

/** Addresses in one Assign or Unassign call. Source: ECS AssignPrivateIpAddresses. */
export const ADDRESSES_PER_CALL: number = 10;

/** A vSwitch without addresses rests so long. Source: Terway's vSwitch cache. */
export const VSWITCH_REST_MS: number = 600_000;

/** After a quota error, creating is tried again from here on. Source: seed 000. */
export const FULL_MIN_MS: number = 20 * 60_000;

/** … and at the latest here. Source: seed 000. */
export const FULL_MAX_MS: number = 30 * 60_000;

/** A refusal that only an operator can cure is tried again so much later. */
export const REFUSED_MS: number = 60_000;

/** A card may take so long to get attached or set up before it is given up. */
export const JOINING_MS: number = 180_000;

/**
 * Before an intent is closed as "the cloud made nothing", its last attempt
 * must be so old. Longer than {@linkcode CALL_MS}: the request may still be on
 * its way when its deadline ends.
 */
export const PROOF_MS: number = 30_000;

/**
 * A card that a description lacks must lack it again so much later before it
 * counts as gone: nothing is given up on one stale read.
 */
export const MISSING_MS: number = 10_000;

/**
 * While something is held, the cloud is asked for everything this often at
 * least. With {@linkcode MISSING_MS} for the second look and a second for each
 * of four answers, what changed behind our back is found within a minute.
 */
export const SURVEY_MAX_MS: number = 46_000;

/** … and this often at most: nodes that began together drift apart. */
export const SURVEY_MIN_MS: number = 38_000;

/**
 * An address that nobody here asked for, or that was lost and came back, isn't
 * used before; no less than {@linkcode COOLING_MS}, since an owner may just
 * have left it.
 */
export const QUARANTINE_MS: number = 30_000;

/** Between two questions to the host whether a quarantined address is free. */
export const PROVE_MS: number = 60_000;

/**
 * An attach or detach that the cloud took may show no effect for so long
 * before it is asked for again.
 */
export const UNMOVED_MS: number = 10_000;

/**
 * A card with our tags and without a record must be seen loose for so long
 * before it is deleted. Source: issue 4, line 7.
 */
export const ORPHAN_MS: number = 600_000;

/** After the cloud refused a trunk it is asked for the next one so much later. */
export const TRUNK_REST_MS: number = 600_000;

/** The share of a minute's calls that a stock leaves to pods that may come. */
export const KEPT_SHARE: number = 0.2;

/** Between two looks at a card that changes. Source: ECS, "poll every 1 to 2 s". */
export const POLL_MS: number = 1_000;

/** Between two probes of an API that refused. Source: ECS, "API throttling". */
export const PROBE_MS: number = 1_000;

/** A cloud call's deadline. Source: Terway's HTTP time-out. */
export const CALL_MS: number = 20_000;

/** The deadline of what the daemon does in the kernel for a card. */
export const HOST_MS: number = 30_000;

/** The first pause after a failure that may pass by itself; it doubles. */
export const BACKOFF_MIN_MS: number = 1_000;

/** The longest such pause. */
export const BACKOFF_MAX_MS: number = 60_000;

/**
 * Waiting claims are gathered so long before the cloud is asked, so that a
 * burst of pods becomes one call. Little beside an attach of seconds.
 */
export const GATHER_MS: number = 50;

/** Claims that may wait at once; more than pods on the largest node. */
export const CLAIMS_AT_ONCE: number = 4_096;

/** Where new cards may get their addresses. */
export interface VSwitchChoice {
  /** The cloud's id. */
  readonly id: string;
  /** Its prefix. */
  readonly cidr: Cidr;
  /** Its IPv6 prefix; where pods have IPv6, each one has it. */
  readonly cidr6?: Cidr;
}

/** What bounds a node's pool. */
export interface PoolLimits {
  /** Cards that pods may use: what the type allows, less the primary one. */
  readonly eniCount: number;
  /**
   * Pods that a card carries, the primary address included where they have
   * IPv4; 1 for exclusive cards. One has an address of each family.
   */
  readonly addressesPerEni: number;
  /** The families of pods' addresses. */
  readonly stack: IpStack;
  /** Set where a card gets prefixes, and no single addresses. */
  readonly prefixes?: PrefixLimits;
  /** Fewer idle addresses than this are refilled. */
  readonly minIdle: number;
  /** More idle addresses than this are given back. */
  readonly maxIdle: number;
  /** In order of preference; at least one. */
  readonly vSwitches: readonly VSwitchChoice[];
  /**
   * Whether cards may be made, attached, detached and deleted; else only
   * addresses change, on cards that were there.
   */
  readonly hotPlug: boolean;
  /** Whether one of the cards is a trunk. */
  readonly trunk: boolean;
  /** As many cards are kept, whatever is idle. */
  readonly minEniCount: number;
  /** Which card serves first: the one with most addresses in use, or fewest. */
  readonly eniPolicy: "most_ips" | "least_ips";
  /** Which vSwitch a new card is of: as listed, by chance, or the emptiest. */
  readonly vSwitchPolicy: "ordered" | "random" | "most";
  /** When idle addresses above `minIdle` are given back by time. */
  readonly idleReclaim: IdleReclaim | undefined;
  /** Addresses that an empty pool gets once. */
  readonly warmUpCount: number;
  /** By API of the cloud, how often it may be called in a minute. */
  readonly callsPerMinute: CallsPerMinute;
}

/** What bounds prefixes; those of the leading family are counted. */
export interface PrefixLimits {
  /**
   * Prefixes on a card: of IPv4 one for each secondary address of the type,
   * where IPv6 follows no more than that can; of IPv6 one.
   */
  readonly perEniCount: number;
  /** As many are held, whatever is idle. */
  readonly minCount: number;
  /** Addresses and prefixes together that the type lets a card have. */
  readonly unitsPerEni: Readonly<Record<Family, number>>;
}

/** When idle addresses are given back by time, beside the bounds. */
export interface IdleReclaim {
  /** No pod must have asked for so long. */
  readonly afterMs: number;
  /** Between two batches. */
  readonly intervalMs: number;
  /** Addresses in a batch. */
  readonly batchCount: number;
  /** The interval is prolonged by a random part, up to this share of it. */
  readonly jitter: number;
}

/** What a node's limits are worked out from. */
export interface LimitsWish {
  /** What the type allows. */
  readonly instance:
    & Pick<InstanceLimits, "eniCount" | "ipv4PerEniCount">
    & Partial<Pick<InstanceLimits, "ipv6PerEniCount">>;
  /** The families of pods' addresses. @default {"ipv4"} */
  readonly stack?: IpStack;
  /** Set for prefixes instead of single addresses. */
  readonly prefixes?: Pick<PrefixLimits, "minCount">;
  /** In order of preference; at least one. */
  readonly vSwitches: readonly VSwitchChoice[];
  /** Fewer idle addresses than this are refilled. @default {0} */
  readonly minIdle?: number;
  /** More idle addresses than this are given back. @default {5} */
  readonly maxIdle?: number;
  /** Whether cards may come and go. @default {true} */
  readonly hotPlug?: boolean;
  /** Whether one of the cards shall be a trunk. @default {false} */
  readonly trunk?: boolean;
  /** As many cards are kept. @default {0} */
  readonly minEniCount?: number;
  /** No more cards than this. @default {Infinity} */
  readonly maxEniCount?: number;
  /** The share of the type's cards that may be used. @default {1} */
  readonly eniCapRatio?: number;
  /** Added to that share; negative leaves cards to others. @default {0} */
  readonly eniCapShift?: number;
  /** Which card serves first. @default {"most_ips"} */
  readonly eniPolicy?: PoolLimits["eniPolicy"];
  /** Which vSwitch a new card is of. @default {"ordered"} */
  readonly vSwitchPolicy?: PoolLimits["vSwitchPolicy"];
  /** When idle addresses are given back by time; never unless told. */
  readonly idleReclaim?: IdleReclaim;
  /** Addresses that an empty pool gets once. @default {0} */
  readonly warmUpCount?: number;
  /** Calls a minute by API, over {@linkcode CALLS_PER_MINUTE}; 1 or more. */
  readonly callsPerMinute?: CallsPerMinute;
}

/**
 * Works out a node's limits.
 *
 * @example A type with 4 cards of 10 addresses carries 30 pods
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const limits = poolLimits({
 *   instance: { eniCount: 4, ipv4PerEniCount: 10 },
 *   vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/24" }],
 * });
 * assertEquals(limits.eniCount * limits.addressesPerEni, 30);
 * ```
 * @param wish What the type allows and what the operator wants.
 * @returns The limits.
 * @throws {RangeError} When a number is out of bounds, min exceeds max, pods
 * shall have IPv6 and the type or a vSwitch has none, or there shall be prefixes
 * and the type has no room for any.
 */
export function poolLimits(wish: LimitsWish): PoolLimits {
  const { minIdle = 0, maxIdle = 5, vSwitches } = wish;
  const { eniCount } = wish.instance;
  const { minEniCount = 0, warmUpCount = 0 } = wish;
  const counts = { minIdle, maxIdle, minEniCount, warmUpCount };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(
        `Cannot bound the pool as ${name} must be a whole number from 0: it is ${value}`,
      );
    }
  }
  for (const [api, count] of Object.entries(wish.callsPerMinute ?? {})) {
    if (Number.isSafeInteger(count) && count >= 1) continue;
    throw new RangeError(
      `Cannot bound the pool as calls of ${api} a minute must be a whole number from 1: it is ${count}`,
    );
  }
  if (minIdle > maxIdle) {
    throw new RangeError(
      `Cannot bound the pool as minIdle must not exceed maxIdle: they are ${minIdle} and ${maxIdle}`,
    );
  }
  if (vSwitches.length === 0) {
    throw new RangeError("Cannot bound the pool as it needs a vSwitch");
  }
  const { eniCapRatio = 1, eniCapShift = 0, maxEniCount = Infinity } = wish;
  // Source: Terway, `eni_cap_ratio` and `eni_cap_shift`; the primary one is
  // taken off last.
  const cap = Math.floor(eniCount * eniCapRatio) + eniCapShift - 1;
  const usable = Math.max(0, Math.min(cap, eniCount - 1, maxEniCount));
  return {
    eniCount: usable,
    addressesPerEni: perEni(wish),
    stack: wish.stack ?? "ipv4",
    ...prefixLimits(wish),
    minIdle,
    maxIdle,
    vSwitches,
    hotPlug: wish.hotPlug ?? true,
    trunk: wish.trunk ?? false,
    minEniCount: Math.min(minEniCount, usable),
    eniPolicy: wish.eniPolicy ?? "most_ips",
    vSwitchPolicy: wish.vSwitchPolicy ?? "ordered",
    idleReclaim: wish.idleReclaim,
    warmUpCount,
    callsPerMinute: { ...CALLS_PER_MINUTE, ...wish.callsPerMinute },
  };
}

function prefixLimits(
  { instance, stack = "ipv4", prefixes }: Pick<
    LimitsWish,
    "instance" | "stack" | "prefixes"
  >,
): Pick<PoolLimits, "prefixes"> {
  if (prefixes === undefined) return {};
  const { ipv4PerEniCount, ipv6PerEniCount = 0 } = instance;
  const perEniCount = leadOf(stack) === 6
    ? 1
    : prefixesPerEni(ipv4PerEniCount, stack);
  if (perEniCount < 1) {
    throw new RangeError(
      `Cannot bound the pool as prefixes need cards with secondary addresses: there are ${perEniCount}`,
    );
  }
  const unitsPerEni = { 4: ipv4PerEniCount, 6: ipv6PerEniCount };
  return { prefixes: { ...prefixes, perEniCount, unitsPerEni } };
}

/** Beside the primary address; an address of IPv6 follows each. */
function prefixesPerEni(ipv4PerEniCount: number, stack: IpStack): number {
  const most = Math.floor((PREFIX6_SIZE - 1) / PREFIX_SIZE);
  return Math.min(ipv4PerEniCount - 1, stack === "dual" ? most : Infinity);
}

/** A card needs an address of each family for a pod. */
function perEni(wish: LimitsWish): number {
  const { instance, stack = "ipv4", vSwitches } = wish;
  const { ipv4PerEniCount, ipv6PerEniCount = 0 } = instance;
  const { prefixes } = prefixLimits(wish);
  const pods = podsPerEni({ ipv4PerEniCount, ipv6PerEniCount }, {
    stack,
    hasPrefixes: prefixes !== undefined,
  });
  if (!hasIp6(stack)) return pods;
  const poor = vSwitches.find(({ cidr6 }) => cidr6 === undefined);
  if (ipv6PerEniCount < 1 || poor !== undefined) {
    throw new RangeError(
      `Cannot bound the pool as pods shall have IPv6: ${
        poor?.id ?? "the instance type"
      } has none`,
    );
  }
  return pods;
}

/**
 * Counts the pods that share an ENI: one has an address of each family.
 *
 * @param instance What the type allows.
 * @param share The families, and whether the ENI has prefixes instead of
 * secondary addresses.
 * @returns How many; 0 when pods shall have IPv6 and the type has none.
 */
export function podsPerEni(
  { ipv4PerEniCount, ipv6PerEniCount }: Pick<
    InstanceLimits,
    "ipv4PerEniCount" | "ipv6PerEniCount"
  >,
  { stack, hasPrefixes = false }: {
    readonly stack: IpStack;
    readonly hasPrefixes?: boolean;
  },
): number {
  const four = Math.max(1, ipv4PerEniCount);
  if (hasIp6(stack) && ipv6PerEniCount < 1) return 0;
  if (hasPrefixes) {
    return stack === "ipv6"
      ? PREFIX6_SIZE
      : 1 + prefixesPerEni(four, stack) * PREFIX_SIZE;
  }
  if (!hasIp6(stack)) return four;
  return stack === "ipv6" ? ipv6PerEniCount : Math.min(four, ipv6PerEniCount);
}

/**
 * Says how long to pause after a failure that may pass by itself.
 *
 * @param failureCount How often it failed in a row, from 1.
 * @param chance From 0 to below 1; spreads what failed together.
 * @returns Milliseconds, at most {@linkcode BACKOFF_MAX_MS}.
 */
export function backoffMs(failureCount: number, chance: number): number {
  const exponent = Math.min(Math.max(0, failureCount - 1), 10);
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** exponent);
  return Math.round(full * (0.5 + chance / 2));
}
