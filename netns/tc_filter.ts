/**
 * Filters at a link's clsact, by u32 as most kernels have that: what
 * `tc filter` does, in the namespace that a socket serves.
 *
 * The kernel numbers filters by itself, since others may have theirs on the
 * same card; ours are known again by what they say.
 *
 * @module
 */
import {
  type Attribute,
  concatenate,
  decodeAttributes,
  u32,
  viewOf,
} from "./message.ts";
import { CREATE, EXCL, type RouteSocket } from "./socket.ts";
import type { WordKey } from "./steer.ts";
import {
  actionAttributes,
  type FilterAction,
  readAction,
} from "./tc_action.ts";
import { type Attributes, nested, tcBody } from "./tc_message.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;

/** Source: linux/rtnetlink.h, linux/pkt_sched.h. */
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
const TC_H_CLSACT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;
const PARENTS = { ingress: 0xfffffff2, egress: 0xfffffff3 };
const TCMSG_BYTES = 20;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;

/** Source: linux/pkt_cls.h and linux/tc_act/. */
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const SEL_BYTES = 16;
const KEY_BYTES = 16;

/** At which end of a link. */
export type Hook = "ingress" | "egress";

/** What filters of a link are looked for by. */
export interface FilterPlace {
  /** The link's index. */
  readonly ifIndex: number;
  /** At which end. */
  readonly hook: Hook;
  /** The lower, the earlier. */
  readonly priority: number;
  /** The Ethernet type, such as 0x0800. */
  readonly protocol: number;
}

/** What a filter says. */
export interface FilterRule {
  /** The words that a packet must have. */
  readonly keys: readonly WordKey[];
  /** What is done with it, in this order. */
  readonly actions: readonly FilterAction[];
}

/** A filter as the kernel has it. */
export interface FilterSeen extends FilterRule {
  /** The kernel's number. */
  readonly handle: number;
}

/**
 * Gives a link a place for filters; one that it has is fine.
 *
 * Equivalent to: `tc qdisc add dev $link clsact`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @throws {NetlinkError} `EEXIST` when it has one, `ENOENT` when the kernel hasn't the part.
 */
export function addClsact(socket: RouteSocket, ifIndex: number): void {
  socket.exchange(`tc qdisc add dev #${ifIndex} clsact`, {
    type: RTM_NEWQDISC,
    flags: CREATE | EXCL,
    body: tcBody(
      { ifIndex, handle: CLSACT_HANDLE, parent: TC_H_CLSACT },
      { kind: "clsact", options: [] },
    ),
  });
}

/**
 * Tells whether a link has a place for filters.
 *
 * Equivalent to: `tc qdisc show dev $link clsact`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function hasClsact(socket: RouteSocket, ifIndex: number): boolean {
  const op = `tc qdisc show dev #${ifIndex}`;
  // The kernel dumps all links', whatever is asked for.
  const body = tcBody({ ifIndex, handle: 0, parent: 0 });
  let found = false;
  for (const group of socket.dumpBodies(op, message(RTM_GETQDISC, body))) {
    for (const one of group) {
      const place = placeOf(one);
      if (place.ifIndex !== ifIndex || place.parent !== TC_H_CLSACT) continue;
      found ||= kindOf(one) === "clsact";
    }
  }
  return found;
}

/**
 * Takes a link's place for filters away, unless filters hang there: they
 * aren't ours.
 *
 * Equivalent to: `tc qdisc delete dev $link clsact`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @throws {NetlinkError} `EINVAL` or `ENOENT` when it has none.
 */
export function deleteIdleClsact(socket: RouteSocket, ifIndex: number): void {
  for (const hook of ["ingress", "egress"] as const) {
    const [first] = dump(socket, { ifIndex, hook, priority: 0, protocol: 0 });
    if (first !== undefined) return;
  }
  socket.exchange(`tc qdisc delete dev #${ifIndex} clsact`, {
    type: RTM_DELQDISC,
    flags: 0,
    body: tcBody({ ifIndex, handle: CLSACT_HANDLE, parent: TC_H_CLSACT }),
  });
}

/**
 * Adds a filter behind those of the same priority.
 *
 * Equivalent to: `tc filter add dev $link $hook protocol $protocol prio
 * $priority u32 match … action …`
 *
 * @param socket Where.
 * @param place Its link, which has a clsact.
 * @param rule What it says.
 * @throws {NetlinkError} `ENOENT` when the kernel lacks a part.
 */
export function addFilter(
  socket: RouteSocket,
  place: FilterPlace,
  rule: FilterRule,
): void {
  const actions = rule.actions.map((action, i): Attribute => [
    i + 1,
    actionAttributes(action),
  ]);
  socket.exchange(opOf("add", place), {
    type: RTM_NEWTFILTER,
    flags: CREATE | EXCL,
    body: tcBody(tcPlace(place, 0), {
      kind: "u32",
      options: [[TCA_U32_ACT, actions], [TCA_U32_SEL, selector(rule.keys)]],
    }),
  });
}

/**
 * Finds the filters of a priority and protocol.
 *
 * Equivalent to: `tc filter show dev $link $hook`
 *
 * @param socket Where.
 * @param place Which.
 * @returns The filters that this module can read; others are left out.
 * @throws {NetlinkError} `ENODEV` when the link isn't there.
 */
export function listFilters(
  socket: RouteSocket,
  place: FilterPlace,
): FilterSeen[] {
  return dump(socket, place).flatMap((body) => {
    const options = optionsOf(body);
    const sel = options.get(TCA_U32_SEL);
    if (kindOf(body) !== "u32" || sel === undefined) return [];
    const actions = [...nested(options.get(TCA_U32_ACT))]
      .sort(([a], [b]) => a - b)
      .flatMap(([, action]) => readAction(decodeAttributes(action)) ?? []);
    const { handle } = placeOf(body);
    return [{ handle, keys: readKeys(sel), actions }];
  });
}

/**
 * Deletes a filter, and with the last of its priority the priority itself: of
 * several the kernel would keep it, empty.
 *
 * Equivalent to: `tc filter delete dev $link $hook protocol $protocol prio
 * $priority handle $handle u32`
 *
 * @param socket Where.
 * @param place Which link.
 * @param handle The kernel's number.
 * @throws {NetlinkError} `ENOENT` when it is gone.
 */
export function deleteFilter(
  socket: RouteSocket,
  place: FilterPlace,
  handle: number,
): void {
  deleteOne(socket, place, handle);
  const isEmpty = (body: Uint8Array<ArrayBuffer>): boolean =>
    kindOf(body) === "u32" && !optionsOf(body).has(TCA_U32_SEL);
  const left = dump(socket, place);
  if (left.length > 0 && left.every(isEmpty)) deleteOne(socket, place, 0);
}

function deleteOne(
  socket: RouteSocket,
  place: FilterPlace,
  handle: number,
): void {
  socket.exchange(opOf("delete", place), {
    type: RTM_DELTFILTER,
    flags: 0,
    body: tcBody(tcPlace(place, handle), { kind: "u32", options: [] }),
  });
}

/** Filters of any kind; priority and protocol 0 stand for all. */
function dump(
  socket: RouteSocket,
  place: FilterPlace,
): Uint8Array<ArrayBuffer>[] {
  const body = tcBody(tcPlace(place, 0));
  const found: Uint8Array<ArrayBuffer>[] = [];
  const wanted = tcPlace(place, 0).info;
  const question = message(RTM_GETTFILTER, body);
  for (const group of socket.dumpBodies(opOf("show", place), question)) {
    for (const one of group) {
      const { ifIndex, info } = placeOf(one);
      if (ifIndex !== place.ifIndex) continue;
      if (wanted === 0 || wanted === info) found.push(one.slice());
    }
  }
  return found;
}

function message(type: number, body: Uint8Array<ArrayBuffer>): {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array<ArrayBuffer>;
} {
  return { type, flags: 0, body };
}

function opOf(verb: string, { ifIndex, hook, priority }: FilterPlace): string {
  return `tc filter ${verb} dev #${ifIndex} ${hook} prio ${priority} u32`;
}

/** The protocol stands in network order. */
function tcPlace(
  { ifIndex, hook, priority, protocol }: FilterPlace,
  handle: number,
): { ifIndex: number; handle: number; parent: number; info: number } {
  const swapped = (protocol & 0xff) << 8 | protocol >> 8;
  const info = (priority << 16 | swapped) >>> 0;
  return { ifIndex, handle, parent: PARENTS[hook], info };
}

/** struct tcmsg. */
function placeOf(body: Uint8Array<ArrayBuffer>): {
  ifIndex: number;
  handle: number;
  parent: number;
  info: number;
} {
  const view = viewOf(body);
  const [ifIndex = 0, handle = 0, parent = 0, info = 0] = [4, 8, 12, 16]
    .map((at) => view.getUint32(at, LITTLE_ENDIAN));
  return { ifIndex, handle, parent, info };
}

function kindOf(body: Uint8Array<ArrayBuffer>): string {
  const attributes = decodeAttributes(body.subarray(TCMSG_BYTES));
  const kind = new TextDecoder().decode(attributes.get(TCA_KIND));
  return kind.replace(/\0$/, "");
}

function optionsOf(body: Uint8Array<ArrayBuffer>): Attributes {
  const attributes = decodeAttributes(body.subarray(TCMSG_BYTES));
  return nested(attributes.get(TCA_OPTIONS));
}

/** struct tc_u32_sel: flags, shift, how many keys, 13 more bytes; the keys. */
function selector(keys: readonly WordKey[]): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(SEL_BYTES);
  head.set([TC_U32_TERMINAL, 0, keys.length]);
  return concatenate([
    head,
    ...keys.flatMap(({ mask, value, offset }) => [
      mask,
      value,
      u32(offset, 0),
    ]),
  ]);
}

function readKeys(sel: Uint8Array<ArrayBuffer>): WordKey[] {
  const count = sel[2] ?? 0;
  return Array.from({ length: count }, (_, i) => {
    const key = sel.slice(
      SEL_BYTES + KEY_BYTES * i,
      SEL_BYTES + KEY_BYTES * (i + 1),
    );
    const offset = viewOf(key).getInt32(8, LITTLE_ENDIAN);
    return { mask: key.slice(0, 4), value: key.slice(4, 8), offset };
  });
}
