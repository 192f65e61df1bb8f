/**
 * Neighbours: what `ip neighbour` does, in the namespace that a socket serves.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { libnlRoute, type Pointer } from "./ffi.ts";
import { familyOf, type Ip, ipToBytes } from "./ip.ts";
import { type Attribute, encodeBody, setU32 } from "./message.ts";
import { familyNumber, macBytes, readIp, readMac } from "./nl_addr.ts";
import { CREATE, EXCL, REPLACE, type RouteSocket } from "./socket.ts";

/** Source: linux/rtnetlink.h. */
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
/** struct ndmsg: ndm_ifindex, ndm_state, ndm_flags. Source: linux/neighbour.h. */
const HEADER_BYTES = 12;
const HEADER_INDEX = 4;
const HEADER_STATE = 8;
const HEADER_FLAGS = 10;
const NDA_DST = 1;
const NDA_LLADDR = 2;
/** Valid for ever. Source: linux/neighbour.h. */
export const NUD_PERMANENT = 0x80;
/** Answers for somebody else. Source: linux/neighbour.h. */
const NTF_PROXY = 0x08;

/** Who has an address on a link. */
export interface Neighbour {
  /** The link's index. */
  readonly ifIndex: number;
  /** The address. */
  readonly ip: Ip;
  /** Its MAC. */
  readonly mac: Mac;
}

/** A neighbour as the kernel shows it. */
export interface NeighbourSeen extends Neighbour {
  /** Whether it was set and is never asked for. */
  readonly permanent: boolean;
}

/**
 * Sets a neighbour for ever.
 *
 * Equivalent to: `ip neighbour add $ip lladdr $mac dev $link nud permanent`
 *
 * @param socket Where.
 * @param neighbour Who has what.
 * @throws {NetlinkError} `EEXIST` when there is an entry, learnt ones too.
 */
export function addNeighbour(socket: RouteSocket, neighbour: Neighbour): void {
  add(socket, { ...neighbour, flags: CREATE | EXCL });
}

/**
 * Sets a neighbour for ever, whatever the entry was.
 *
 * Equivalent to: `ip neighbour replace $ip lladdr $mac dev $link nud permanent`
 *
 * @param socket Where.
 * @param neighbour Who has what.
 * @throws {NetlinkError} `ENODEV` when there is no such link.
 */
export function replaceNeighbour(
  socket: RouteSocket,
  neighbour: Neighbour,
): void {
  add(socket, { ...neighbour, flags: CREATE | REPLACE });
}

/**
 * Takes a neighbour's entry away.
 *
 * Equivalent to: `ip neighbour delete $ip dev $link`
 *
 * @param socket Where.
 * @param neighbour The link and the address.
 * @throws {NetlinkError} `ENOENT` when there is no entry.
 */
export function deleteNeighbour(
  socket: RouteSocket,
  neighbour: Omit<Neighbour, "mac">,
): void {
  socket.exchange(
    `ip neighbour delete ${neighbour.ip} dev #${neighbour.ifIndex}`,
    { type: RTM_DELNEIGH, flags: 0, body: encode(neighbour) },
  );
}

/**
 * Makes a link answer neighbour solicitations for an address elsewhere.
 *
 * Equivalent to: `ip neighbour add proxy $ip dev $link`
 *
 * @param socket Where.
 * @param proxy The link and the address.
 * @throws {NetlinkError} `ENODEV` when there is no such link.
 */
export function addProxyNeighbour(
  socket: RouteSocket,
  proxy: Omit<Neighbour, "mac">,
): void {
  socket.exchange(
    `ip neighbour add proxy ${proxy.ip} dev #${proxy.ifIndex}`,
    {
      type: RTM_NEWNEIGH,
      flags: CREATE | REPLACE,
      body: encode(proxy, { flags: NTF_PROXY }),
    },
  );
}

/**
 * Lists the neighbours whose MAC is known.
 *
 * Equivalent to: `ip neighbour show`
 *
 * @param socket Where.
 * @returns The entries of both families, learnt ones too.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function listNeighbours(socket: RouteSocket): NeighbourSeen[] {
  const { rtnl_neigh_alloc_cache: dump } = libnlRoute();
  return socket.dump(
    "ip neighbour show",
    (place) => dump(socket.pointer, place),
    readNeighbour,
  );
}

function readNeighbour(object: Pointer): NeighbourSeen | undefined {
  const lib = libnlRoute();
  const dst = lib.rtnl_neigh_get_dst(object);
  const lladdr = lib.rtnl_neigh_get_lladdr(object);
  if (dst === null || lladdr === null) return undefined;
  return {
    ifIndex: lib.rtnl_neigh_get_ifindex(object),
    ip: readIp(dst),
    mac: readMac(lladdr),
    permanent: (lib.rtnl_neigh_get_state(object) & NUD_PERMANENT) !== 0,
  };
}

function add(
  socket: RouteSocket,
  { flags, ...neighbour }: Neighbour & { flags: number },
): void {
  const { ip, mac, ifIndex } = neighbour;
  socket.exchange(
    `ip neighbour add ${ip} lladdr ${mac} dev #${ifIndex} nud permanent`,
    {
      type: RTM_NEWNEIGH,
      flags,
      body: encode(neighbour, { mac, state: NUD_PERMANENT }),
    },
  );
}

function encode(
  { ifIndex, ip }: Omit<Neighbour, "mac">,
  { mac, state = 0, flags = 0 }: {
    readonly mac?: Mac;
    readonly state?: number;
    readonly flags?: number;
  } = {},
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = familyNumber(familyOf(ip));
  setU32(header, HEADER_INDEX, ifIndex);
  header[HEADER_STATE] = state;
  header[HEADER_FLAGS] = flags;
  const attributes: Attribute[] = [[NDA_DST, ipToBytes(ip)]];
  if (mac !== undefined) attributes.push([NDA_LLADDR, macBytes(mac)]);
  return encodeBody(header, attributes);
}
