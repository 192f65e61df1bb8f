/**
 * Prefixes of addresses that a card is given as a whole: /28 of IPv4, /80 of
 * IPv6.
 *
 * A prefix is addresses that come and go together; the type's bound counts it
 * as one address. A /28 is sixteen addresses. Of a /80 pods may have the first
 * 256 after its own: more than a card carries pods. Source: API pages
 * AssignPrivateIpAddresses, `Ipv4Prefix.N`, and AssignIpv6Addresses,
 * `Ipv6Prefix.N`, read 2026-11-21.
 *
 * @module
 */
import {
  addressAt,
  type Cidr,
  type Family,
  familyOf,
  type Ip,
} from "../netns/ip.ts";

/** Bits of an IPv4 prefix. Source: Terway, docs/ip-prefix.md, "/28". */
export const PREFIX_LENGTH: number = 28;

/** Bits of an IPv6 prefix. Source: Terway, docs/ip-prefix.md, "/80". */
export const PREFIX6_LENGTH: number = 80;

/** Addresses in an IPv4 prefix. */
export const PREFIX_SIZE: number = 16;

/** Addresses of an IPv6 prefix that pods may have. */
export const PREFIX6_SIZE: number = 256;

/** Prefixes in one call. Source: ECS, `Ipv4PrefixCount` and `Ipv4Prefix.N`. */
export const PREFIXES_PER_CALL: number = 10;

/** Prefixes of IPv6 whose addresses are kept; more than any node has. */
const KEPT_COUNT = 256;

/**
 * The addresses of IPv6 prefixes, kept as writing them out takes half a
 * millisecond a prefix.
 */
const kept = new Map<Cidr, ReadonlySet<Ip>>();

/**
 * Tells how many addresses of a prefix pods may have.
 *
 * @param family Of which family the prefix is.
 * @returns How many.
 */
export function prefixSize(family: Family): number {
  return family === 4 ? PREFIX_SIZE : PREFIX6_SIZE;
}

/**
 * Gives all addresses of a prefix that a pod may have.
 *
 * @example A prefix of IPv4 has no address that nobody can have
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const ips = ipsOfPrefix("10.0.1.16/28");
 * assertEquals([ips.length, ips[0], ips[15]], [16, "10.0.1.16", "10.0.1.31"]);
 * const [first] = ipsOfPrefix("fd00:0:0:1:2::/80");
 * assertEquals(first, "fd00::1:2:0:0:1");
 * ```
 * @param prefix The prefix, a /28 or a /80.
 * @returns Its addresses, lowest first.
 */
export function ipsOfPrefix(prefix: Cidr): readonly Ip[] {
  if (familyOf(prefix) === 6) return [...ip6sOf(prefix)];
  return Array.from({ length: PREFIX_SIZE }, (_, at) => addressAt(prefix, at));
}

/**
 * Tells whether an address is one of {@linkcode ipsOfPrefix}.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 *
 * assert(isOfPrefix("10.0.1.16/28", "10.0.1.25"));
 * assert(!isOfPrefix("10.0.1.16/28", "10.0.1.32"));
 * assert(isOfPrefix("fd00:1:2:3:4::/80", "fd00:1:2:3:4::7"));
 * assert(!isOfPrefix("fd00:1:2:3:4::/80", "fd00:1:2:3:4::1:0"));
 * ```
 * @param prefix The prefix.
 * @param ip An address.
 * @returns Whether it is.
 */
export function isOfPrefix(prefix: Cidr, ip: Ip): boolean {
  if (familyOf(ip) !== familyOf(prefix)) return false;
  return familyOf(ip) === 6
    ? ip6sOf(prefix).has(ip)
    : prefixAround(ip) === prefix;
}

/**
 * Gives the prefix that an IPv4 address would be of.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(prefixAround("10.0.1.25"), "10.0.1.16/28");
 * assertEquals(prefixAround("fd00::1"), undefined);
 * ```
 * @param ip An address.
 * @returns The /28 around it; undefined for IPv6.
 */
export function prefixAround(ip: Ip): Cidr | undefined {
  if (familyOf(ip) !== 4) return undefined;
  const at = ip.lastIndexOf(".") + 1;
  const last = Number(ip.slice(at));
  return `${ip.slice(0, at)}${last - last % PREFIX_SIZE}/${PREFIX_LENGTH}`;
}

/** Not the first one: to routers of a subnet it would be theirs. RFC 4291, 2.6.1 */
function ip6sOf(prefix: Cidr): ReadonlySet<Ip> {
  const known = kept.get(prefix);
  if (known !== undefined) return known;
  const ips = new Set(
    Array.from(
      { length: PREFIX6_SIZE },
      (_, at) => addressAt(prefix, at + 1),
    ),
  );
  if (kept.size >= KEPT_COUNT) kept.clear();
  kept.set(prefix, ips);
  return ips;
}
