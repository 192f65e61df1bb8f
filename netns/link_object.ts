/**
 * Links as libnl and the kernel hold them, to and from ours.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { isGone } from "./errno.ts";
import {
  cString,
  libnlRoute,
  Owned,
  type Pointer,
  stored,
  textAt,
} from "./ffi.ts";
import { setU32 } from "./message.ts";
import { readMac } from "./nl_addr.ts";
import type { RouteSocket } from "./socket.ts";

/** Set up. Source: linux/if.h. */
export const IFF_UP = 0x1;
/** Neither asks nor answers. Source: linux/if.h. */
export const IFF_NOARP = 0x80;
/** Attributes of a link. Source: linux/if_link.h. */
export const IFLA = {
  /** Its MAC. */
  ADDRESS: 1,
  /** Its name. */
  IFNAME: 3,
  /** Bytes in a packet. */
  MTU: 4,
  /** The link that it lies on. */
  LINK: 5,
  /** Its kind, and what that wants to know. */
  LINKINFO: 18,
  /** Its alias. */
  IFALIAS: 20,
  /** A namespace's descriptor. */
  NET_NS_FD: 28,
  /** Queues that it sends by. */
  NUM_TX_QUEUES: 31,
  /** Queues that it receives by. */
  NUM_RX_QUEUES: 32,
} as const;
/** struct ifinfomsg. Source: rtnetlink(7). */
const HEADER_BYTES = 16;
const HEADER_INDEX = 4;
const HEADER_FLAGS = 8;
const HEADER_MASK = 12;
/** A link's name is at most 15 bytes (IFNAMSIZ - 1). Source: linux/if.h. */
const NAME_BYTES = 15;
/** A link's alias is at most 255 bytes (IFALIASZ - 1). Source: linux/if.h. */
const ALIAS_BYTES = 255;

/** A link as the kernel shows it. */
export interface LinkSeen {
  /** Its name. */
  readonly name: string;
  /** Its index, which no other link of this namespace ever had at one time. */
  readonly ifIndex: number;
  /** Its MAC; empty for a link without. */
  readonly mac: Mac;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** Whether it is set up; says nothing of a carrier. */
  readonly up: boolean;
  /** Such as `veth`; absent for a physical card and `lo`. */
  readonly kind?: string;
  /** Its alias, when it has one. */
  readonly alias?: string;
  /**
   * Of an IPvlan slave or a VLAN, the index of the link that it lies on, in
   * that link's own namespace.
   */
  readonly parent?: number;
  /** Of a VLAN, its tag. */
  readonly vlanId?: number;
  /** False for an IPvlan slave that neither asks nor answers. */
  readonly arp?: false;
}

/**
 * Makes an empty link object.
 *
 * @param ifIndex The index it names; none when absent.
 * @returns The object; free it.
 */
export function linkObject(ifIndex?: number): Owned {
  const lib = libnlRoute();
  const link = new Owned(lib.rtnl_link_alloc(), lib.rtnl_link_put);
  if (ifIndex !== undefined) lib.rtnl_link_set_ifindex(link.pointer, ifIndex);
  return link;
}

/**
 * Asks the kernel for one link, without a dump.
 *
 * @param socket Where.
 * @param which Its name, or its index.
 * @returns The object; free it. Undefined when there is no such link.
 * @throws {NetlinkError} When the kernel refuses.
 * @throws {RangeError} When the name doesn't fit.
 */
export function fetchLink(
  socket: RouteSocket,
  which: string | number,
): Owned | undefined {
  const lib = libnlRoute();
  const name = typeof which === "string" ? linkName(which) : null;
  const ifIndex = typeof which === "number" ? which : 0;
  try {
    const pointer = stored(
      `ip link show dev ${which}`,
      (place) => lib.rtnl_link_get_kernel(socket.pointer, ifIndex, name, place),
    );
    return new Owned(pointer, lib.rtnl_link_put);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/**
 * Reads a link object.
 *
 * @param link From the kernel.
 * @returns The link.
 */
export function readLink(link: Pointer): LinkSeen {
  const lib = libnlRoute();
  const kind = textAt(lib.rtnl_link_get_type(link));
  const alias = textAt(lib.rtnl_link_get_ifalias(link));
  const flags = lib.rtnl_link_get_flags(link);
  return {
    name: textAt(lib.rtnl_link_get_name(link)) ?? "",
    ifIndex: lib.rtnl_link_get_ifindex(link),
    mac: readMac(lib.rtnl_link_get_addr(link)),
    mtu: lib.rtnl_link_get_mtu(link),
    up: (flags & IFF_UP) !== 0,
    ...kind && { kind },
    ...alias && { alias },
    ...kind === "ipvlan" && { parent: lib.rtnl_link_get_link(link) },
    ...kind === "ipvlan" && (flags & IFF_NOARP) !== 0 && { arp: false },
    // Only of a link of that kind: elsewhere libnl ends the process.
    ...kind === "vlan" && {
      parent: lib.rtnl_link_get_link(link),
      vlanId: lib.rtnl_link_vlan_get_id(link),
    },
  };
}

/**
 * Writes the header of a message about a link.
 *
 * @param of Its index; flags, and which of them count. Zero when absent.
 * @returns What comes before the attributes.
 */
export function linkHeader(
  { ifIndex = 0, flags = 0, mask = 0 }: {
    readonly ifIndex?: number;
    readonly flags?: number;
    readonly mask?: number;
  },
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  setU32(header, HEADER_INDEX, ifIndex);
  setU32(header, HEADER_FLAGS, flags);
  setU32(header, HEADER_MASK, mask);
  return header;
}

/**
 * Writes a link's name as C wants it.
 *
 * @param name 1 to 15 bytes.
 * @returns Its bytes.
 * @throws {RangeError} When it doesn't fit: libnl would cut it.
 */
export function linkName(name: string): Uint8Array<ArrayBuffer> {
  return bounded(name, { what: "name", maxBytes: NAME_BYTES });
}

/**
 * Writes a link's alias as C wants it.
 *
 * @param alias 1 to 255 bytes.
 * @returns Its bytes.
 * @throws {RangeError} When it doesn't fit.
 */
export function aliasText(alias: string): Uint8Array<ArrayBuffer> {
  return bounded(alias, { what: "alias", maxBytes: ALIAS_BYTES });
}

function bounded(
  text: string,
  { what, maxBytes }: { what: string; maxBytes: number },
): Uint8Array<ArrayBuffer> {
  const bytes = cString(text);
  if (bytes.length < 2 || bytes.length > maxBytes + 1) {
    throw new RangeError(
      `Cannot use a link ${what} as it must be 1 to ${maxBytes} bytes: ` +
        `it is "${text}"`,
    );
  }
  return bytes;
}
