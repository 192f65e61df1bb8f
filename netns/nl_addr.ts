/**
 * Addresses as libnl holds them, to and from our texts.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { bytesAt, libnl, Owned } from "./ffi.ts";
import { type Cidr, type Family, ipFromBytes, ipToBytes } from "./ip.ts";
import { type Ip, parseCidr } from "./ip.ts";

/** Source: bits/socket.h. */
const AF_INET = 2;
const AF_INET6 = 10;
/** What libnl calls a MAC (AF_LLC), not AF_PACKET. Source: nl_addr_parse(). */
const AF_LLC = 26;

/**
 * Gives the number of an address family.
 *
 * @param family 4 or 6.
 * @returns `AF_INET` or `AF_INET6`.
 */
export function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/**
 * Tells which family a number means.
 *
 * @param number Such as `AF_INET`.
 * @returns 4 or 6; undefined for every other.
 */
export function familyOfNumber(number: number): Family | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}

/**
 * Makes libnl's form of a prefix.
 *
 * @param cidr An address and its length.
 * @returns The object; free it.
 * @throws {SyntaxError} When it is no prefix.
 */
export function prefixObject(cidr: Cidr): Owned {
  const { ip, length } = parseCidr(cidr);
  const object = addressObject(ip);
  libnl().nl_addr_set_prefixlen(object.pointer, length);
  return object;
}

/**
 * Makes libnl's form of an address.
 *
 * @param ip A canonical address.
 * @returns The object; free it.
 */
export function addressObject(ip: Ip): Owned {
  const bytes = ipToBytes(ip);
  return build(bytes.length === 4 ? AF_INET : AF_INET6, bytes);
}

/**
 * Makes libnl's form of a MAC.
 *
 * @param mac Six bytes in hex, with colons.
 * @returns The object; free it.
 * @throws {SyntaxError} When it is no MAC.
 */
export function macObject(mac: Mac): Owned {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) {
    throw new SyntaxError(
      `Cannot read a MAC as it must be six lower-case bytes: it is "${mac}"`,
    );
  }
  return build(
    AF_LLC,
    Uint8Array.from(mac.split(":"), (byte) => parseInt(byte, 16)),
  );
}

/**
 * Reads libnl's form of an address with its length.
 *
 * @param object An address of IPv4 or IPv6.
 * @returns The prefix; all of the family for an address without bytes.
 */
export function readCidr(object: Deno.PointerObject): Cidr {
  const nl = libnl();
  const length = nl.nl_addr_get_prefixlen(object);
  const bytes = readBytes(object);
  if (bytes.length > 0) return `${ipFromBytes(bytes)}/${length}`;
  return nl.nl_addr_get_family(object) === AF_INET ? "0.0.0.0/0" : "::/0";
}

/**
 * Reads libnl's form of an address.
 *
 * @param object An address of IPv4 or IPv6.
 * @returns The address without its length.
 */
export function readIp(object: Deno.PointerObject): Ip {
  return ipFromBytes(readBytes(object));
}

/**
 * Reads libnl's form of a MAC.
 *
 * @param object A link-layer address, or null.
 * @returns Its bytes in hex with colons; empty when there are none.
 */
export function readMac(object: Deno.PointerValue): Mac {
  return object === null ? "" : macText(readBytes(object));
}

/**
 * Writes a MAC.
 *
 * @param bytes Six.
 * @returns Them in hex with colons.
 */
export function macText(bytes: Uint8Array): Mac {
  const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
  return Array.from(bytes, hex).join(":");
}

function build(family: number, bytes: Uint8Array<ArrayBuffer>): Owned {
  const nl = libnl();
  const pointer = nl.nl_addr_build(family, bytes, BigInt(bytes.length));
  return new Owned(pointer, nl.nl_addr_put);
}

function readBytes(object: Deno.PointerObject): Uint8Array {
  const nl = libnl();
  return bytesAt(
    nl.nl_addr_get_binary_addr(object),
    nl.nl_addr_get_len(object),
  );
}
