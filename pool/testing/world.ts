/**
 * Where a simulated node lives: plain data, drawn from a seed or written down.
 *
 * @module
 */
import type { Stand } from "../../tests/emulators/alibaba/stand.ts";
import type { Cidr } from "../../netns/ip.ts";
import { CALLS_PER_MINUTE } from "../budget.ts";
import { type LimitsWish, type PoolLimits, poolLimits } from "../limits.ts";
import { hasIp6, type IpStack } from "../family.ts";
import type { Chance } from "./chance.ts";

/** What can go wrong with a call. */
export const CALL_TROUBLES = [
  "conflict",
  "denied",
  "dry",
  "error",
  "garbage",
  "hang",
  "lost",
  "quota",
  "slow",
  "slow-attach",
  "stale",
  "throttle",
] as const;

/** What else can go wrong. */
export const OTHER_TROUBLES = [
  "away",
  "disk",
  "drift",
  "kill",
  "occupied",
  "spoil",
  "stop",
] as const;

/** Something that can go wrong with a call. */
export type CallTrouble = typeof CALL_TROUBLES[number];

/** Something that can go wrong. */
export type Trouble = CallTrouble | typeof OTHER_TROUBLES[number];

/** How calls fare. */
export interface Weather {
  /** One call in so many goes wrong; 0 for none. */
  readonly rarity: number;
  /** What goes wrong; a kind that doesn't fit a call spares it. */
  readonly kinds: readonly CallTrouble[];
}

/** Calls fare well. */
export const FAIR: Weather = { rarity: 0, kinds: [] };

/** A card that somebody else has attached to the node before. */
export interface ForeignCard {
  /** Its addresses beside the primary one. */
  readonly secondaryCount: number;
  /** Whether the operator lets the pool use it. */
  readonly isAdopted: boolean;
}

/** A region, a node in it, and what its operator wants. */
export interface World {
  /** How long every call takes, in milliseconds; so too the others. */
  readonly replyMs: number;
  /** How long a card is being attached. */
  readonly attachMs: number;
  /** How long a card is being detached. */
  readonly detachMs: number;
  /** How long a card is being deleted. */
  readonly deleteMs: number;
  /** Calls a minute of each API; 0 for the service's own bounds. */
  readonly callsPerMinute: number;
  /** Calls a minute of each API that the pool allows itself; 0 for many. */
  readonly budget: number;
  /** How many secondary cards the account may have; 0 for any number. */
  readonly eniQuota: number;
  /** Whether the node may have 15 cards of 30 addresses; else 3 of 6. */
  readonly isBig: boolean;
  /** How many cards the pool believes to be allowed. */
  readonly eniCount: number;
  /** How many addresses the pool puts on a card. */
  readonly addressesPerEni: number;
  /** Where new cards may be made; `small` has 4 addresses. */
  readonly vSwitches: readonly ("near" | "small")[];
  /** Fewer idle addresses are refilled. */
  readonly minIdle: number;
  /** More idle addresses are given back. */
  readonly maxIdle: number;
  /** What else the operator wants. */
  readonly wish: Partial<LimitsWish>;
  /** Others' cards on the node. */
  readonly foreign: readonly ForeignCard[];
  /** How calls fare at first. */
  readonly weather: Weather;
  /** The families of pods' addresses. */
  readonly stack: IpStack;
  /**
   * Set where cards get prefixes: as many are kept.
   */
  readonly minPrefixCount?: number;
  /** Whether the operator wants a trunk, and the type takes one. */
  readonly trunk: boolean;
}

/** The operator's mark on cards that the pool may use. */
export const ADOPT_TAGS: Readonly<Record<string, string>> = { use: "pods" };

/** A world in which nothing is special. */
export const PLAIN: World = {
  replyMs: 100,
  attachMs: 2_000,
  detachMs: 2_000,
  deleteMs: 500,
  callsPerMinute: 0,
  budget: 0,
  eniQuota: 0,
  isBig: false,
  eniCount: 3,
  addressesPerEni: 6,
  vSwitches: ["near"],
  minIdle: 0,
  maxIdle: 5,
  wish: {},
  foreign: [],
  weather: FAIR,
  stack: "ipv4",
  trunk: false,
};

/** IPv6 alone is the rarest: of what it does little is its own. */
const STACKS: readonly IpStack[] = [
  ...["ipv4", "ipv4", "ipv4", "ipv4"] as const,
  ...["dual", "dual", "dual", "ipv6"] as const,
];

/**
 * Draws a world.
 *
 * @param chance Draws.
 * @returns The world.
 */
export function worldBy(chance: Chance): World {
  const isBig = chance.oneIn(8);
  const maxIdle = chance.int(0, 6);
  const foreign = chance.oneIn(5)
    ? [{ secondaryCount: chance.int(0, 3), isAdopted: !chance.oneIn(3) }]
    : [];
  const drawn: Omit<World, "minPrefixCount" | "trunk"> = {
    replyMs: chance.int(0, 300),
    attachMs: chance.int(0, 5_000),
    detachMs: chance.int(0, 5_000),
    deleteMs: chance.int(0, 2_000),
    callsPerMinute: chance.oneIn(8) ? chance.int(6, 30) : 0,
    eniQuota: chance.oneIn(10) ? 1 : 0,
    isBig,
    // Now and then the pool believes that there is room for more.
    eniCount: isBig ? 15 : chance.oneIn(4) ? 5 : 3,
    addressesPerEni: isBig ? chance.int(1, 3) : chance.oneIn(4) ? 1 : 6,
    vSwitches: chance.oneIn(3) ? ["near"] : ["small", "near"],
    maxIdle,
    minIdle: chance.int(0, maxIdle),
    wish: wishBy(chance, foreign.some(({ isAdopted }) => isAdopted)),
    foreign,
    weather: weatherBy(chance),
    budget: chance.oneIn(6) ? chance.int(2, 12) : 0,
    stack: chance.pick(STACKS) ?? "ipv4",
  };
  // The emulator's small type with a trunk has one IPv6 address a card.
  const mayTrunk = !isBig && drawn.stack === "ipv4";
  const isOfPrefixes = chance.oneIn(2) && drawn.addressesPerEni > 1;
  const counts = drawn.stack === "ipv6" ? [0, 0, 1] : [0, 0, 0, 1, 3, 7];
  const minPrefixCount = chance.pick(counts) ?? 0;
  const world = { ...drawn, trunk: mayTrunk && chance.oneIn(3) };
  return isOfPrefixes ? { ...world, minPrefixCount } : world;
}

/**
 * Draws how calls fare: a few kinds of trouble at a time, since two that come
 * together often find more than all of them now and then.
 *
 * @param chance Draws.
 * @returns The weather.
 */
export function weatherBy(chance: Chance): Weather {
  const rarity = chance.pick([0, 20, 8, 5, 3, 2]) ?? 0;
  if (rarity === 0) return FAIR;
  const kinds = new Set<CallTrouble>();
  for (let count = chance.int(1, 5); count > 0; count--) {
    kinds.add(chance.pick(CALL_TROUBLES) ?? "lost");
  }
  return { rarity, kinds: [...kinds].sort() };
}

/**
 * Works out the pool's bounds in a world.
 *
 * @param world The world.
 * @param stand Its region.
 * @returns The bounds.
 */
export function limitsIn(world: World, stand: Stand): PoolLimits {
  const { stack } = world;
  const six = (cidr6: Cidr) => hasIp6(stack) ? { cidr6 } : {};
  const [small, near] = [stand.smallVSwitchId, stand.vSwitchId];
  return poolLimits({
    instance: {
      eniCount: world.eniCount,
      ipv4PerEniCount: world.addressesPerEni,
      ipv6PerEniCount: world.addressesPerEni,
    },
    stack,
    vSwitches: world.vSwitches.map((name) =>
      name === "small"
        ? { id: small, cidr: "10.0.2.0/29", ...six("fd00:2::/64") }
        : { id: near, cidr: "10.0.1.0/24", ...six("fd00:1::/64") }
    ),
    ...(world.minPrefixCount === undefined
      ? {}
      : { prefixes: { minCount: world.minPrefixCount } }),
    minIdle: world.minIdle,
    maxIdle: world.maxIdle,
    trunk: world.trunk,
    ...(world.budget === 0 ? {} : { callsPerMinute: budgets(world.budget) }),
    ...world.wish,
  });
}

/** As many of each, and more looks, which all of them need. */
function budgets(count: number): Record<string, number> {
  const all = Object.keys(CALLS_PER_MINUTE).map((api) => [api, count]);
  return {
    ...Object.fromEntries(all),
    DescribeNetworkInterfaces: count * 4,
  };
}

function wishBy(chance: Chance, mayUnplug: boolean): Partial<LimitsWish> {
  return {
    ...(mayUnplug && chance.oneIn(3) ? { hotPlug: false } : {}),
    ...(chance.oneIn(6) ? { minEniCount: chance.int(1, 2) } : {}),
    ...(chance.oneIn(8) ? { warmUpCount: chance.int(1, 8) } : {}),
    ...(chance.oneIn(4) ? { eniPolicy: "least_ips" as const } : {}),
    ...(chance.oneIn(4)
      ? {
        vSwitchPolicy: chance.pick(["random", "most"] as const) ?? "random",
      }
      : {}),
    ...(chance.oneIn(6)
      ? {
        idleReclaim: {
          afterMs: chance.int(10, 120) * 1_000,
          intervalMs: chance.int(10, 60) * 1_000,
          batchCount: chance.int(1, 4),
          jitter: 0.2,
        },
      }
      : {}),
  };
}
