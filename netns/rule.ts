/**
 * Policy rules: what `ip rule` does, in the namespace that a socket serves.
 *
 * @module
 */
import { libnlRoute, type Pointer, textAt } from "./ffi.ts";
import { type Cidr, type Family, ipToBytes, parseCidr } from "./ip.ts";
import { linkName } from "./link_object.ts";
import { type Attribute, encodeBody } from "./message.ts";
import { familyNumber, familyOfNumber, readCidr } from "./nl_addr.ts";
import { CREATE, EXCL, type RouteSocket } from "./socket.ts";
import { ruleFamily } from "./step.ts";

/** Source: linux/rtnetlink.h. */
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
/** struct fib_rule_hdr: lengths of both prefixes, action. Source: linux/fib_rules.h. */
const HEADER_BYTES = 12;
const HEADER_TO = 1;
const HEADER_FROM = 2;
const HEADER_ACTION = 7;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
/** Look a table up. Source: linux/fib_rules.h. */
const FR_ACT_TO_TBL = 1;

/** A rule that looks a table up. */
export interface Rule {
  /** The lower, the earlier. */
  readonly priority: number;
  /** Packets from this prefix only. */
  readonly from?: Cidr;
  /** Packets to this prefix only. */
  readonly to?: Cidr;
  /** The table that is looked up. */
  readonly table: number;
  /** Packets of sockets that are bound to this link only. */
  readonly oif?: string;
  /** Packets that bear all bits of this mark only. */
  readonly mark?: number;
  /** Needed when neither prefix tells it; 4 when absent. */
  readonly family?: Family;
}

/** A rule as the kernel shows it. */
export interface RuleSeen extends Rule {
  /** Its family. */
  readonly family: Family;
}

/**
 * Adds a rule.
 *
 * Equivalent to: `ip rule add priority $priority from $from to $to lookup
 * $table`. Another rule of this priority and these prefixes but of another
 * table stays, and comes first.
 *
 * @param socket Where.
 * @param rule The rule.
 * @throws {NetlinkError} `EEXIST` when exactly this rule is there.
 */
export function addRule(socket: RouteSocket, rule: Rule): void {
  socket.exchange(
    `ip rule add ${describe(rule)}`,
    { type: RTM_NEWRULE, flags: CREATE | EXCL, body: encode(rule) },
  );
}

/**
 * Deletes a rule of exactly this form.
 *
 * Equivalent to: `ip rule delete priority $priority from $from to $to lookup
 * $table`
 *
 * @param socket Where.
 * @param rule The rule.
 * @throws {NetlinkError} `ENOENT` when there is no such rule.
 */
export function deleteRule(socket: RouteSocket, rule: Rule): void {
  socket.exchange(
    `ip rule delete ${describe(rule)}`,
    { type: RTM_DELRULE, flags: 0, body: encode(rule) },
  );
}

/**
 * Lists all rules.
 *
 * Equivalent to: `ip rule show`, `ip -6 rule show`
 *
 * @param socket Where.
 * @returns The rules of IPv4, then those of IPv6, each in the order of use.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function listRules(socket: RouteSocket): RuleSeen[] {
  const { rtnl_rule_alloc_cache: dump } = libnlRoute();
  const seen = socket.dump(
    "ip rule show",
    (place) => dump(socket.pointer, 0, place),
    readRule,
  );
  return seen.sort((a, b) => a.family - b.family || a.priority - b.priority);
}

/**
 * Reads a rule object.
 *
 * @param object From the kernel.
 * @returns The rule; undefined for one of another family, as multicast has.
 */
export function readRule(object: Pointer): RuleSeen | undefined {
  const lib = libnlRoute();
  const family = familyOfNumber(lib.rtnl_rule_get_family(object));
  if (family === undefined) return undefined;
  const src = lib.rtnl_rule_get_src(object);
  const dst = lib.rtnl_rule_get_dst(object);
  const oif = textAt(lib.rtnl_rule_get_oif(object));
  const mark = lib.rtnl_rule_get_mark(object);
  return {
    priority: lib.rtnl_rule_get_prio(object),
    ...src && { from: readCidr(src) },
    ...dst && { to: readCidr(dst) },
    ...oif && { oif },
    ...mark !== 0 && { mark },
    table: lib.rtnl_rule_get_table(object),
    family,
  };
}

function encode(rule: Rule): Uint8Array<ArrayBuffer> {
  const { from, mark, oif, priority, table, to } = rule;
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = familyNumber(ruleFamily(rule));
  header[HEADER_ACTION] = FR_ACT_TO_TBL;
  const attributes: Attribute[] = [
    [FRA_TABLE, table],
    [FRA_PRIORITY, priority],
  ];
  if (to !== undefined) {
    const { ip, length } = parseCidr(to);
    header[HEADER_TO] = length;
    attributes.push([FRA_DST, ipToBytes(ip)]);
  }
  if (from !== undefined) {
    const { ip, length } = parseCidr(from);
    header[HEADER_FROM] = length;
    attributes.push([FRA_SRC, ipToBytes(ip)]);
  }
  if (oif !== undefined) attributes.push([FRA_OIFNAME, linkName(oif)]);
  if (mark !== undefined) {
    attributes.push([FRA_FWMARK, mark], [FRA_FWMASK, mark]);
  }
  return encodeBody(header, attributes);
}

function describe(rule: Rule): string {
  const from = rule.from === undefined ? "" : ` from ${rule.from}`;
  const to = rule.to === undefined ? "" : ` to ${rule.to}`;
  const oif = rule.oif === undefined ? "" : ` oif ${rule.oif}`;
  const mark = rule.mark === undefined ? "" : ` fwmark ${rule.mark}`;
  return `priority ${rule.priority}${from}${to}${mark}${oif} lookup ` +
    rule.table;
}
