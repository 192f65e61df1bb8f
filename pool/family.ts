/**
 * Which families of addresses pods get, and what that asks of a card.
 *
 * The pool counts in pods. Each has an address of the *leading* family; on a
 * dual-stack node IPv6 *follows* IPv4, so that a card has one of each for every
 * pod that it may carry. A pod gets both at once and of one card, or neither:
 * an address without its counterpart isn't lent.
 *
 * @module
 */
import { type Family, familyOf, type Ip } from "../netns/ip.ts";
import type { PoolLimits } from "./limits.ts";
import { PREFIX6_SIZE } from "./prefix.ts";
import { askedOf, prefixesIn, unitsOf } from "./prefixed.ts";
import type { PooledEni } from "./state.ts";

/** The families of pods' addresses. */
export type IpStack = "ipv4" | "ipv6" | "dual";

/**
 * Tells which family stands for a pod.
 *
 * @param stack The families of pods' addresses.
 * @returns 6 for pods without IPv4.
 */
export function leadOf(stack: IpStack): Family {
  return stack === "ipv6" ? 6 : 4;
}

/**
 * Tells which families pods have.
 *
 * @param stack The families of pods' addresses.
 * @returns 4, 6 or both.
 */
export function familiesOf(stack: IpStack): readonly Family[] {
  const four = stack === "ipv6" ? [] : [4 as const];
  return hasIp6(stack) ? [...four, 6] : four;
}

/**
 * Tells whether pods get IPv6 addresses.
 *
 * @param stack The families of pods' addresses.
 * @returns Whether they do.
 */
export function hasIp6(stack: IpStack): boolean {
  return stack !== "ipv4";
}

/**
 * Tells whether a card can carry a pod: it has each of the families.
 *
 * @param eni The card.
 * @param stack The families of pods' addresses.
 * @returns False for one whose vSwitch has no IPv6, or isn't known to have.
 */
export function isFit(eni: PooledEni, stack: IpStack): boolean {
  return !hasIp6(stack) || eni.intent.subnet6 !== undefined;
}

/** A card's addresses of one family, in numbers. */
export interface Tally {
  /** All of them. */
  readonly total: number;
  /** May be lent now, were the card in service. */
  readonly idle: number;
  /** Are lent. */
  readonly leased: number;
  /** Will be idle by themselves. */
  readonly cooling: number;
  /** Go. */
  readonly unassigning: number;
}

/**
 * Counts a card's addresses of a family.
 *
 * @param eni The card.
 * @param family Which.
 * @returns The numbers; what is in doubt or quarantined is only in `total`.
 */
export function tallyOf(eni: PooledEni, family: Family): Tally {
  const tally = { total: 0, idle: 0, leased: 0, cooling: 0, unassigning: 0 };
  for (const [ip, slot] of eni.slots) {
    if (familyOf(ip) !== family) continue;
    tally.total++;
    if (slot.kind === "quarantined") continue;
    if (slot.kind === "idle" && eni.sight.absent.has(ip)) continue;
    tally[slot.kind]++;
  }
  return tally;
}

/**
 * Tells how many pods a card can carry.
 *
 * @param eni The card.
 * @param limits The pool's bounds.
 * @returns What the type allows, or less where the cloud refused more IPv6.
 */
export function placesOf(eni: PooledEni, limits: PoolLimits): number {
  const { addressesPerEni, stack } = limits;
  if (!hasIp6(stack) || eni.most6 === undefined) return addressesPerEni;
  return Math.min(addressesPerEni, eni.most6.count);
}

/** How many pods a card's idle addresses make. */
export interface Places {
  /** Pods that can have their addresses now. */
  readonly now: number;
  /** Pods that can once IPv6 addresses follow which are asked for by and by. */
  readonly later: number;
  /** IPv6 addresses that shall follow. */
  readonly missing6: number;
  /** IPv4 addresses more that would find one to follow them. */
  readonly pairable: number;
  /** Idle IPv4 addresses that nobody will ever have. */
  readonly stray4: number;
  /** Idle IPv6 addresses that nobody will ever have. */
  readonly stray6: number;
}

/**
 * Tells how many pods a card's idle addresses make.
 *
 * @param eni The card.
 * @param limits The pool's bounds.
 * @returns The numbers.
 */
export function idlePlaces(eni: PooledEni, limits: PoolLimits): Places {
  const { stack } = limits;
  const four = tallyOf(eni, 4);
  const six = tallyOf(eni, 6);
  if (stack === "ipv4") {
    const now = four.idle;
    return { ...ALONE, now, stray4: 0, stray6: six.idle };
  }
  if (stack === "ipv6") {
    const now = six.idle;
    return { ...ALONE, now, stray4: four.idle, stray6: 0 };
  }
  const now = Math.min(four.idle, six.idle);
  const asked4 = eni.assign?.family === 4 ? askedOf(eni.assign) : 0;
  const lacking = inUse(four) - inUse(six);
  const room6 = limits.prefixes === undefined
    ? Math.max(0, placesOf(eni, limits) - six.total)
    : prefixRoom6(eni, limits.prefixes);
  const missing6 = Math.max(0, Math.min(lacking, room6));
  const pairable = Math.max(0, room6 - lacking - asked4);
  const later = Math.min(four.idle - now, missing6);
  const stray4 = four.idle - now - later;
  const stray6 = Math.max(0, Math.min(six.idle - now, -lacking - asked4));
  return { now, later, missing6, pairable, stray4, stray6 };
}

/** A card gets one prefix of IPv6, which is enough for its pods. */
function prefixRoom6(
  eni: PooledEni,
  { unitsPerEni }: NonNullable<PoolLimits["prefixes"]>,
): number {
  const { assign, most6 } = eni;
  // A look may show it before the answer tells that it is ours.
  if (assign?.family === 6 && assign.ofPrefixes) return PREFIX6_SIZE;
  if (prefixesIn(eni, 6).length > 0 || most6 !== undefined) return 0;
  return unitsOf(eni, 6) < unitsPerEni[6] ? PREFIX6_SIZE : 0;
}

/** Of a family that none follows. */
const ALONE = { later: 0, missing6: 0, pairable: Infinity } as const;

function inUse({ idle, leased, cooling }: Tally): number {
  return idle + leased + cooling;
}

/**
 * Gives a card's idle addresses of a family, in the order in which they are
 * lent: the primary one first, which could not be given back, then the one that
 * rested longest.
 *
 * @param eni The card.
 * @param family Which.
 * @returns The addresses.
 */
export function idleIps(eni: PooledEni, family: Family): readonly Ip[] {
  const idle: { ip: Ip; sinceMs: number }[] = [];
  for (const [ip, slot] of eni.slots) {
    if (slot.kind !== "idle" || familyOf(ip) !== family) continue;
    if (eni.sight.absent.has(ip)) continue;
    const isPrimary = ip === eni.card?.primaryIp;
    idle.push({ ip, sinceMs: isPrimary ? -Infinity : slot.sinceMs });
  }
  return idle.sort((a, b) => a.sinceMs - b.sinceMs).map(({ ip }) => ip);
}
