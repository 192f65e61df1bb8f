/**
 * Neighbours: what `ip neighbour` does, in the namespace that a socket serves.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { check, libnlRoute, Owned, type Pointer } from "./ffi.ts";
import type { Ip } from "./ip.ts";
import { addressObject, macObject, readIp, readMac } from "./nl_addr.ts";
import { CREATE, EXCL, REPLACE, type RouteSocket } from "./socket.ts";

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
  const lib = libnlRoute();
  using object = neighbourObject(neighbour);
  socket.request(
    `ip neighbour delete ${neighbour.ip} dev #${neighbour.ifIndex}`,
    (place) => lib.rtnl_neigh_build_delete_request(object.pointer, 0, place),
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
  const lib = libnlRoute();
  using object = neighbourObject(proxy);
  lib.rtnl_neigh_set_flags(object.pointer, NTF_PROXY);
  socket.request(
    `ip neighbour add proxy ${proxy.ip} dev #${proxy.ifIndex}`,
    (place) =>
      lib.rtnl_neigh_build_add_request(
        object.pointer,
        CREATE | REPLACE,
        place,
      ),
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
  const lib = libnlRoute();
  using object = neighbourObject(neighbour);
  using lladdr = macObject(mac);
  lib.rtnl_neigh_set_lladdr(object.pointer, lladdr.pointer);
  lib.rtnl_neigh_set_state(object.pointer, NUD_PERMANENT);
  socket.request(
    `ip neighbour add ${ip} lladdr ${mac} dev #${ifIndex} nud permanent`,
    (place) => lib.rtnl_neigh_build_add_request(object.pointer, flags, place),
  );
}

function neighbourObject(neighbour: Omit<Neighbour, "mac">): Owned {
  const lib = libnlRoute();
  using dst = addressObject(neighbour.ip);
  const object = new Owned(lib.rtnl_neigh_alloc(), lib.rtnl_neigh_put);
  lib.rtnl_neigh_set_ifindex(object.pointer, neighbour.ifIndex);
  check("ip neighbour", lib.rtnl_neigh_set_dst(object.pointer, dst.pointer));
  return object;
}
