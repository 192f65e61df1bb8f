/**
 * Policy rules: what `ip rule` does, in the namespace that a socket serves.
 *
 * @module
 */
import { check, libnlRoute, Owned, type Pointer, textAt } from "./ffi.ts";
import type { Cidr, Family } from "./ip.ts";
import { linkName } from "./link_object.ts";
import {
  familyNumber,
  familyOfNumber,
  prefixObject,
  readCidr,
} from "./nl_addr.ts";
import { CREATE, EXCL, type RouteSocket } from "./socket.ts";
import { ruleFamily } from "./step.ts";

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
  const lib = libnlRoute();
  using object = ruleObject(rule);
  socket.request(
    `ip rule add ${describe(rule)}`,
    (place) =>
      lib.rtnl_rule_build_add_request(object.pointer, CREATE | EXCL, place),
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
  const lib = libnlRoute();
  using object = ruleObject(rule);
  socket.request(
    `ip rule delete ${describe(rule)}`,
    (place) => lib.rtnl_rule_build_delete_request(object.pointer, 0, place),
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

function ruleObject(rule: Rule): Owned {
  const lib = libnlRoute();
  const object = new Owned(lib.rtnl_rule_alloc(), lib.rtnl_rule_put);
  const { pointer } = object;
  lib.rtnl_rule_set_family(pointer, familyNumber(ruleFamily(rule)));
  if (rule.from !== undefined) {
    using from = prefixObject(rule.from);
    check("ip rule", lib.rtnl_rule_set_src(pointer, from.pointer));
  }
  if (rule.to !== undefined) {
    using to = prefixObject(rule.to);
    check("ip rule", lib.rtnl_rule_set_dst(pointer, to.pointer));
  }
  if (rule.oif !== undefined) {
    check("ip rule", lib.rtnl_rule_set_oif(pointer, linkName(rule.oif)));
  }
  if (rule.mark !== undefined) {
    lib.rtnl_rule_set_mark(pointer, rule.mark);
    lib.rtnl_rule_set_mask(pointer, rule.mark);
  }
  lib.rtnl_rule_set_table(pointer, rule.table);
  lib.rtnl_rule_set_prio(pointer, rule.priority);
  lib.rtnl_rule_set_action(pointer, FR_ACT_TO_TBL);
  return object;
}

function describe(rule: Rule): string {
  const from = rule.from === undefined ? "" : ` from ${rule.from}`;
  const to = rule.to === undefined ? "" : ` to ${rule.to}`;
  const oif = rule.oif === undefined ? "" : ` oif ${rule.oif}`;
  const mark = rule.mark === undefined ? "" : ` fwmark ${rule.mark}`;
  return `priority ${rule.priority}${from}${to}${mark}${oif} lookup ` +
    rule.table;
}
