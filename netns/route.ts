/**
 * Routes: what `ip route` does, in the namespace that a socket serves.
 *
 * Ours carry protocol `boot`, as those that `ip route add` makes: what
 * `terway explain` prints then equals what is there. (`static` belongs to the
 * administrator.)
 *
 * @module
 */
import { libnlRoute, type Pointer } from "./ffi.ts";
import { type Cidr, type Family, type Ip, ipToBytes, parseCidr } from "./ip.ts";
import { type Attribute, encodeBody, setU32 } from "./message.ts";
import { familyNumber, readCidr, readIp } from "./nl_addr.ts";
import { CREATE, EXCL, REPLACE, type RouteSocket } from "./socket.ts";
import { type RouteStep, TABLE_MAIN } from "./step.ts";

/** Source: linux/rtnetlink.h. */
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
/** struct rtmsg. Source: linux/rtnetlink.h. */
const HEADER_BYTES = 12;
const HEADER_FLAGS = 8;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
/** Derived by the kernel from addresses. Source: linux/rtnetlink.h. */
export const RTPROT_KERNEL = 2;
/** Made by hand since boot. Source: linux/rtnetlink.h. */
export const RTPROT_BOOT = 3;
/** Reached through a gateway. Source: linux/rtnetlink.h. */
const RT_SCOPE_UNIVERSE = 0;
/** Directly on the link. Source: linux/rtnetlink.h. */
const RT_SCOPE_LINK = 253;
/** To one receiver. Source: linux/rtnetlink.h. */
const RTN_UNICAST = 1;
/** No packet goes on from there. Source: linux/rtnetlink.h. */
export const RTN_UNREACHABLE = 7;
/** The gateway is on the link, whatever the addresses say. */
const RTNH_F_ONLINK = 4;

/** A unicast route with one next hop. */
export interface Route {
  /** The index of the link that it leads to. */
  readonly ifIndex: number;
  /** Where it leads; `0.0.0.0/0` or `::/0` is the default route. */
  readonly destination: Cidr;
  /** The next hop; directly on the link when absent. */
  readonly gateway?: Ip;
  /** Takes the gateway as on the link without an address that says so. */
  readonly onlink?: boolean;
  /** The table; 254 (main) when absent. */
  readonly table?: number;
  /** The lower, the better; 0 for IPv4 and 1024 for IPv6 when absent. */
  readonly metric?: number;
  /** The source of packets that haven't got one. */
  readonly source?: Ip;
  /** Who made it; 3 (boot), as ours are, when absent. */
  readonly protocol?: number;
}

/** A destination that no packet goes on to. */
export interface Unreachable {
  /** Where it would lead. */
  readonly destination: Cidr;
  /** The table. */
  readonly table: number;
  /** The lower, the better. */
  readonly metric: number;
}

/** A route as the kernel shows it. */
export interface RouteSeen {
  /** The index of the (first) link that it leads to; 0 for none. */
  readonly ifIndex: number;
  /** Where it leads. */
  readonly destination: Cidr;
  /** The (first) next hop. */
  readonly gateway?: Ip;
  /** The table. */
  readonly table: number;
  /** The lower, the better. */
  readonly metric: number;
  /** 1 unicast, 2 local, 3 broadcast, … Source: linux/rtnetlink.h. */
  readonly type: number;
  /** 0 universe, 253 link, 254 host. */
  readonly scope: number;
  /** Who made it: 2 kernel, 3 boot, 4 static, … */
  readonly protocol: number;
  /** The source of packets that haven't got one, when it is told. */
  readonly source?: Ip;
}

/**
 * Adds a route.
 *
 * Equivalent to: `ip route add $destination [via $gateway] dev $link
 * [onlink] table $table`
 *
 * @param socket Where.
 * @param route The route.
 * @throws {NetlinkError} `EEXIST` when the table has a route to there, `ENETUNREACH` when the gateway isn't on the link.
 */
export function addRoute(socket: RouteSocket, route: Route): void {
  add(socket, { ...route, flags: CREATE | EXCL });
}

/**
 * Adds a route, in the place of the one to the same destination.
 *
 * Equivalent to: `ip route replace …`
 *
 * @param socket Where.
 * @param route The route.
 * @throws {NetlinkError} `ENETUNREACH` when the gateway isn't on the link.
 */
export function replaceRoute(socket: RouteSocket, route: Route): void {
  add(socket, { ...route, flags: CREATE | REPLACE });
}

/**
 * Deletes a route of exactly this form; one by another link or gateway stays.
 *
 * Equivalent to: `ip route delete $destination [via $gateway] dev $link table
 * $table protocol boot`
 *
 * @param socket Where.
 * @param route The route.
 * @throws {NetlinkError} `ESRCH` when there is no such route.
 */
export function deleteRoute(socket: RouteSocket, route: Route): void {
  socket.exchange(
    `ip route delete ${describeRoute(route)}`,
    { type: RTM_DELROUTE, flags: 0, body: encode(route) },
  );
}

/**
 * Makes a destination unreachable: who sends a packet there is told so.
 *
 * Equivalent to: `ip route add unreachable $destination table $table metric
 * $metric`
 *
 * @param socket Where.
 * @param route The destination.
 * @throws {NetlinkError} `EEXIST` when the table has a route of this metric to there.
 */
export function addUnreachable(socket: RouteSocket, route: Unreachable): void {
  socket.exchange(
    `ip route add unreachable ${route.destination}`,
    {
      type: RTM_NEWROUTE,
      flags: CREATE | EXCL,
      body: encodeUnreachable(route),
    },
  );
}

/**
 * Takes back what {@linkcode addUnreachable} made.
 *
 * @param socket Where.
 * @param route The destination.
 * @throws {NetlinkError} `ESRCH` when there is no such route.
 */
export function deleteUnreachable(
  socket: RouteSocket,
  route: Unreachable,
): void {
  socket.exchange(
    `ip route delete unreachable ${route.destination}`,
    { type: RTM_DELROUTE, flags: 0, body: encodeUnreachable(route) },
  );
}

/**
 * Lists routes.
 *
 * Equivalent to: `ip route show table $table`, or `all`
 *
 * @param socket Where.
 * @param table Of one table only; of all when absent.
 * @returns The routes of both families.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function listRoutes(socket: RouteSocket, table?: number): RouteSeen[] {
  const lib = libnlRoute();
  return socket.dump(
    "ip route show table all",
    (place) => lib.rtnl_route_alloc_cache(socket.pointer, 0, 0, place),
    (object) => {
      // Asked first: reading the rest of a large foreign table is the cost.
      const other = table !== undefined &&
        lib.rtnl_route_get_table(object) !== table;
      return other ? undefined : readRoute(object);
    },
  );
}

/**
 * Reads a route object.
 *
 * @param object From the kernel.
 * @returns The route; undefined for one without destination.
 */
export function readRoute(object: Pointer): RouteSeen | undefined {
  const lib = libnlRoute();
  const dst = lib.rtnl_route_get_dst(object);
  if (dst === null) return undefined;
  const hop = lib.rtnl_route_get_nnexthops(object) > 0
    ? lib.rtnl_route_nexthop_n(object, 0)
    : null;
  const source = lib.rtnl_route_get_pref_src(object);
  const gateway = hop === null ? null : lib.rtnl_route_nh_get_gateway(hop);
  return {
    ifIndex: hop === null ? 0 : lib.rtnl_route_nh_get_ifindex(hop),
    destination: readCidr(dst),
    ...gateway && { gateway: readIp(gateway) },
    table: lib.rtnl_route_get_table(object),
    metric: lib.rtnl_route_get_priority(object),
    type: lib.rtnl_route_get_type(object),
    scope: lib.rtnl_route_get_scope(object),
    protocol: lib.rtnl_route_get_protocol(object),
    ...source && { source: readIp(source) },
  };
}

/**
 * Gives the route of a plan's step.
 *
 * @param step The step.
 * @param ifIndex The index of its link.
 * @returns What the kernel is asked for; a gateway is on the link unless the step says otherwise.
 */
export function routeOf(step: RouteStep, ifIndex: number): Route {
  const { destination, gateway, table, onlink = true, source } = step;
  return {
    ifIndex,
    destination,
    table,
    ...source !== undefined && { source },
    ...gateway !== undefined && { gateway, onlink },
  };
}

/**
 * Describes a route for a person.
 *
 * @param route As seen.
 * @returns Its form in `ip route`, the link by index.
 */
export function describeRoute(route: Route): string {
  const { destination, gateway, ifIndex, table, onlink } = route;
  return `${destination}${gateway === undefined ? "" : ` via ${gateway}`} ` +
    `dev #${ifIndex} table ${table ?? TABLE_MAIN}${onlink ? " onlink" : ""}`;
}

function add(
  socket: RouteSocket,
  { flags, ...route }: Route & { flags: number },
): void {
  socket.exchange(
    `ip route add ${describeRoute(route)}`,
    { type: RTM_NEWROUTE, flags, body: encode(route) },
  );
}

function encode(route: Route): Uint8Array<ArrayBuffer> {
  const { destination, gateway, ifIndex, metric, onlink, source } = route;
  const { family, ip, length } = parseCidr(destination);
  // IPv6 knows no scopes but this.
  const universe = gateway !== undefined || family === 6;
  const scope = universe ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  const header = headerOf({ family, length, scope, type: RTN_UNICAST });
  const flags = onlink ? RTNH_F_ONLINK : 0;
  header[5] = route.protocol ?? RTPROT_BOOT;
  setU32(header, HEADER_FLAGS, flags);
  const attributes: Attribute[] = [
    [RTA_TABLE, route.table ?? TABLE_MAIN],
    [RTA_DST, ipToBytes(ip)],
  ];
  if (metric !== undefined) attributes.push([RTA_PRIORITY, metric]);
  if (source !== undefined) attributes.push([RTA_PREFSRC, ipToBytes(source)]);
  attributes.push([RTA_OIF, ifIndex]);
  if (gateway !== undefined) attributes.push([RTA_GATEWAY, ipToBytes(gateway)]);
  return encodeBody(header, attributes);
}

function encodeUnreachable(route: Unreachable): Uint8Array<ArrayBuffer> {
  const { family, ip, length } = parseCidr(route.destination);
  const scope = RT_SCOPE_UNIVERSE;
  return encodeBody(
    headerOf({ family, length, scope, type: RTN_UNREACHABLE }),
    [
      [RTA_TABLE, route.table],
      [RTA_DST, ipToBytes(ip)],
      [RTA_PRIORITY, route.metric],
    ],
  );
}

/** The table is told by an attribute: here it would have a byte only. */
function headerOf(
  { family, length, scope, type }: {
    readonly family: Family;
    readonly length: number;
    readonly scope: number;
    readonly type: number;
  },
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = familyNumber(family);
  header[1] = length;
  header[5] = RTPROT_BOOT;
  header[6] = scope;
  header[7] = type;
  return header;
}
