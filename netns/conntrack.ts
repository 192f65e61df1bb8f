/**
 * Connection tracking: what `conntrack` does, as far as an address that gets a
 * new owner needs it. A flow of the old owner would otherwise still lead its
 * packets, past the rules that a new flow meets, to the new one.
 *
 * @module
 */
import { isGone, NetlinkError } from "./errno.ts";
import { familyOf, type Ip, ipFromBytes } from "./ip.ts";
import {
  type Attribute,
  concatenate,
  decodeAttributes,
  encodeAttributes,
} from "./message.ts";
import type { Namespace } from "./namespace.ts";
import { openNetfilter, type RouteSocket } from "./socket.ts";

/** NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_GET, _DELETE. Source: linux/netfilter/nfnetlink_conntrack.h. */
const CT_GET = 0x101;
const CT_DELETE = 0x102;
/** struct nfgenmsg comes before the attributes. */
const HEADER_BYTES = 4;
/** Source: linux/netfilter/nfnetlink_conntrack.h. */
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
/** In a tuple; in it the addresses are numbers 1 to 4. */
const CTA_TUPLE_IP = 1;
/** NLA_F_NESTED, for an attribute whose bytes are passed on as they came. */
const NESTED = 0x8000;
/** Source: bits/socket.h. */
const AF_INET = 2;
const AF_INET6 = 10;

/** Groups of 100 to 200 flows that are read before others have a turn. */
const GROUP_COUNT = 8;

/** What identifies a flow to the kernel. */
type Flow = readonly Attribute[];

/**
 * Deletes the flows that an address takes part in, as either end and before
 * or after translation.
 *
 * Equivalent to: `conntrack -D -s $ip`, and the same with `-d`, `-r`, `-q`.
 *
 * Effects: reads all flows of the addresses' families, and lets others work
 * in between. Safe to repeat: yes.
 *
 * @param ips The addresses.
 * @param options Where, this thread's own namespace when absent; and what
 * lets others work.
 * @returns How many flows were deleted.
 * @throws {NetlinkError} `EOPNOTSUPP` when the kernel tracks no connections, or can't be asked about them.
 */
export async function forgetFlows(
  ips: readonly Ip[],
  { namespace, othersTurn }: {
    readonly namespace: Namespace | undefined;
    readonly othersTurn: () => Promise<void>;
  },
): Promise<number> {
  let deletedCount = 0;
  using reader = openNetfilter(namespace);
  using writer = openNetfilter(namespace);
  for (const family of [4, 6] as const) {
    const wanted = new Set(ips.filter((ip) => familyOf(ip) === family));
    if (wanted.size === 0) continue;
    let groupCount = 0;
    for (const group of flows(reader, family)) {
      for (const body of group) {
        const flow = flowOf(body, wanted);
        if (flow !== undefined && deleted(writer, family, flow)) {
          deletedCount++;
        }
      }
      if (++groupCount % GROUP_COUNT === 0) await othersTurn();
    }
  }
  return deletedCount;
}

/**
 * Asks once for what {@linkcode forgetFlows} needs.
 *
 * @param namespace Where; this thread's own when absent.
 * @throws {NetlinkError} `EOPNOTSUPP` when the kernel can't.
 */
export function requireFlows(namespace?: Namespace): void {
  using reader = openNetfilter(namespace);
  for (const _ of flows(reader, 4)) { /* read to the end */ }
}

function* flows(
  socket: RouteSocket,
  family: 4 | 6,
): Generator<Uint8Array<ArrayBuffer>[]> {
  const op = `conntrack -L -f ipv${family}`;
  try {
    const body = genericHeader(family);
    yield* socket.dumpBodies(op, { type: CT_GET, flags: 0, body });
  } catch (error) {
    // What a kernel without this part of nfnetlink says.
    if (!(error instanceof NetlinkError) || error.errno !== "EINVAL") {
      throw error;
    }
    throw new NetlinkError({
      op,
      errno: "EOPNOTSUPP",
      detail: "This kernel has no nf_conntrack_netlink",
    }, { cause: error });
  }
}

/** What names a flow, when one of the addresses takes part in it. */
function flowOf(
  body: Uint8Array<ArrayBuffer>,
  wanted: ReadonlySet<Ip>,
): Flow | undefined {
  const attributes = decodeAttributes(body.subarray(HEADER_BYTES));
  const original = attributes.get(CTA_TUPLE_ORIG);
  const reply = attributes.get(CTA_TUPLE_REPLY);
  if (original === undefined) return undefined;
  const ips = [...addressesOf(original), ...addressesOf(reply)];
  if (!ips.some((ip) => wanted.has(ip))) return undefined;
  const flow: Attribute[] = [[CTA_TUPLE_ORIG | NESTED, original]];
  // The number too: the same tuple may be a new flow's by now.
  for (const type of [CTA_ID, CTA_ZONE]) {
    const value = attributes.get(type);
    if (value !== undefined) flow.push([type, value]);
  }
  return flow;
}

function* addressesOf(
  tuple: Uint8Array<ArrayBuffer> | undefined,
): Generator<Ip> {
  if (tuple === undefined) return;
  const inner = decodeAttributes(tuple).get(CTA_TUPLE_IP);
  if (inner === undefined) return;
  for (const bytes of decodeAttributes(inner).values()) {
    if (bytes.length === 4 || bytes.length === 16) yield ipFromBytes(bytes);
  }
}

/** False when it ended by itself. */
function deleted(socket: RouteSocket, family: 4 | 6, flow: Flow): boolean {
  const body = concatenate([genericHeader(family), encodeAttributes(flow)]);
  try {
    socket.exchange("conntrack -D", { type: CT_DELETE, flags: 0, body });
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** struct nfgenmsg: family, version 0, resource 0. */
function genericHeader(family: 4 | 6): Uint8Array<ArrayBuffer> {
  return new Uint8Array([family === 4 ? AF_INET : AF_INET6, 0, 0, 0]);
}
