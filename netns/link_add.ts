/**
 * New links: what `ip link add` does, in the namespace that a socket serves.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { check, cString, libnlRoute, Owned } from "./ffi.ts";
import { IFF_UP, linkName, linkObject, setMac } from "./link_object.ts";
import type { Namespace } from "./namespace.ts";
import { CREATE, EXCL, type RouteSocket } from "./socket.ts";

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
  const lib = libnlRoute();
  const { peer } = wish;
  using link = new Owned(lib.rtnl_link_veth_alloc(), lib.rtnl_link_put);
  using other = new Owned(
    lib.rtnl_link_veth_get_peer(link.pointer),
    lib.rtnl_link_put,
  );
  setEnd(link, wish);
  if (wish.up) lib.rtnl_link_set_flags(link.pointer, IFF_UP);
  setEnd(other, peer);
  if (peer.namespace !== undefined) {
    lib.rtnl_link_set_ns_fd(other.pointer, peer.namespace.fd);
  }
  socket.request(
    `ip link add ${wish.name} type veth peer ${peer.name}`,
    (place) =>
      lib.rtnl_link_build_add_request(link.pointer, CREATE | EXCL, place),
  );
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
  const lib = libnlRoute();
  using link = linkObject();
  const op = `ip link add ${wish.name} type ${wish.kind}`;
  check(op, lib.rtnl_link_set_type(link.pointer, cString(wish.kind)));
  lib.rtnl_link_set_name(link.pointer, linkName(wish.name));
  if (wish.parent !== undefined) {
    lib.rtnl_link_set_link(link.pointer, wish.parent);
  }
  if (wish.mac !== undefined) setMac(link, wish.mac);
  if (wish.mtu !== undefined) lib.rtnl_link_set_mtu(link.pointer, wish.mtu);
  if (wish.up) lib.rtnl_link_set_flags(link.pointer, IFF_UP);
  if (wish.namespace !== undefined) {
    lib.rtnl_link_set_ns_fd(link.pointer, wish.namespace.fd);
  }
  // Only on a link of that kind: elsewhere libnl ends the process.
  if (wish.kind === "vlan" && wish.vlanId !== undefined) {
    check(op, lib.rtnl_link_vlan_set_id(link.pointer, wish.vlanId));
  }
  if (wish.kind === "ipvlan") {
    check(op, lib.rtnl_link_ipvlan_set_mode(link.pointer, IPVLAN_MODE_L2));
  }
  socket.request(
    op,
    (place) =>
      lib.rtnl_link_build_add_request(link.pointer, CREATE | EXCL, place),
  );
}

function setEnd(link: Owned, end: VethEnd): void {
  const lib = libnlRoute();
  lib.rtnl_link_set_name(link.pointer, linkName(end.name));
  setMac(link, end.mac);
  if (end.mtu !== undefined) lib.rtnl_link_set_mtu(link.pointer, end.mtu);
  // A pair uses one queue unless somebody raises it by hand; newer kernels
  // make one a CPU all the same, and wait while they hide the others: half
  // of what a pair costs with 2 CPUs, more with more.
  lib.rtnl_link_set_num_tx_queues(link.pointer, 1);
  lib.rtnl_link_set_num_rx_queues(link.pointer, 1);
}
