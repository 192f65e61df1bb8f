/**
 * A card's prefixes: which of its addresses come and go together.
 *
 * To the type's bound a prefix is one address, to pods it is many. A card may
 * have single addresses beside prefixes: the primary one always, others from
 * before. Of IPv6 it has one prefix at most by us, which stays while it does:
 * those addresses cost nothing, and are more than its pods.
 *
 * @module
 */
import { type Cidr, type Family, familyOf, type Ip } from "../netns/ip.ts";
import {
  ipsOfPrefix,
  isOfPrefix,
  PREFIX6_SIZE,
  PREFIX_SIZE,
  prefixAround,
  prefixSize,
} from "./prefix.ts";
import type { AssignIntent, EniIntent, PooledEni, Slot } from "./state.ts";

/**
 * Tells of which prefix of its card an address is.
 *
 * @param eni The card.
 * @param ip An address of it.
 * @returns The prefix; undefined for a single address.
 */
export function prefixOf(
  { prefixes }: Pick<PooledEni, "prefixes">,
  ip: Ip,
): Cidr | undefined {
  if (prefixes === undefined) return undefined;
  const around = prefixAround(ip);
  if (around !== undefined) return prefixes.has(around) ? around : undefined;
  for (const prefix of prefixes) if (isOfPrefix(prefix, ip)) return prefix;
  return undefined;
}

/**
 * Gives the prefixes of one family.
 *
 * @param eni The card.
 * @param family Of which family.
 * @returns The prefixes.
 */
export function prefixesIn(
  { prefixes = NONE }: Pick<PooledEni, "prefixes">,
  family: Family,
): readonly Cidr[] {
  return [...prefixes].filter((prefix) => familyOf(prefix) === family);
}

const NONE: ReadonlySet<Cidr> = new Set();

/**
 * Counts what a card holds as the type's bound does.
 *
 * @param eni The card.
 * @param family Of which family.
 * @returns Single addresses, the primary one included, and prefixes.
 */
export function unitsOf(eni: PooledEni, family: Family): number {
  let count = prefixesIn(eni, family).length;
  for (const [ip, slot] of eni.slots) {
    if (familyOf(ip) !== family || isLost(slot)) continue;
    if (prefixOf(eni, ip) === undefined) count++;
  }
  return count;
}

/** A pod has it, and the cloud has taken it away. */
function isLost(slot: Slot | undefined): boolean {
  return slot?.kind === "leased" && slot.lostMs !== undefined;
}

/**
 * Counts the addresses of a family that a card is made with.
 *
 * @param intent How it is asked for.
 * @param family Which.
 * @returns Those of prefixes included.
 */
export function addressesOf(
  { ipCount, prefixCount = 0, ip6Count = 0, prefix6Count = 0 }: Pick<
    EniIntent,
    "ipCount" | "prefixCount" | "ip6Count" | "prefix6Count"
  >,
  family: Family,
): number {
  return family === 4
    ? ipCount + prefixCount * PREFIX_SIZE
    : ip6Count + prefix6Count * PREFIX6_SIZE;
}

/**
 * Counts the addresses that are asked for.
 *
 * @param assign What is asked for.
 * @returns As many as the prefixes have, where those are asked for.
 */
export function askedOf(
  { count, ofPrefixes, family }: Pick<
    AssignIntent,
    "count" | "ofPrefixes" | "family"
  >,
): number {
  return ofPrefixes ? count * prefixSize(family) : count;
}

/**
 * Counts the prefixes of a family that a card has, or is being given.
 *
 * @param eni The card.
 * @param family Which.
 * @returns How many.
 */
export function prefixesHeld(eni: PooledEni, family: Family): number {
  const { assign, card, intent } = eni;
  const { prefixCount = 0, prefix6Count = 0 } = intent;
  if (card === undefined) return family === 4 ? prefixCount : prefix6Count;
  const isAsked = assign?.ofPrefixes && assign.family === family;
  return prefixesIn(eni, family).length + (isAsked ? assign.count : 0);
}

/**
 * Gives the prefixes of a card of which every address is idle.
 *
 * @param eni The card.
 * @param family Of which family.
 * @returns The prefixes; what a look contradicts is left out.
 */
export function idlePrefixes(
  eni: PooledEni,
  family: Family,
): readonly Cidr[] {
  return prefixesIn(eni, family).filter((prefix) =>
    ipsOfPrefix(prefix).every((ip) =>
      eni.slots.get(ip)?.kind === "idle" && !eni.sight.absent.has(ip)
    )
  );
}

/**
 * Gives a card that has those of some prefixes that its addresses are of.
 *
 * @param eni The card, with its addresses.
 * @param more Prefixes beside those that it had.
 * @returns The card; the same when it has the same prefixes.
 */
export function withPrefixes(
  eni: PooledEni,
  more: readonly Cidr[] = [],
): PooledEni {
  const { prefixes: old = new Set<Cidr>(), slots } = eni;
  if (old.size + more.length === 0) return eni;
  const kept = [...new Set([...old, ...more])].filter((prefix) =>
    ipsOfPrefix(prefix).some((ip) => slots.has(ip) && !isLost(slots.get(ip)))
  );
  if (kept.length === old.size && kept.every((one) => old.has(one))) {
    return eni;
  }
  const { prefixes: _, ...rest } = eni;
  return kept.length === 0 ? rest : { ...rest, prefixes: new Set(kept) };
}
