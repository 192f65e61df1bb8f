/**
 * Addresses as libnl and the kernel hold them, to and from our texts.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { bytesAt, libnl } from "./ffi.ts";
import { type Cidr, type Family, type Ip, ipFromBytes } from "./ip.ts";

/** Source: bits/socket.h. */
const AF_INET = 2;
const AF_INET6 = 10;
const MAC_BYTES = 6;
/** Two digits a byte and five colons. */
const MAC_TEXT_LENGTH = 17;
const HEX = "0123456789abcdef";

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
 * Writes a MAC as the kernel has it.
 *
 * @param mac Six bytes in hex, with colons.
 * @returns The six bytes.
 * @throws {SyntaxError} When it is no MAC.
 */
export function macBytes(mac: Mac): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MAC_BYTES);
  for (let i = 0; i < MAC_BYTES; i++) {
    const high = digit(mac, 3 * i);
    const low = digit(mac, 3 * i + 1);
    const isApart = i === 0 || mac.charAt(3 * i - 1) === ":";
    if (mac.length !== MAC_TEXT_LENGTH || high < 0 || low < 0 || !isApart) {
      throw new SyntaxError(
        `Cannot read a MAC as it must be six lower-case bytes: it is "${mac}"`,
      );
    }
    bytes[i] = 16 * high + low;
  }
  return bytes;
}

function digit(text: string, at: number): number {
  const character = text.charAt(at);
  return character === "" ? -1 : HEX.indexOf(character);
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

function readBytes(object: Deno.PointerObject): Uint8Array {
  const nl = libnl();
  return bytesAt(
    nl.nl_addr_get_binary_addr(object),
    nl.nl_addr_get_len(object),
  );
}
