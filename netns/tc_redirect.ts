/**
 * What comes in by a link, sent over another one first: `tc filter … action
 * mirred`. By u32 and not matchall, as more kernels have that.
 *
 * @module
 */
import { type Attribute, u32, viewOf } from "./message.ts";
import { CREATE, REPLACE, type RouteSocket } from "./socket.ts";
import { askTc, needing, nested, tcBody, type TcPlace } from "./tc_message.ts";

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;

/** Source: linux/rtnetlink.h, linux/pkt_sched.h. */
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
const TC_H_CLSACT = 0xfffffff1;
const TC_H_CLSACT_INGRESS = 0xfffffff2;
const CLSACT_HANDLE = 0xffff0000;

/** Source: linux/pkt_cls.h, linux/tc_act/tc_mirred.h. */
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
/** Where the filter lies: `prio 1 protocol all handle 800::800`. */
const FILTER_HANDLE = 0x80000800;
const FILTER_INFO = 1 << 16 | 0x0300; // ETH_P_ALL in network order

/**
 * Sends all that comes in by a link over another one first.
 *
 * Equivalent to: `tc qdisc replace dev $link clsact && tc filter replace dev
 * $link ingress protocol all prio 1 handle 800::800 u32 match u32 0 0 action
 * mirred egress redirect dev $to`
 *
 * @param socket Where.
 * @param ifIndex The link that packets come in by.
 * @param toIndex The link that they take a turn over: an ifb.
 * @throws {NetlinkError} `ENOENT` when the kernel lacks a part.
 */
export function setRedirect(
  socket: RouteSocket,
  ifIndex: number,
  toIndex: number,
): void {
  needing(() =>
    socket.exchange(`tc qdisc replace dev #${ifIndex} clsact`, {
      type: RTM_NEWQDISC,
      flags: CREATE | REPLACE,
      body: tcBody(
        { ifIndex, handle: CLSACT_HANDLE, parent: TC_H_CLSACT },
        { kind: "clsact", options: [] },
      ),
    }), { part: "clsact", modules: "sch_ingress" });
  const op = `tc filter replace dev #${ifIndex} ingress protocol all prio 1 ` +
    `u32 match u32 0 0 action mirred egress redirect dev #${toIndex}`;
  needing(() =>
    socket.exchange(op, {
      type: RTM_NEWTFILTER,
      flags: CREATE,
      body: tcBody(filterPlace(ifIndex), {
        kind: "u32",
        options: everythingTo(toIndex),
      }),
    }), { part: "u32 with mirred", modules: "cls_u32 and act_mirred" });
}

/**
 * Finds where all that comes in by a link is sent first.
 *
 * Equivalent to: `tc filter show dev $link ingress`
 *
 * @param socket Where.
 * @param ifIndex The link that packets come in by.
 * @returns The other link's index; undefined when our filter isn't there.
 * @throws {NetlinkError} `ENODEV` when the link isn't there.
 */
export function redirectTarget(
  socket: RouteSocket,
  ifIndex: number,
): number | undefined {
  const found = askTc(socket, {
    op: `tc filter show dev #${ifIndex} ingress`,
    type: RTM_GETTFILTER,
    body: tcBody(filterPlace(ifIndex), { kind: "u32", options: [] }),
    absent: ["ENOENT", "EINVAL"],
  });
  const action = nested(found?.options.get(TCA_U32_ACT)).get(1);
  const options = nested(action).get(TCA_ACT_OPTIONS);
  const parameters = nested(options).get(TCA_MIRRED_PARMS);
  // struct tc_mirred: five words, what is done, and with which link.
  if (parameters === undefined || parameters.length < 28) return undefined;
  const view = viewOf(parameters);
  if (view.getInt32(20, LITTLE_ENDIAN) !== TCA_EGRESS_REDIR) return undefined;
  return view.getUint32(24, LITTLE_ENDIAN);
}

/**
 * Lets packets come in by a link directly again. All filters at its clsact go:
 * the link is the pod's own, and with it what the pod may have put there.
 *
 * Equivalent to: `tc qdisc delete dev $link clsact`
 *
 * @param socket Where.
 * @param ifIndex The link that packets come in by.
 * @throws {NetlinkError} `EINVAL` or `ENOENT` when it has no clsact.
 */
export function deleteRedirect(socket: RouteSocket, ifIndex: number): void {
  socket.exchange(`tc qdisc delete dev #${ifIndex} clsact`, {
    type: RTM_DELQDISC,
    flags: 0,
    body: tcBody({ ifIndex, handle: CLSACT_HANDLE, parent: TC_H_CLSACT }),
  });
}

function filterPlace(ifIndex: number): TcPlace {
  return {
    ifIndex,
    handle: FILTER_HANDLE,
    parent: TC_H_CLSACT_INGRESS,
    info: FILTER_INFO,
  };
}

/** A selector that every packet matches, and the action that redirects. */
function everythingTo(toIndex: number): Attribute[] {
  // struct tc_mirred: index, capab, action, refcnt, bindcnt, eaction, ifindex.
  const mirred = u32(0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, toIndex);
  const action: Attribute[] = [
    [TCA_ACT_KIND, new TextEncoder().encode("mirred\0")],
    [TCA_ACT_OPTIONS, [[TCA_MIRRED_PARMS, mirred]]],
  ];
  // struct tc_u32_sel: flags, shift, one key, 13 more bytes; the key is a mask
  // and a value of zero.
  const selector = new Uint8Array(32);
  selector.set([TC_U32_TERMINAL, 0, 1]);
  return [[TCA_U32_ACT, [[1, action]]], [TCA_U32_SEL, selector]];
}
