/**
 * Netlink messages as bytes: all that changes something is written here, and
 * `socket.ts` sends it. libnl could say most of it too, by 15 calls a message:
 * they were a sixth of what an ADD waits for the kernel's thread.
 *
 * @module
 */

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** Marks an attribute that holds others. Source: linux/netlink.h. */
const NLA_F_NESTED = 0x8000;
/** The number without its two flags. Source: linux/netlink.h. */
const NLA_TYPE_MASK = 0x3fff;
const HEADER_BYTES = 4;
const NOTHING = new Uint8Array();

/** A message without the header that its socket gives it. */
export interface Message {
  /** `RTM_*`. */
  readonly type: number;
  /** `NLM_F_*`, without REQUEST and ACK. */
  readonly flags: number;
  /** The family's own header and the attributes. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * An attribute: its number, and a number of 32 bits, bytes, or the attributes
 * that it holds.
 */
export type Attribute = readonly [
  type: number,
  value: number | Uint8Array | readonly Attribute[],
];

/**
 * Writes attributes, each on a border of four bytes.
 *
 * @example An attribute in another
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeAttributes([[2, [[1, 7]]]]);
 * assertEquals([...bytes], [12, 0, 2, 128, 8, 0, 1, 0, 7, 0, 0, 0]);
 * ```
 * @param attributes In their order.
 * @returns Their bytes.
 */
export function encodeAttributes(
  attributes: readonly Attribute[],
): Uint8Array<ArrayBuffer> {
  return encodeBody(NOTHING, attributes);
}

/**
 * Writes what a message holds after netlink's own header.
 *
 * @param header The family's own header, a multiple of four bytes.
 * @param attributes In their order.
 * @returns Their bytes.
 */
export function encodeBody(
  header: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(header.length + sizeOf(attributes));
  bytes.set(header);
  write(bytes, header.length, attributes);
  return bytes;
}

/**
 * Reads attributes. What is cut short is left out: the kernel sends nothing
 * so.
 *
 * @param bytes Attributes and nothing else.
 * @returns The bytes of each by its number, the last of a number.
 */
export function decodeAttributes(
  bytes: Uint8Array<ArrayBuffer>,
): Map<number, Uint8Array<ArrayBuffer>> {
  const view = viewOf(bytes);
  const found = new Map<number, Uint8Array<ArrayBuffer>>();
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = view.getUint16(at, LITTLE_ENDIAN);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    const type = view.getUint16(at + 2, LITTLE_ENDIAN) & NLA_TYPE_MASK;
    found.set(type, bytes.subarray(at + HEADER_BYTES, at + length));
    at += align(length);
  }
  return found;
}

/**
 * Joins bytes.
 *
 * @param parts In their order.
 * @returns All of them.
 */
export function concatenate(
  parts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Writes 32-bit numbers.
 *
 * @param numbers Whole; negative ones as two's complement.
 * @returns Four bytes each.
 */
export function u32(...numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * numbers.length);
  numbers.forEach((number, i) => setU32(bytes, 4 * i, number));
  return bytes;
}

/**
 * Writes a 32-bit number to its place, as {@linkcode u32} does.
 *
 * @param bytes What is written to.
 * @param at The place.
 * @param number Whole; negative ones as two's complement.
 */
export function setU32(bytes: Uint8Array, at: number, number: number): void {
  setU16(bytes, at, number);
  setU16(bytes, at + 2, number >>> 16);
}

function setU16(bytes: Uint8Array, at: number, number: number): void {
  bytes[at] = number;
  bytes[at + 1] = number >>> 8;
}

/**
 * Writes a 16-bit number.
 *
 * @param number 0 to 65,535.
 * @returns Two bytes.
 */
export function u16(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2);
  setU16(bytes, 0, number);
  return bytes;
}

/**
 * Writes a 64-bit number.
 *
 * @param number Whole, at most 2⁵³.
 * @returns Eight bytes.
 */
export function u64(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt(number), LITTLE_ENDIAN);
  return bytes;
}

/**
 * Looks at bytes as numbers.
 *
 * @param bytes Any.
 * @returns A view of exactly these.
 */
export function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// Plain loops and single bytes: this runs seldom, so never compiled, and
// iterators and views cost a call each then.

function sizeOf(attributes: readonly Attribute[]): number {
  let sum = 0;
  for (let i = 0; i < attributes.length; i++) {
    const value = attributes[i]?.[1] ?? 0;
    const inner = typeof value === "number"
      ? 4
      : value instanceof Uint8Array
      ? value.length
      : sizeOf(value);
    sum += align(HEADER_BYTES + inner);
  }
  return sum;
}

/** Writes attributes from a place on, and gives the place after them. */
function write(
  bytes: Uint8Array,
  from: number,
  attributes: readonly Attribute[],
): number {
  let at = from;
  for (let i = 0; i < attributes.length; i++) {
    const attribute = attributes[i];
    if (attribute === undefined) continue;
    let type = attribute[0];
    const value = attribute[1];
    let end = at + HEADER_BYTES;
    if (typeof value === "number") {
      setU32(bytes, end, value);
      end += 4;
    } else if (value instanceof Uint8Array) {
      bytes.set(value, end);
      end += value.length;
    } else {
      type |= NLA_F_NESTED;
      end = write(bytes, end, value);
    }
    setU16(bytes, at, end - at);
    setU16(bytes, at + 2, type);
    at = align(end);
  }
  return at;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
