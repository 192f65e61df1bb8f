/**
 * The messages of traffic control: which qdisc or filter of a link is meant,
 * and what it shall be. `qdisc.ts` and `tc_redirect.ts` say what.
 *
 * They are made here and not by libnl: 3.7 has rates of 32 bits, ends the
 * process on some misuse, and reads a node's qdiscs only all at once.
 *
 * @module
 */
import { type Errno, NetlinkError } from "./errno.ts";
import {
  type Attribute,
  concatenate,
  decodeAttributes,
  encodeAttributes,
  u32,
  viewOf,
} from "./message.ts";
import type { RouteSocket } from "./socket.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** The answer comes to who asked, also before 6.3. Source: linux/netlink.h. */
const NLM_F_ECHO = 0x8;
/** Source: linux/rtnetlink.h. */
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
/** The length of struct tcmsg, and where its handle lies. */
const TCMSG_BYTES = 20;
const HANDLE_OFFSET = 8;

/** Attributes by their numbers. */
export type Attributes = ReadonlyMap<number, Uint8Array<ArrayBuffer>>;

/** Which qdisc or filter of a link is meant: struct tcmsg. */
export interface TcPlace {
  /** The link's index. */
  readonly ifIndex: number;
  /** Its number; 0 for any. */
  readonly handle: number;
  /** What it hangs on. */
  readonly parent: number;
  /** Of a filter, its priority and protocol. */
  readonly info?: number;
}

/** A qdisc or filter as the kernel shows it. */
export interface TcSeen {
  /** Such as `tbf`. */
  readonly kind: string;
  /** Its number. */
  readonly handle: number;
  /** What it is set to, by the kind's own numbers. */
  readonly options: Attributes;
}

/**
 * Writes a message's body.
 *
 * @param place Which qdisc or filter.
 * @param what Its kind and what it shall be set to.
 * @returns The bytes after the netlink header.
 */
export function tcBody(
  { ifIndex, handle, parent, info = 0 }: TcPlace,
  what?: { readonly kind: string; readonly options: readonly Attribute[] },
): Uint8Array<ArrayBuffer> {
  const attributes: Attribute[] = [];
  if (what !== undefined) {
    const { kind, options } = what;
    attributes.push([TCA_KIND, new TextEncoder().encode(`${kind}\0`)]);
    if (options.length > 0) attributes.push([TCA_OPTIONS, options]);
  }
  const place = u32(0, ifIndex, handle, parent, info);
  return concatenate([place, encodeAttributes(attributes)]);
}

/** What shall be shown. */
export interface TcQuestion {
  /** The command that does the same, for the error. */
  readonly op: string;
  /** `RTM_GET*`. */
  readonly type: number;
  /** Which qdisc or filter. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** What the kernel says when there is no such thing. */
  readonly absent: readonly Errno[];
}

/**
 * Asks the kernel for one qdisc or filter, without a dump.
 *
 * @param socket Where.
 * @param question Which.
 * @returns What it is; undefined when there is none.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function askTc(
  socket: RouteSocket,
  { op, type, body, absent }: TcQuestion,
): TcSeen | undefined {
  let answers: Uint8Array<ArrayBuffer>[];
  try {
    answers = socket.exchange(op, { type, flags: NLM_F_ECHO, body });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (absent.includes(error.errno)) return undefined;
    throw error;
  }
  const [answer] = answers;
  if (answer === undefined || answer.length < TCMSG_BYTES) return undefined;
  const attributes = decodeAttributes(answer.subarray(TCMSG_BYTES));
  const kind = new TextDecoder().decode(attributes.get(TCA_KIND));
  return {
    kind: kind.replace(/\0$/, ""),
    handle: viewOf(answer).getUint32(HANDLE_OFFSET, LITTLE_ENDIAN),
    options: nested(attributes.get(TCA_OPTIONS)),
  };
}

/**
 * Reads the attributes in an attribute.
 *
 * @param bytes Its value, if it was there.
 * @returns None when it wasn't.
 */
export function nested(bytes: Uint8Array<ArrayBuffer> | undefined): Attributes {
  return decodeAttributes(bytes ?? new Uint8Array());
}

/**
 * Runs work that needs a part which not every kernel has, and says what to do
 * when this one hasn't it.
 *
 * @param work Asks the kernel.
 * @param needed The part, and the modules that bring it.
 * @throws {NetlinkError} What the kernel refused it with.
 */
export function needing(
  work: () => void,
  needed: { readonly part: string; readonly modules: string },
): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    const { op, errno, detail = "" } = error;
    const lacking = errno === "ENOENT" || errno === "EOPNOTSUPP";
    if (!lacking) throw error;
    throw new NetlinkError({
      op,
      errno,
      detail:
        `this kernel has no ${needed.part}, which limits a pod's bandwidth: ` +
        `load ${needed.modules} with modprobe, or give the pod no limit; ${detail}`,
    }, { cause: error });
  }
}
