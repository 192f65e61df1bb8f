/**
 * Prefixes of addresses that a card is given as a whole: /28 of IPv4.
 *
 * A prefix is sixteen addresses that come and go together; the type's bound
 * counts it as one address. Source: API page AssignPrivateIpAddresses,
 * `Ipv4Prefix.N`, read 2026-11-21.
 *
 * @module
 */
import { addressAt, type Cidr, familyOf, type Ip } from "../netns/ip.ts";

/** Bits of an IPv4 prefix. Source: Terway, docs/ip-prefix.md, "/28". */
export const PREFIX_LENGTH: number = 28;

/** Addresses in a prefix. */
export const PREFIX_SIZE: number = 16;

/** Prefixes in one call. Source: ECS, `Ipv4PrefixCount` and `Ipv4Prefix.N`. */
export const PREFIXES_PER_CALL: number = 10;

/**
 * Gives all addresses of a prefix; a pod may have each of them.
 *
 * @example A prefix has no address that nobody can have
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const ips = ipsOfPrefix("10.0.1.16/28");
 * assertEquals([ips.length, ips[0], ips[15]], [16, "10.0.1.16", "10.0.1.31"]);
 * ```
 * @param prefix The prefix, a /28.
 * @returns Its addresses, lowest first.
 */
export function ipsOfPrefix(prefix: Cidr): readonly Ip[] {
  return Array.from({ length: PREFIX_SIZE }, (_, at) => addressAt(prefix, at));
}

/**
 * Gives the prefix that an address would be of.
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
