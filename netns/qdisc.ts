/**
 * Queueing disciplines: what `tc qdisc` does with what a link sends, in the
 * namespace that a socket serves.
 *
 * @module
 */
import type { TbfSizes } from "./bandwidth.ts";
import { type Attribute, u32, u64, viewOf } from "./message.ts";
import { CREATE, REPLACE, type RouteSocket } from "./socket.ts";
import { askTc, type Attributes, needing, tcBody } from "./tc_message.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;

/** Source: linux/rtnetlink.h, linux/pkt_sched.h. */
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const TC_H_ROOT = 0xffffffff;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;
/** A tick of a bucket, the same on every machine (PSCHED_SHIFT). */
const TICK_NS = 64;

/** Our qdisc's number, `1:`, the one that Go Terway's has too. */
export const ROOT_HANDLE = 0x10000;

/** A bucket as the kernel shows it. */
export interface TbfSeen extends Omit<TbfSizes, "burstBytes"> {
  /** The time that fills it, in the kernel's ticks of 64 ns, 32 bits of it. */
  readonly burstTicks: number;
}

/** What a link sends through. */
export interface QdiscSeen {
  /** Such as `tbf`, `fq`, `mq`. */
  readonly kind: string;
  /** Its number; 0 for the link's own default. */
  readonly handle: number;
  /** The bucket, of a tbf. */
  readonly tbf?: TbfSeen;
}

/**
 * Puts a token bucket on what a link sends, or gives the one that is there
 * other sizes, whereby no packet that waits is lost.
 *
 * Equivalent to: `tc qdisc replace dev $link root handle 1: tbf rate $rate
 * burst $burst limit $limit`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @param sizes The bucket.
 * @throws {NetlinkError} `ENOENT` when the kernel has no tbf, `EINVAL` when another qdisc has our number.
 */
export function setTbf(
  socket: RouteSocket,
  ifIndex: number,
  sizes: TbfSizes,
): void {
  const { bytesPerSec, burstBytes, limitBytes } = sizes;
  const rate32 = Math.min(bytesPerSec, 0xffffffff);
  // tc_tbf_qopt: the rate with its link layer, no peak rate, limit, and the
  // burst in ticks and the peak's MTU, which TCA_TBF_BURST stands for.
  const parameters = u32(
    ...[TC_LINKLAYER_ETHERNET << 8, 0, rate32],
    ...[0, 0, 0],
    ...[limitBytes, 0, 0],
  );
  const options: Attribute[] = [
    [TCA_TBF_PARMS, parameters],
    [TCA_TBF_BURST, u32(burstBytes)],
  ];
  if (rate32 !== bytesPerSec) options.push([TCA_TBF_RATE64, u64(bytesPerSec)]);
  const op = `tc qdisc replace dev #${ifIndex} root handle 1: tbf rate ` +
    `${bytesPerSec * 8}bit burst ${burstBytes}b limit ${limitBytes}b`;
  needing(() =>
    socket.exchange(op, {
      type: RTM_NEWQDISC,
      flags: CREATE | REPLACE,
      body: tcBody(
        { ifIndex, handle: ROOT_HANDLE, parent: TC_H_ROOT },
        { kind: "tbf", options },
      ),
    }), { part: "tbf", modules: "sch_tbf" });
}

/**
 * Tells what a link sends through, without a dump.
 *
 * Equivalent to: `tc qdisc show dev $link root`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @returns The qdisc; undefined when there is none.
 * @throws {NetlinkError} `ENODEV` when the link isn't there.
 */
export function rootQdisc(
  socket: RouteSocket,
  ifIndex: number,
): QdiscSeen | undefined {
  const found = askTc(socket, {
    op: `tc qdisc show dev #${ifIndex} root`,
    type: RTM_GETQDISC,
    body: tcBody({ ifIndex, handle: 0, parent: TC_H_ROOT }),
    // What a link has by itself when it has no queue can't be shown.
    absent: ["ENOENT", "EINVAL"],
  });
  if (found === undefined) return undefined;
  const { kind, handle, options } = found;
  return { kind, handle, ...kind === "tbf" && { tbf: readTbf(options) } };
}

/**
 * Takes away what a link sends through; the kernel gives it its default.
 *
 * Equivalent to: `tc qdisc delete dev $link root`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @throws {NetlinkError} `ENOENT` when it has its default already.
 */
export function deleteRootQdisc(socket: RouteSocket, ifIndex: number): void {
  socket.exchange(`tc qdisc delete dev #${ifIndex} root`, {
    type: RTM_DELQDISC,
    flags: 0,
    body: tcBody({ ifIndex, handle: 0, parent: TC_H_ROOT }),
  });
}

/**
 * Tells whether a bucket is as planned. The kernel keeps the burst as a time
 * in ticks, so it may be one off.
 *
 * @param seen As the kernel shows it.
 * @param sizes As planned.
 * @returns True when it is.
 */
export function isTbf(seen: TbfSeen, sizes: TbfSizes): boolean {
  const { bytesPerSec, burstBytes, limitBytes } = sizes;
  if (seen.bytesPerSec !== bytesPerSec) return false;
  if (seen.limitBytes !== limitBytes) return false;
  const ticks = burstBytes * 1e9 / bytesPerSec / TICK_NS;
  // Of a burst that lasts minutes, the kernel shows the lower 32 bits.
  const off = Math.abs(Math.floor(ticks) % 2 ** 32 - seen.burstTicks);
  return off <= 1 + ticks * 1e-6;
}

/**
 * Gives a bucket's burst in bytes, as near as the kernel's ticks tell.
 *
 * @param seen As the kernel shows it.
 * @returns Bytes.
 */
export function burstBytesOf(seen: TbfSeen): number {
  return Math.round(seen.burstTicks * TICK_NS * seen.bytesPerSec / 1e9);
}

/** Reads struct tc_tbf_qopt. */
function readTbf(options: Attributes): TbfSeen {
  const parameters = options.get(TCA_TBF_PARMS) ?? new Uint8Array();
  const word = (at: number): number =>
    parameters.length < at + 4
      ? 0
      : viewOf(parameters).getUint32(at, LITTLE_ENDIAN);
  const rate64 = options.get(TCA_TBF_RATE64);
  const bytesPerSec = rate64 === undefined
    ? word(8)
    : Number(viewOf(rate64).getBigUint64(0, LITTLE_ENDIAN));
  return { bytesPerSec, limitBytes: word(24), burstTicks: word(28) };
}
