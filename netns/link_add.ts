/**
 * New links: what `ip link add` does, in the namespace that a socket serves.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { cString } from "./ffi.ts";
import { IFF_UP, IFLA, linkHeader, linkName } from "./link_object.ts";
import { type Attribute, encodeBody, u16 } from "./message.ts";
import type { Namespace } from "./namespace.ts";
import { macBytes } from "./nl_addr.ts";
import { CREATE, EXCL, type RouteSocket } from "./socket.ts";

/** Source: linux/rtnetlink.h. */
const RTM_NEWLINK = 16;
/** Within LINKINFO, and within its data by kind. Source: linux/if_link.h. */
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_VLAN_ID = 1;
const IFLA_IPVLAN_MODE = 1;
/** The kernel's own default is L3. Source: linux/if_link.h. */
const IPVLAN_MODE_L2 = 0;

/** One end of a veth pair to be made. */
export interface VethEnd {
  /** Its name. */
  readonly name: string;
  /** Its MAC, given in the message that makes it: nothing rewrites it then. */
  readonly mac: Mac;
  /** Bytes in a packet; 1500 when absent. */
  readonly mtu?: number;
}

/** A veth pair to be made. */
export interface VethWish extends VethEnd {
  /**
   * Brings this end up at once. The other end must be brought up afterwards:
   * veth refuses to be up before both ends know each other (ENOTCONN).
   */
  readonly up?: boolean;
  /** The other end. */
  readonly peer: VethEnd & {
    /** Where it is made; in this socket's namespace when absent. */
    readonly namespace?: Namespace;
  };
}

/** A link that needs no more than this to be made. */
export interface LinkWish {
  /** Its name. */
  readonly name: string;
  /** Its kind, such as `ifb`; an `ipvlan` is made in mode L2. */
  readonly kind: string;
  /** The index of the link that it lies on, for kinds that do. */
  readonly parent?: number;
  /** The tag, for kind `vlan`. */
  readonly vlanId?: number;
  /** Its MAC; the kernel's choice when absent. */
  readonly mac?: Mac;
  /** Bytes in a packet; the kind's default when absent. */
  readonly mtu?: number;
  /** Brings it up at once. */
  readonly up?: boolean;
  /**
   * Where it is made, with `parent` still of the socket's namespace; that one
   * when absent.
   */
  readonly namespace?: Namespace;
}

/**
 * Makes a veth pair in one message: both names, MACs and MTUs.
 *
 * Equivalent to: `ip link add $name address $mac mtu $mtu type veth peer
 * $peer.name address $peer.mac mtu $peer.mtu netns $peer.namespace`, with
 * `numtxqueues 1 numrxqueues 1` on both ends.
 *
 * @param socket Where the first end is made.
 * @param wish Both ends.
 * @throws {NetlinkError} `EEXIST` when either name is taken.
 * @throws {RangeError} When a name doesn't fit.
 */
export function addVeth(socket: RouteSocket, wish: VethWish): void {
  const { peer } = wish;
  const other = [...endAttributes(peer)];
  if (peer.namespace !== undefined) {
    other.push([IFLA.NET_NS_FD, peer.namespace.fd]);
  }
  const data = encodeBody(linkHeader({}), other);
  add(socket, `ip link add ${wish.name} type veth peer ${peer.name}`, {
    ...wish.up !== undefined && { up: wish.up },
    attributes: [
      ...endAttributes(wish),
      linkInfo("veth", [[VETH_INFO_PEER, data]]),
    ],
  });
}

/**
 * Makes a link that isn't a pair.
 *
 * Equivalent to: `ip link add [link $parent] name $name [netns $namespace]
 * address $mac mtu $mtu type $kind`
 *
 * @param socket Where.
 * @param wish The link.
 * @throws {NetlinkError} `EOPNOTSUPP` when the kernel hasn't this kind, `EEXIST` when the name is taken.
 */
export function addLink(socket: RouteSocket, wish: LinkWish): void {
  const { kind, mac, mtu, name, namespace, parent, up, vlanId } = wish;
  const attributes: Attribute[] = [[IFLA.IFNAME, linkName(name)]];
  if (mac !== undefined) attributes.push([IFLA.ADDRESS, macBytes(mac)]);
  if (mtu !== undefined) attributes.push([IFLA.MTU, mtu]);
  if (parent !== undefined) attributes.push([IFLA.LINK, parent]);
  if (namespace !== undefined) {
    attributes.push([IFLA.NET_NS_FD, namespace.fd]);
  }
  const data: Attribute[] = [];
  if (kind === "vlan" && vlanId !== undefined) {
    data.push([IFLA_VLAN_ID, u16(vlanId)]);
  }
  if (kind === "ipvlan") data.push([IFLA_IPVLAN_MODE, u16(IPVLAN_MODE_L2)]);
  attributes.push(linkInfo(kind, data));
  add(socket, `ip link add ${name} type ${kind}`, {
    ...up !== undefined && { up },
    attributes,
  });
}

function add(
  socket: RouteSocket,
  op: string,
  { up, attributes }: {
    readonly up?: boolean;
    readonly attributes: readonly Attribute[];
  },
): void {
  const flags = up ? IFF_UP : 0;
  const body = encodeBody(linkHeader({ flags, mask: flags }), attributes);
  socket.exchange(op, { type: RTM_NEWLINK, flags: CREATE | EXCL, body });
}

function linkInfo(kind: string, data: readonly Attribute[]): Attribute {
  const type: Attribute = [IFLA_INFO_KIND, cString(kind)];
  return data.length === 0
    ? [IFLA.LINKINFO, [type]]
    : [IFLA.LINKINFO, [type, [IFLA_INFO_DATA, data]]];
}

/**
 * A pair uses one queue unless somebody raises it by hand; newer kernels make
 * one a CPU all the same, and wait while they hide the others: half of what a
 * pair costs with 2 CPUs, more with more.
 */
function endAttributes({ mac, mtu, name }: VethEnd): readonly Attribute[] {
  return [
    [IFLA.ADDRESS, macBytes(mac)],
    [IFLA.IFNAME, linkName(name)],
    ...mtu === undefined ? [] : [[IFLA.MTU, mtu]] as const,
    [IFLA.NUM_TX_QUEUES, 1],
    [IFLA.NUM_RX_QUEUES, 1],
  ];
}
