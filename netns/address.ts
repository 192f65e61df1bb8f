/**
 * Addresses of links: what `ip address` does, in the namespace that a socket
 * serves.
 *
 * @module
 */
import { libnlRoute, type Pointer } from "./ffi.ts";
import { type Cidr, type Ip, ipToBytes, parseCidr } from "./ip.ts";
import { type Attribute, encodeBody, setU32 } from "./message.ts";
import { familyNumber, readIp } from "./nl_addr.ts";
import { CREATE, EXCL, REPLACE, type RouteSocket } from "./socket.ts";

/** Source: linux/rtnetlink.h. */
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
/** struct ifaddrmsg and its ifa_index. Source: linux/if_addr.h. */
const HEADER_BYTES = 8;
const HEADER_INDEX = 4;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
/** No duplicate address detection. Source: linux/if_addr.h. */
const IFA_F_NODAD = 0x02;
/** No route to the prefix follows. Source: linux/if_addr.h. */
const IFA_F_NOPREFIXROUTE = 0x200;

/** Source: linux/rtnetlink.h, RT_SCOPE_HOST. */
const SCOPE_HOST = 254;

/** An address of a link. */
export interface Address {
  /** The link's index. */
  readonly ifIndex: number;
  /** The address with its prefix length. */
  readonly cidr: Cidr;
  /** The address of all hosts of the prefix; none when absent. */
  readonly broadcast?: Ip;
  /** False: no route to the prefix follows from the address. */
  readonly prefixRoute?: boolean;
  /** Set when it is this machine's alone. */
  readonly scope?: "host";
}

/** An address as the kernel shows it. */
export interface AddressSeen {
  /** The link's index. */
  readonly ifIndex: number;
  /** The address with its prefix length. */
  readonly cidr: Cidr;
  /** Where it is valid: 0 everywhere, 253 on the link, 254 on the host. */
  readonly scope: number;
}

/**
 * Gives a link an address.
 *
 * An IPv6 address is usable at once: detecting duplicates would take a second
 * or two, and who else has an address is the cloud's to know.
 *
 * Equivalent to: `ip address add $cidr [broadcast $broadcast] dev $link
 * [noprefixroute]` (`nodad` for IPv6)
 *
 * @param socket Where.
 * @param address The link and the address.
 * @throws {NetlinkError} `EEXIST` when the link has it, `ENODEV` when there is no such link.
 */
export function addAddress(socket: RouteSocket, address: Address): void {
  add(socket, { ...address, flags: CREATE | EXCL });
}

/**
 * Gives a link an address that it may have already.
 *
 * Equivalent to: `ip address replace $cidr dev $link`
 *
 * @param socket Where.
 * @param address The link and the address.
 * @throws {NetlinkError} `ENODEV` when there is no such link.
 */
export function replaceAddress(socket: RouteSocket, address: Address): void {
  add(socket, { ...address, flags: CREATE | REPLACE });
}

/**
 * Takes an address from a link.
 *
 * Equivalent to: `ip address delete $cidr dev $link`
 *
 * @param socket Where.
 * @param address The link and the address.
 * @throws {NetlinkError} `EADDRNOTAVAIL` when the link hasn't got it.
 */
export function deleteAddress(socket: RouteSocket, address: Address): void {
  socket.exchange(
    `ip address delete ${address.cidr} dev #${address.ifIndex}`,
    { type: RTM_DELADDR, flags: 0, body: encode(address) },
  );
}

/**
 * Lists the addresses of all links.
 *
 * Equivalent to: `ip address show`
 *
 * @param socket Where.
 * @returns The addresses, IPv4 first.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function listAddresses(socket: RouteSocket): AddressSeen[] {
  const { rtnl_addr_alloc_cache: dump } = libnlRoute();
  return socket.dump(
    "ip address show",
    (place) => dump(socket.pointer, place),
    readAddress,
  );
}

/**
 * Reads an address object.
 *
 * @param object From the kernel.
 * @returns The address; undefined for one without a local part.
 */
export function readAddress(object: Pointer): AddressSeen | undefined {
  const lib = libnlRoute();
  const local = lib.rtnl_addr_get_local(object);
  if (local === null) return undefined;
  return {
    ifIndex: lib.rtnl_addr_get_ifindex(object),
    cidr: `${readIp(local)}/${lib.rtnl_addr_get_prefixlen(object)}`,
    scope: lib.rtnl_addr_get_scope(object),
  };
}

function add(
  socket: RouteSocket,
  { flags, ...address }: Address & { flags: number },
): void {
  socket.exchange(
    `ip address add ${address.cidr} dev #${address.ifIndex}`,
    { type: RTM_NEWADDR, flags, body: encode(address) },
  );
}

function encode(address: Address): Uint8Array<ArrayBuffer> {
  const { broadcast, cidr, ifIndex, prefixRoute, scope } = address;
  const { ip, family, length } = parseCidr(cidr);
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = familyNumber(family);
  header[1] = length;
  header[3] = scope === undefined ? 0 : SCOPE_HOST;
  setU32(header, HEADER_INDEX, ifIndex);
  const bytes = ipToBytes(ip);
  const attributes: Attribute[] = [[IFA_LOCAL, bytes], [IFA_ADDRESS, bytes]];
  if (broadcast !== undefined) {
    attributes.push([IFA_BROADCAST, ipToBytes(broadcast)]);
  }
  const flags = (family === 6 ? IFA_F_NODAD : 0) |
    (prefixRoute === false ? IFA_F_NOPREFIXROUTE : 0);
  if (flags !== 0) attributes.push([IFA_FLAGS, flags]);
  return encodeBody(header, attributes);
}
