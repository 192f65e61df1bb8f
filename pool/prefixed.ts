/**
 * A card's prefixes: which of its addresses come and go together.
 *
 * To the type's bound a prefix is one address, to pods it is sixteen. A card
 * may have single addresses beside prefixes: the primary one always, others
 * from before.
 *
 * @module
 */
import { type Cidr, type Family, familyOf, type Ip } from "../netns/ip.ts";
import { ipsOfPrefix, PREFIX_SIZE, prefixAround } from "./prefix.ts";
import type { AssignIntent, EniIntent, PooledEni } from "./state.ts";

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
  const prefix = prefixAround(ip);
  return prefix !== undefined && prefixes.has(prefix) ? prefix : undefined;
}

/**
 * Counts what a card holds as the type's bound does.
 *
 * @param eni The card.
 * @param family Of which family.
 * @returns Single addresses, the primary one included, and prefixes.
 */
export function unitsOf(eni: PooledEni, family: Family): number {
  let count = family === 4 ? eni.prefixes?.size ?? 0 : 0;
  for (const ip of eni.slots.keys()) {
    if (familyOf(ip) === family && prefixOf(eni, ip) === undefined) count++;
  }
  return count;
}

/**
 * Counts the IPv4 addresses that a card is made with.
 *
 * @param intent How it is asked for.
 * @returns Those of prefixes included.
 */
export function addressesOf({ ipCount, prefixCount = 0 }: EniIntent): number {
  return ipCount + prefixCount * PREFIX_SIZE;
}

/**
 * Counts the addresses that are asked for.
 *
 * @param assign What is asked for.
 * @returns Sixteen for each prefix.
 */
export function askedOf(
  { count, ofPrefixes }: Pick<AssignIntent, "count" | "ofPrefixes">,
): number {
  return ofPrefixes ? count * PREFIX_SIZE : count;
}

/**
 * Counts the prefixes that a card has, or is being given.
 *
 * @param eni The card.
 * @returns How many.
 */
export function prefixesHeld(
  { prefixes, assign, card, intent }: PooledEni,
): number {
  const asked = assign?.ofPrefixes ? assign.count : 0;
  if (card === undefined) return intent.prefixCount ?? 0;
  return (prefixes?.size ?? 0) + asked;
}

/**
 * Gives the prefixes of a card of which every address is idle.
 *
 * @param eni The card.
 * @returns The prefixes; what a look contradicts is left out.
 */
export function idlePrefixes(eni: PooledEni): readonly Cidr[] {
  return [...eni.prefixes ?? []].filter((prefix) =>
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
    ipsOfPrefix(prefix).some((ip) => slots.has(ip))
  );
  if (kept.length === old.size && kept.every((one) => old.has(one))) {
    return eni;
  }
  const { prefixes: _, ...rest } = eni;
  return kept.length === 0 ? rest : { ...rest, prefixes: new Set(kept) };
}
