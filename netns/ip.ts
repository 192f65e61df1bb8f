/**
 * IP arithmetic: the one place that knows how addresses are written.
 *
 * An address travels as its canonical text (`10.0.0.7`, `fd00::7`), a prefix
 * as `address/length`. This module is a leaf: `pool/`, `netns/` and `modes/`
 * may import it. It isn't a parser for ranges, ports or host names.
 *
 * @module
 */
import ipaddr from "ipaddr.js";

/** The character `0`. */
const ZERO = 48;

/** An IPv4 or IPv6 address in canonical text, such as `10.0.0.7`. */
export type Ip = string;

/** An address and its prefix length, such as `10.0.0.0/24`. */
export type Cidr = string;

/** An address family: 4 or 6. */
export type Family = 4 | 6;

/**
 * Reads an address and gives its canonical text.
 *
 * @example Canonical text
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseIp("FD00:0::7"), "fd00::7");
 * ```
 * @param text What someone wrote; four decimal parts for IPv4.
 * @returns The canonical text.
 * @throws {SyntaxError} When it is no address.
 */
export function parseIp(text: string): Ip {
  // Asked first, as the library tells by a thrown error what isn't IPv4: that
  // was a sixth of a dual-stack ADD.
  const isIpv6 = text.includes(":") && ipaddr.IPv6.isValid(text);
  if (isIpv6) return ipaddr.IPv6.parse(text).toString();
  if (ipv4Bytes(text) !== undefined) return text;
  throw new SyntaxError(
    `Cannot read an address as it must be IPv4 or IPv6: it is "${text}"`,
  );
}

/**
 * Reads a prefix; host bits are kept, as in `ip address`.
 *
 * @param text An address, a slash and a length.
 * @returns Its parts, the address in canonical text.
 * @throws {SyntaxError} When it is no prefix.
 */
export function parseCidr(
  text: string,
): { ip: Ip; length: number; family: Family } {
  const [address, bits, ...rest] = text.split("/");
  const length = decimal(bits ?? "");
  if (address === undefined || rest.length > 0 || length === undefined) {
    throw new SyntaxError(
      `Cannot read a prefix as it must be address/length: it is "${text}"`,
    );
  }
  const ip = parseIp(address);
  const family = familyOf(ip);
  if (length > (family === 4 ? 32 : 128)) {
    throw new SyntaxError(
      `Cannot read a prefix as its length must fit the address: it is "${text}"`,
    );
  }
  return { ip, length, family };
}

/**
 * Tells an address's family.
 *
 * @param ip A canonical address.
 * @returns 4 or 6.
 */
export function familyOf(ip: Ip): Family {
  return ip.includes(":") ? 6 : 4;
}

/**
 * Makes the prefix that holds exactly one address: `/32` or `/128`.
 *
 * @param ip A canonical address.
 * @returns The prefix.
 */
export function hostCidr(ip: Ip): Cidr {
  return `${ip}/${familyOf(ip) === 4 ? 32 : 128}`;
}

/**
 * Tells whether a prefix holds an address.
 *
 * @param cidr A prefix.
 * @param ip An address; one of the other family is never held.
 * @returns True when it does.
 */
export function contains(cidr: Cidr, ip: Ip): boolean {
  const range = parseCidr(cidr);
  if (range.family !== familyOf(ip)) return false;
  return ipaddr.parse(ip).match(ipaddr.parse(range.ip), range.length);
}

/**
 * Gives the address that lies `offset` places after the prefix's first one, or
 * before the place after its last one when `offset` is negative.
 *
 * @example The gateway of a vSwitch is its third-last address
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(addressAt("10.0.1.0/24", -3), "10.0.1.253");
 * ```
 * @param cidr A prefix.
 * @param offset A whole number of addresses.
 * @returns The address.
 * @throws {RangeError} When the prefix has no such address.
 */
export function addressAt(cidr: Cidr, offset: number): Ip {
  const { ip, length, family } = parseCidr(cidr);
  const bits = family === 4 ? 32 : 128;
  const count = 1n << BigInt(bits - length);
  const place = offset < 0 ? count + BigInt(offset) : BigInt(offset);
  if (place < 0n || place >= count) {
    throw new RangeError(
      `Cannot take address ${offset} of ${cidr} as it has ${count} addresses`,
    );
  }
  const first = (toBigInt(ip) >> BigInt(bits - length)) <<
    BigInt(bits - length);
  return fromBigInt(first + place, family);
}

/**
 * Gives the gateway of a vSwitch: its third-last address.
 *
 * Source: what ECS metadata answers for `gateway`; see reference of the VPC
 * documentation, "reserved addresses of a vSwitch" (read 2026-11-21).
 *
 * @param cidr The vSwitch's prefix.
 * @returns The gateway's address.
 */
export function gatewayOf(cidr: Cidr): Ip {
  return addressAt(cidr, -3);
}

/**
 * Orders addresses by family, then by value.
 *
 * @param a An address.
 * @param b Another.
 * @returns Negative, zero or positive, as `Array.sort` wants it.
 */
export function compareIp(a: Ip, b: Ip): number {
  if (familyOf(a) !== familyOf(b)) return familyOf(a) - familyOf(b);
  const [x, y] = [toBigInt(a), toBigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/**
 * Writes an address as the bytes of a packet.
 *
 * @param ip A canonical address.
 * @returns 4 or 16 bytes, in network order.
 */
export function ipToBytes(ip: Ip): Uint8Array<ArrayBuffer> {
  const bytes = ipv4Bytes(ip);
  if (bytes !== undefined) return bytes;
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

/**
 * Reads the bytes of a packet as an address.
 *
 * @param bytes 4 or 16 bytes, in network order.
 * @returns The canonical address.
 * @throws {RangeError} When there are more or fewer.
 */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(
      `Cannot read an address as it must be 4 or 16 bytes: there are ${bytes.length}`,
    );
  }
  return ipaddr.fromByteArray([...bytes]).toString();
}

/**
 * Reads four decimal parts. The library takes four times as long, in code that
 * runs too seldom to be compiled.
 */
function ipv4Bytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] ?? "";
    const byte = decimal(part);
    const isOctal = part.length > 1 && part.startsWith("0");
    if (byte === undefined || byte > 255 || isOctal) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** Reads one to three digits. */
function decimal(text: string): number | undefined {
  if (text.length < 1 || text.length > 3) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = 10 * value + digit;
  }
  return value;
}

function toBigInt(ip: Ip): bigint {
  return ipToBytes(ip).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function fromBigInt(value: bigint, family: Family): Ip {
  const bytes = Uint8Array.from(
    { length: family === 4 ? 4 : 16 },
    (_, i) => Number((value >> BigInt(8 * i)) & 0xffn),
  );
  return ipFromBytes(bytes.reverse());
}
