/**
 * Netlink attributes as bytes, for what libnl 3.7 can't say or says unsafely:
 * rates over 17 Gbit/s, the wishes of a classifier. `socket.ts` sends them.
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

/** A message without the header that its socket gives it. */
export interface Message {
  /** `RTM_*`. */
  readonly type: number;
  /** `NLM_F_*`, without REQUEST and ACK. */
  readonly flags: number;
  /** The family's own header and the attributes. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** An attribute: its number, and its bytes or the attributes that it holds. */
export type Attribute = readonly [
  type: number,
  value: Uint8Array | readonly Attribute[],
];

/**
 * Writes attributes, each on a border of four bytes.
 *
 * @example An attribute in another
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeAttributes([[2, [[1, u32(7)]]]]);
 * assertEquals([...bytes], [12, 0, 2, 128, 8, 0, 1, 0, 7, 0, 0, 0]);
 * ```
 * @param attributes In their order.
 * @returns Their bytes.
 */
export function encodeAttributes(
  attributes: readonly Attribute[],
): Uint8Array<ArrayBuffer> {
  return concatenate(attributes.map(encodeOne));
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
  const view = viewOf(bytes);
  numbers.forEach((number, i) =>
    view.setUint32(4 * i, number >>> 0, LITTLE_ENDIAN)
  );
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

function encodeOne([type, value]: Attribute): Uint8Array {
  const nested = !(value instanceof Uint8Array);
  const inner = nested ? encodeAttributes(value) : value;
  const length = HEADER_BYTES + inner.length;
  const bytes = new Uint8Array(align(length));
  const view = viewOf(bytes);
  view.setUint16(0, length, LITTLE_ENDIAN);
  view.setUint16(2, nested ? type | NLA_F_NESTED : type, LITTLE_ENDIAN);
  bytes.set(inner, HEADER_BYTES);
  return bytes;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
