/**
 * Pools to try the pure parts on: any that could come about.
 *
 * @module
 */
import fc from "fast-check";
import type { Ip } from "../../netns/ip.ts";
import { type PoolLimits, poolLimits } from "../limits.ts";
import { CLEAR } from "../sight.ts";
import {
  emptyState,
  type EniPhase,
  type Lease,
  type PooledEni,
  type PoolState,
  type Slot,
} from "../state.ts";

/** The time at which these pools are looked at. */
export const NOW_MS: number = Date.parse("2026-11-21T12:00:00Z");

/** A pool and its bounds. */
export interface Sample {
  /** The pool. */
  readonly state: PoolState;
  /** Its bounds. */
  readonly limits: PoolLimits;
}

/**
 * Gives cards in a pool of their own.
 *
 * @param enis The cards; their leased addresses get leases.
 * @param more What else differs from an empty pool that was surveyed.
 * @returns The pool.
 */
export function poolOf(
  enis: readonly PooledEni[],
  more: Partial<PoolState> = {},
): PoolState {
  const leases = enis.flatMap((eni) =>
    [...eni.slots].flatMap(([ip, slot]) =>
      slot.kind === "leased" ? [leaseOf(eni, ip, slot.ownerKey)] : []
    )
  );
  return {
    ...emptyState(),
    surveyedMs: NOW_MS,
    surveyFromMs: NOW_MS + 40_000,
    enis: new Map(enis.map((eni) => [eni.key, eni])),
    leases: new Map(leases.map((lease) => [lease.ownerKey, lease])),
    ...more,
  };
}

/**
 * Makes a card.
 *
 * @param number Tells it from others; its addresses are `10.0.<number>.…`.
 * @param slots Kinds of its addresses, the primary one first.
 * @param more What else differs from a ready card.
 * @returns The card.
 */
export function eniWith(
  number: number,
  slots: readonly Slot["kind"][],
  more: Partial<PooledEni> = {},
): PooledEni {
  const key = `key-${number}`;
  const isMade = more.phase !== "creating" && more.phase !== "seeking";
  return {
    key,
    isAdopted: false,
    phase: "ready",
    sinceMs: NOW_MS - 1_000,
    intent: {
      vSwitchId: "vsw-a",
      subnet: "10.0.0.0/16",
      ipCount: Math.max(1, slots.length),
      securityGroupIds: ["sg-a"],
    },
    unsure: false,
    card: isMade
      ? {
        id: `eni-${number}`,
        mac: `00:16:3e:00:00:${number.toString(16).padStart(2, "0")}`,
        zone: "zone-a",
        primaryIp: ipOf(number, 0),
      }
      : undefined,
    wasAttached: isMade,
    slots: new Map(
      slots.map((kind, i) => [ipOf(number, i), slotOf(kind, `${key}-${i}`)]),
    ),
    assign: undefined,
    assignFromMs: 0,
    most6: undefined,
    resync: false,
    notBeforeMs: 0,
    failureCount: 0,
    problem: undefined,
    missingSinceMs: undefined,
    sight: CLEAR,
    changedAtCall: 0,
    ...more,
  };
}

/**
 * Gives claims of so many owners, old enough to count.
 *
 * @param count How many.
 * @returns Claims, as a pool holds them.
 */
export function claimsOf(count: number): PoolState["claims"] {
  const owners = Array.from({ length: count }, (_, i) => `waiting-${i}`);
  return new Map(
    owners.map((ownerKey) => [ownerKey, { ownerKey, atMs: NOW_MS - 1_000 }]),
  );
}

/**
 * Gives any pool that could come about, without calls in flight.
 *
 * @returns The arbitrary.
 */
export function samples(): fc.Arbitrary<Sample> {
  return fc.record({
    eniCount: fc.integer({ min: 2, max: 6 }),
    addressesPerEni: fc.integer({ min: 1, max: 12 }),
    maxIdle: fc.integer({ min: 0, max: 8 }),
    minShare: fc.integer({ min: 0, max: 8 }),
    shapes: fc.array(shape(), { maxLength: 6 }),
    claimCount: fc.integer({ min: 0, max: 40 }),
    draining: fc.boolean(),
  }).map(({ claimCount, draining, shapes, ...wish }) => {
    const { eniCount, addressesPerEni, maxIdle, minShare } = wish;
    const limits = poolLimits({
      instance: { eniCount: eniCount + 1, ipv4PerEniCount: addressesPerEni },
      vSwitches: [
        { id: "vsw-a", cidr: "10.0.0.0/16" },
        { id: "vsw-b", cidr: "10.1.0.0/16" },
      ],
      maxIdle,
      minIdle: Math.min(minShare, maxIdle),
    });
    const enis = shapes.slice(0, eniCount).map((one, i) =>
      eniFrom(i + 1, one, addressesPerEni)
    );
    const claims = draining ? new Map() : claimsOf(claimCount);
    return { limits, state: poolOf(enis, { claims, draining }) };
  });
}

interface Shape {
  readonly phase: EniPhase;
  readonly slots: readonly Slot["kind"][];
  readonly isAssigning: boolean;
}

function shape(): fc.Arbitrary<Shape> {
  return fc.record({
    phase: fc.constantFrom<EniPhase>(
      "creating",
      "seeking",
      "created",
      "attaching",
      "preparing",
      "ready",
      "ready",
      "ready",
      "retiring",
      "retired",
      "detaching",
      "deleting",
    ),
    slots: fc.array(
      fc.constantFrom<Slot["kind"]>(
        "idle",
        "leased",
        "cooling",
        "unassigning",
        "quarantined",
      ),
      { minLength: 1, maxLength: 12 },
    ),
    isAssigning: fc.boolean(),
  });
}

/** In these phases a card serves, did, or was just brought back. */
const MAY_LEASE: ReadonlySet<EniPhase> = new Set<EniPhase>([
  "created",
  "attaching",
  "preparing",
  "ready",
]);

function eniFrom(number: number, it: Shape, most: number): PooledEni {
  const kinds = it.slots.slice(0, most).map((kind, i) => {
    if (kind === "leased" && !MAY_LEASE.has(it.phase)) return "idle";
    if (kind === "unassigning" && i === 0) return "idle";
    return kind;
  });
  const isMade = it.phase !== "creating" && it.phase !== "seeking";
  const room = most - kinds.length;
  const count = Math.min(room, 3);
  const isAssigning = it.isAssigning && it.phase === "ready" && count > 0;
  return eniWith(number, isMade ? kinds : [], {
    phase: it.phase,
    ...(isAssigning
      ? {
        assign: {
          token: `assign-${number}`,
          count,
          family: 4 as const,
          unsure: true,
        },
      }
      : {}),
  });
}

function slotOf(kind: Slot["kind"], ownerKey: string): Slot {
  switch (kind) {
    case "leased":
      return { kind, ownerKey };
    case "cooling":
      return { kind, untilMs: NOW_MS + 10_000 };
    case "unassigning":
      return { kind, unsure: true };
    case "idle":
    case "quarantined":
      return { kind, sinceMs: NOW_MS - 5_000 };
  }
}

function leaseOf(eni: PooledEni, ip: Ip, ownerKey: string): Lease {
  return {
    ownerKey,
    eniKey: eni.key,
    eniId: eni.card?.id ?? "",
    ip,
    recipe: "test/1",
    attachment: { ip, note: "as the caller made it" },
    atMs: NOW_MS - 60_000,
  };
}

function ipOf(number: number, place: number): Ip {
  return `10.0.${number}.${place + 1}`;
}
