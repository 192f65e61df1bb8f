/**
 * Links: what `ip link show`, `set` and `delete` do, in the namespace that a
 * socket serves. `link_add.ts` makes them.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { check, checkErrno, libc, libnlRoute, libnlRouteAside } from "./ffi.ts";
import {
  aliasText,
  fetchLink,
  IFF_NOARP,
  IFF_UP,
  IFLA,
  linkHeader,
  linkName,
  linkObject,
  type LinkSeen,
  readLink,
} from "./link_object.ts";
import { type Attribute, encodeBody, type Message } from "./message.ts";
import type { Namespace } from "./namespace.ts";
import { macBytes } from "./nl_addr.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";

export type { LinkSeen } from "./link_object.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** Source: linux/rtnetlink.h. */
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
/** struct ifreq: a name of 16 bytes, then a union. Source: netdevice(7). */
const SIOCGIFINDEX = 0x8933n;
const IFREQ_BYTES = 40;
const IFREQ_INDEX = 16;

/** What shall become of a link; what is absent stays. */
export interface LinkChange {
  /** Up or down. */
  readonly up?: boolean;
  /** Bytes in a packet. */
  readonly mtu?: number;
  /** A new name; kernels before 6.3 want the link down for it. */
  readonly name?: string;
  /** A new MAC. */
  readonly mac?: Mac;
  /** A new alias; an empty one takes it away. */
  readonly alias?: string;
  /** False sets NOARP: the link neither asks nor answers. */
  readonly arp?: boolean;
  /** Where it moves; its addresses and routes don't follow. */
  readonly namespace?: Namespace;
}

/**
 * Finds a link by name.
 *
 * Equivalent to: `ip link show dev $name`. Costs no dump.
 *
 * @param socket Where.
 * @param name The link's name.
 * @returns The link; undefined when there is none.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function findLinkByName(
  socket: RouteSocket,
  name: string,
): LinkSeen | undefined {
  using link = fetchLink(socket, name);
  return link && readLink(link.pointer);
}

/**
 * Finds a link's index by its name.
 *
 * Equivalent to: `cat /sys/class/net/$name/ifindex`. Takes no lock of the
 * kernel's, so whoever holds that for a while isn't waited for.
 *
 * @param socket Where.
 * @param name The link's name.
 * @returns The index.
 * @throws {NetlinkError} `ENODEV` when there is no such link.
 */
export function linkIndex(socket: RouteSocket, name: string): number {
  const ifreq = new Uint8Array(IFREQ_BYTES);
  ifreq.set(linkName(name));
  const code = libc().ioctl(socket.fd, SIOCGIFINDEX, ifreq);
  checkErrno(`ip link show dev ${name}`, code);
  return new DataView(ifreq.buffer).getInt32(IFREQ_INDEX, LITTLE_ENDIAN);
}

/**
 * Finds a link by MAC, the first when several have it.
 *
 * Equivalent to: `ip link | grep -B1 $mac`. Costs a dump of all links.
 *
 * @param socket Where.
 * @param mac In lower case.
 * @returns The link; undefined when there is none.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function findLinkByMac(
  socket: RouteSocket,
  mac: Mac,
): LinkSeen | undefined {
  return listLinks(socket).find((link) => link.mac === mac);
}

/**
 * Lists all links.
 *
 * Equivalent to: `ip link show`
 *
 * @param socket Where.
 * @returns The links by rising index.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function listLinks(socket: RouteSocket): LinkSeen[] {
  const { rtnl_link_alloc_cache: dump } = libnlRoute();
  return socket.dump(
    "ip link show",
    (place) => dump(socket.pointer, 0, place),
    readLink,
  );
}

/**
 * Changes a link, all in one message.
 *
 * Equivalent to: `ip link set dev $link up mtu $mtu name $name …`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @param change What shall become of it.
 * @throws {NetlinkError} `ENODEV` when it isn't there, `EEXIST` when the new name is taken.
 */
export function setLink(
  socket: RouteSocket,
  ifIndex: number,
  change: LinkChange,
): void {
  const op = `ip link set dev #${ifIndex} ${describe(change)}`;
  socket.exchange(op, changeMessage(ifIndex, change));
}

/** A move of a link. */
export interface LinkMove {
  /** Its index where it is. */
  readonly ifIndex: number;
  /** Its name where it goes. */
  readonly name: string;
  /** Where it goes; may be closed when the move has ended. */
  readonly namespace: Namespace;
}

/**
 * Moves a link on a thread of the runtime's pool: 16 to 20 ms in the kernel.
 * It is down afterwards.
 *
 * Equivalent to: `ip link set dev $link netns $namespace name $name &`
 *
 * @param socket Serves the namespace that the link is in; nothing else may use it meanwhile.
 * @param move The link, its new name and place.
 * @returns Resolves when the link has moved.
 * @throws {NetlinkError} `ENODEV` when it isn't there, `EEXIST` when the name is taken.
 */
export async function moveLinkAside(
  socket: RouteSocket,
  move: LinkMove,
): Promise<void> {
  const { ifIndex, name, namespace } = move;
  const change = { name, namespace };
  await socket.requestAside(
    `ip link set dev #${ifIndex} ${describe(change)}`,
    changeMessage(ifIndex, change),
  );
}

/**
 * Deletes a link and waits: 16 to 25 ms for a veth pair, all in the kernel.
 *
 * Equivalent to: `ip link delete dev $link`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @throws {NetlinkError} `ENODEV` when it isn't there.
 */
export function deleteLink(socket: RouteSocket, ifIndex: number): void {
  socket.exchange(
    `ip link delete dev #${ifIndex}`,
    { type: RTM_DELLINK, flags: 0, body: linkHeader({ ifIndex }) },
  );
}

/**
 * Deletes a link on a thread of the runtime's pool, so that this one is free.
 * The socket is the call's own, as libnl's serve one call at a time.
 *
 * Equivalent to: `ip link delete dev $link &`
 *
 * @param routes Where; its namespace may be closed once this has returned.
 * @param ifIndex The link's index.
 * @returns Resolves when the link is gone.
 * @throws {NetlinkError} `ENODEV` when it wasn't there.
 */
export async function deleteLinkAside(
  routes: RouteSocket,
  ifIndex: number,
): Promise<void> {
  using socket = openRoutes(routes.namespace);
  using link = linkObject(ifIndex);
  const code = await libnlRouteAside().rtnl_link_delete(
    socket.pointer,
    link.pointer,
  );
  check(`ip link delete dev #${ifIndex}`, code);
}

/**
 * Changes a link by attributes.
 *
 * @param socket Where.
 * @param op The command that does the same, for the error.
 * @param change The link's index and the attributes.
 * @throws {NetlinkError} What the kernel refused it with.
 */
export function changeLink(
  socket: RouteSocket,
  op: string,
  { ifIndex, attributes }: {
    readonly ifIndex: number;
    readonly attributes: readonly Attribute[];
  },
): void {
  const body = encodeBody(linkHeader({ ifIndex }), attributes);
  socket.exchange(op, { type: RTM_NEWLINK, flags: 0, body });
}

/** Only the flags that the mask names count: others stay as they are. */
function changeMessage(ifIndex: number, change: LinkChange): Message {
  const { alias, arp, mac, mtu, name, namespace, up } = change;
  const flags = (up ? IFF_UP : 0) | (arp === false ? IFF_NOARP : 0);
  const mask = (up === undefined ? 0 : IFF_UP) |
    (arp === undefined ? 0 : IFF_NOARP);
  const attributes: Attribute[] = [];
  if (mac !== undefined) attributes.push([IFLA.ADDRESS, macBytes(mac)]);
  if (name !== undefined) attributes.push([IFLA.IFNAME, linkName(name)]);
  if (mtu !== undefined) attributes.push([IFLA.MTU, mtu]);
  if (alias !== undefined) {
    // None at all takes the old one away.
    const text = alias === "" ? new Uint8Array() : aliasText(alias);
    attributes.push([IFLA.IFALIAS, text]);
  }
  if (namespace !== undefined) {
    attributes.push([IFLA.NET_NS_FD, namespace.fd]);
  }
  const header = linkHeader({ ifIndex, flags, mask });
  const body = encodeBody(header, attributes);
  return { type: RTM_NEWLINK, flags: 0, body };
}

function describe(change: LinkChange): string {
  const { up, mtu, name, mac, alias, arp, namespace } = change;
  const words = [
    up !== undefined && (up ? "up" : "down"),
    mtu !== undefined && `mtu ${mtu}`,
    name !== undefined && `name ${name}`,
    mac !== undefined && `address ${mac}`,
    alias !== undefined && `alias "${alias}"`,
    arp !== undefined && `arp ${arp ? "on" : "off"}`,
    namespace !== undefined && `netns ${namespace.path}`,
  ];
  return words.filter((word) => word !== false).join(" ");
}
