/**
 * Looks for what lies on one link: an address, a neighbour. The kernel is asked
 * for that alone, where libnl would ask for all of a namespace.
 *
 * @module
 */
import { isGone, NetlinkError } from "./errno.ts";
import { type Cidr, familyOf, type Ip, ipToBytes, parseCidr } from "./ip.ts";
import {
  concatenate,
  decodeAttributes,
  encodeAttributes,
  viewOf,
} from "./message.ts";
import {
  listNeighbours,
  type NeighbourSeen,
  NUD_PERMANENT,
} from "./neighbour.ts";
import { familyNumber, macText } from "./nl_addr.ts";
import type { RouteSocket } from "./socket.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** Source: linux/rtnetlink.h. */
const RTM_GETADDR = 22;
const RTM_GETNEIGH = 30;
/** struct ifaddrmsg and its ifa_index. Source: linux/if_addr.h. */
const ADDRESS_BYTES = 8;
const ADDRESS_INDEX = 4;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** struct ndmsg, its ndm_ifindex, ndm_state. Source: linux/neighbour.h. */
const NEIGHBOUR_BYTES = 12;
const NEIGHBOUR_INDEX = 4;
const NEIGHBOUR_STATE = 8;
const NDA_DST = 1;
const NDA_LLADDR = 2;

/**
 * Tells whether a link has an address.
 *
 * Equivalent to: `ip address show dev $link`. A kernel from 5.0 on tells of
 * this link alone; an older one of all.
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @param cidr The address with its prefix length.
 * @returns True when it has; false when there is no such link.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function hasAddress(
  socket: RouteSocket,
  ifIndex: number,
  cidr: Cidr,
): boolean {
  const { ip, length, family } = parseCidr(cidr);
  const wanted = ipToBytes(ip);
  const body = new Uint8Array(ADDRESS_BYTES);
  body[0] = familyNumber(family);
  viewOf(body).setUint32(ADDRESS_INDEX, ifIndex, LITTLE_ENDIAN);
  const op = `ip address show dev #${ifIndex}`;
  const message = { type: RTM_GETADDR, flags: 0, body };
  try {
    const seen = [...socket.dumpBodies(op, message, { strict: true })].flat();
    return seen.some((one) => {
      const at = viewOf(one).getUint32(ADDRESS_INDEX, LITTLE_ENDIAN);
      return at === ifIndex && one[1] === length && isOf(one, wanted);
    });
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** An address with a peer is the local one; else IPv6 shows no local one. */
function isOf(body: Uint8Array<ArrayBuffer>, wanted: Uint8Array): boolean {
  const attributes = decodeAttributes(body.subarray(ADDRESS_BYTES));
  const own = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  return own?.length === wanted.length &&
    own.every((byte, at) => byte === wanted[at]);
}

/**
 * Finds a neighbour whose MAC is known.
 *
 * Equivalent to: `ip neighbour get $ip dev $link`. All namespaces' neighbours
 * are in one table of the kernel's, so that even a dump of one link costs a
 * walk over it: 0.7 ms. Kernels before 5.0 know nothing else.
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @param ip The neighbour's address.
 * @returns The neighbour; undefined when there is none, or no such link.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function findNeighbour(
  socket: RouteSocket,
  ifIndex: number,
  ip: Ip,
): NeighbourSeen | undefined {
  const header = new Uint8Array(NEIGHBOUR_BYTES);
  header[0] = familyNumber(familyOf(ip));
  viewOf(header).setInt32(NEIGHBOUR_INDEX, ifIndex, LITTLE_ENDIAN);
  const own = encodeAttributes([[NDA_DST, ipToBytes(ip)]]);
  const op = `ip neighbour get ${ip} dev #${ifIndex}`;
  const body = concatenate([header, own]);
  const message = { type: RTM_GETNEIGH, flags: 0, body };
  try {
    const [seen] = socket.exchange(op, message);
    return seen && readNeighbour(seen, ip);
  } catch (error) {
    if (isGone(error)) return undefined;
    const unknown = error instanceof NetlinkError &&
      error.errno === "EOPNOTSUPP";
    if (!unknown) throw error;
    return listNeighbours(socket).find((seen) =>
      seen.ifIndex === ifIndex && seen.ip === ip
    );
  }
}

function readNeighbour(
  body: Uint8Array<ArrayBuffer>,
  ip: Ip,
): NeighbourSeen | undefined {
  const view = viewOf(body);
  const mac = decodeAttributes(body.subarray(NEIGHBOUR_BYTES)).get(NDA_LLADDR);
  if (mac === undefined) return undefined;
  const state = view.getUint16(NEIGHBOUR_STATE, LITTLE_ENDIAN);
  return {
    ifIndex: view.getInt32(NEIGHBOUR_INDEX, LITTLE_ENDIAN),
    ip,
    mac: macText(mac),
    permanent: (state & NUD_PERMANENT) !== 0,
  };
}
