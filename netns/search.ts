/**
 * Looks for a few routes and rules among those of a whole node. The kernel is
 * asked for less than everything where it can be, and only what matches is
 * read: libnl reads every object of a dump, which costs 3 ms a hundred pods.
 *
 * @module
 */
import { isGone } from "./errno.ts";
import {
  type Cidr,
  type Family,
  familyOf,
  type Ip,
  ipFromBytes,
  ipToBytes,
  parseCidr,
} from "./ip.ts";
import {
  type Attribute,
  concatenate,
  decodeAttributes,
  encodeAttributes,
  u32,
  viewOf,
} from "./message.ts";
import { familyNumber } from "./nl_addr.ts";
import type { RouteSeen } from "./route.ts";
import type { Rule } from "./rule.ts";
import type { RouteSocket } from "./socket.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** Source: linux/rtnetlink.h. */
const RTM_GETROUTE = 26;
const RTM_GETRULE = 34;
/** struct rtmsg and struct fib_rule_hdr come before the attributes. */
const HEADER_BYTES = 12;
/** Source: linux/rtnetlink.h, enum rtattr_type_t. */
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
/** Source: linux/fib_rules.h. */
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_OIFNAME = 17;

/** Which routes are looked for. */
export interface RouteWish {
  /** Exactly this prefix. */
  readonly destination: Cidr;
  /** The table. */
  readonly table: number;
  /** The index of the link that they lead to; any when absent. */
  readonly ifIndex?: number;
  /** Such as `RTN_UNREACHABLE`; any when absent. */
  readonly type?: number;
}

/** A rule as far as a search reads it. */
export interface RuleFound {
  /** The table that it looks up. */
  readonly table: number;
}

/** One family's rules as the kernel sent them, in the order of their use. */
export type RuleBodies = readonly Uint8Array<ArrayBuffer>[];

/**
 * Finds routes.
 *
 * Equivalent to: `ip route show $destination table $table [dev $link]`. A
 * kernel from 4.20 on leaves out what isn't asked for; an older one sends all.
 *
 * @param socket Where.
 * @param wish Which.
 * @returns The routes; none when there is no such table either.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function findRoutes(socket: RouteSocket, wish: RouteWish): RouteSeen[] {
  const { destination, ifIndex, table, type } = wish;
  const header = new Uint8Array(HEADER_BYTES);
  const family = familyOf(destination.split("/")[0] ?? "");
  header[0] = familyNumber(family);
  header[7] = type ?? 0;
  const filter: Attribute[] = [[RTA_TABLE, u32(table)]];
  if (ifIndex !== undefined) filter.push([RTA_OIF, u32(ifIndex)]);
  const body = concatenate([header, encodeAttributes(filter)]);
  const message = { type: RTM_GETROUTE, flags: 0, body };
  const op = `ip route show table ${table}`;
  try {
    return [...socket.dumpBodies(op, message, { strict: true })].flat()
      .map((body) => readRouteBody(body, family))
      .filter((route) =>
        route.destination === destination && route.table === table &&
        (ifIndex === undefined || route.ifIndex === ifIndex) &&
        (type === undefined || route.type === type)
      );
  } catch (error) {
    if (isGone(error)) return []; // no such table, or no such link
    throw error;
  }
}

/**
 * Reads a family's rules without looking into them.
 *
 * Equivalent to: `ip rule show`
 *
 * @param socket Where.
 * @param family Of which.
 * @returns What {@linkcode firstRule} looks into.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function dumpRules(socket: RouteSocket, family: Family): RuleBodies {
  const body = new Uint8Array(HEADER_BYTES);
  body[0] = familyNumber(family);
  const message = { type: RTM_GETRULE, flags: 0, body };
  return [...socket.dumpBodies("ip rule show", message)].flat();
}

/**
 * Finds the rule that decides for some packets at a priority: the first.
 *
 * @param rules All of the family.
 * @param match Which packets, and the priority.
 * @returns The rule; undefined when there is none.
 */
export function firstRule(
  rules: RuleBodies,
  match: Omit<Rule, "table">,
): RuleFound | undefined {
  const to = prefixBytes(match.to);
  const from = prefixBytes(match.from);
  for (const body of rules) {
    if (body[1] !== to.length || body[2] !== from.length) continue;
    // Most rules of a node differ by the pod's address alone.
    if (!holds(body, FRA_DST, to.bytes)) continue;
    if (!holds(body, FRA_SRC, from.bytes)) continue;
    const attributes = decodeAttributes(body.subarray(HEADER_BYTES));
    const isMeant = numberOf(attributes.get(FRA_PRIORITY)) === match.priority &&
      numberOf(attributes.get(FRA_FWMARK)) === (match.mark ?? 0) &&
      textOf(attributes.get(FRA_OIFNAME)) === (match.oif ?? "");
    if (isMeant) return { table: numberOf(attributes.get(FRA_TABLE)) };
  }
}

function readRouteBody(
  body: Uint8Array<ArrayBuffer>,
  family: Family,
): RouteSeen {
  const [, length = 0, , , , protocol = 0, scope = 0, type = 0] = body;
  const attributes = decodeAttributes(body.subarray(HEADER_BYTES));
  const any = family === 4 ? "0.0.0.0" : "::";
  const destination = ipOf(attributes.get(RTA_DST)) ?? any;
  const gateway = ipOf(attributes.get(RTA_GATEWAY));
  const source = ipOf(attributes.get(RTA_PREFSRC));
  return {
    ifIndex: numberOf(attributes.get(RTA_OIF)),
    destination: `${destination}/${length}`,
    ...gateway !== undefined && { gateway },
    table: numberOf(attributes.get(RTA_TABLE)),
    metric: numberOf(attributes.get(RTA_PRIORITY)),
    type,
    scope,
    protocol,
    ...source !== undefined && { source },
  };
}

/** Tells whether a body has an attribute of these bytes; none by none. */
function holds(
  body: Uint8Array<ArrayBuffer>,
  type: number,
  bytes: Uint8Array | undefined,
): boolean {
  const view = viewOf(body);
  for (let at = HEADER_BYTES; at + 4 <= body.length;) {
    const length = view.getUint16(at, LITTLE_ENDIAN);
    if (view.getUint16(at + 2, LITTLE_ENDIAN) === type) {
      return bytes?.every((byte, i) => byte === body[at + 4 + i]) ?? false;
    }
    at += Math.max(4, (length + 3) & ~3);
  }
  return bytes === undefined;
}

function prefixBytes(
  prefix: Cidr | undefined,
): { readonly length: number; readonly bytes?: Uint8Array } {
  if (prefix === undefined) return { length: 0 };
  const { ip, length } = parseCidr(prefix);
  return { length, bytes: ipToBytes(ip) };
}

function numberOf(bytes: Uint8Array<ArrayBuffer> | undefined): number {
  return bytes === undefined ? 0 : viewOf(bytes).getUint32(0, LITTLE_ENDIAN);
}

function ipOf(bytes: Uint8Array | undefined): Ip | undefined {
  return bytes && ipFromBytes(bytes);
}

/** Without the NUL at its end. */
function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes?.subarray(0, -1));
}
