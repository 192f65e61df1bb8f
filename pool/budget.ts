/**
 * How often each API of the cloud may be called in a minute, and how often it
 * was. The cloud counts by account and region; what a node keeps to itself
 * spares the others.
 *
 * What a process spent dies with it: the next one begins with a whole budget.
 *
 * @module
 */
import type { Call, CallKind } from "./event.ts";

/** Calls in the minute that began at `fromMs`, by API. */
export interface Spent {
  /** The minute's beginning. */
  readonly fromMs: number;
  /** Calls by API. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Nothing was called yet. */
export const UNSPENT: Spent = { fromMs: 0, counts: new Map() };

/** How often each API may be called in a minute; those it lacks, always. */
export type CallsPerMinute = Readonly<Record<string, number>>;

/**
 * Calls a minute by API unless told.
 *
 * Source: Terway's default limits (`pkg/aliyun/client`, read 2026-11-21); where
 * it names none, its 500.
 */
export const CALLS_PER_MINUTE: CallsPerMinute = {
  CreateNetworkInterface: 500,
  AttachNetworkInterface: 500,
  DetachNetworkInterface: 400,
  DeleteNetworkInterface: 500,
  DescribeNetworkInterfaces: 800,
  ModifyNetworkInterfaceAttribute: 500,
  AssignPrivateIpAddresses: 400,
  UnassignPrivateIpAddresses: 400,
  AssignIpv6Addresses: 400,
  UnassignIpv6Addresses: 400,
  DescribeVSwitches: 300,
};

type Price = readonly (readonly [api: string, count: number])[];

/**
 * What calls spend. What is taken and what is given back are different APIs,
 * so neither can starve the other.
 *
 * An Unassign of addresses that somebody else took away meanwhile costs one
 * more, and a look: rare, and not counted.
 */
const PRICES: Readonly<Partial<Record<CallKind, Price>>> = {
  create: [["CreateNetworkInterface", 1]],
  attach: [["AttachNetworkInterface", 1]],
  detach: [["DetachNetworkInterface", 1]],
  delete: [["DeleteNetworkInterface", 1]],
  purge: [["DeleteNetworkInterface", 1], ["DescribeNetworkInterfaces", 1]],
  secure: [["ModifyNetworkInterfaceAttribute", 1]],
  assign: [["AssignPrivateIpAddresses", 1]],
  unassign: [["UnassignPrivateIpAddresses", 1]],
  assign6: [["AssignIpv6Addresses", 1]],
  unassign6: [["UnassignIpv6Addresses", 1]],
  describe: [["DescribeNetworkInterfaces", 1]],
  // By tags and by instance.
  survey: [["DescribeNetworkInterfaces", 2]],
};

const MINUTE_MS = 60_000;

/**
 * Adds a call to what was spent.
 *
 * @param spent Before.
 * @param call The call.
 * @param nowMs The time.
 * @returns After; a new minute begins with nothing spent.
 */
export function spend(
  spent: Spent,
  call: { readonly kind: CallKind; readonly vSwitchIds?: readonly string[] },
  nowMs: number,
): Spent {
  const price = PRICES[call.kind];
  if (price === undefined) return spent;
  const fromMs = minuteOf(nowMs);
  const counts = new Map(spent.fromMs === fromMs ? spent.counts : []);
  const add = (api: string, count: number) =>
    counts.set(api, (counts.get(api) ?? 0) + count);
  for (const [api, count] of price) add(api, count);
  // One by one: the API takes a single id.
  const { vSwitchIds = [] } = call;
  if (vSwitchIds.length > 0) add("DescribeVSwitches", vSwitchIds.length);
  return { fromMs, counts };
}

/** What a budget is asked with. */
export interface BudgetCase {
  /** The time. */
  readonly nowMs: number;
  /** The budgets. */
  readonly callsPerMinute: CallsPerMinute;
}

/**
 * Tells how many more calls of an API this minute allows.
 *
 * @param spent What was spent.
 * @param api Which.
 * @param it The time and the budgets.
 * @returns 0 or more; Infinity for what has no budget.
 */
export function leftOfApi(spent: Spent, api: string, it: BudgetCase): number {
  const most = it.callsPerMinute[api] ?? Infinity;
  return Math.max(0, most - usedOf(spent, api, it.nowMs));
}

/**
 * Tells how many more calls of a kind this minute allows. What costs more than
 * the whole budget is allowed once a minute: else it would never be made.
 *
 * @param spent What was spent.
 * @param kind Which.
 * @param it The time and the budgets.
 * @returns 0 or more; Infinity for what has no budget.
 */
export function leftOf(spent: Spent, kind: CallKind, it: BudgetCase): number {
  let left = Infinity;
  for (const [api, count] of PRICES[kind] ?? []) {
    const isFresh = usedOf(spent, api, it.nowMs) === 0;
    const calls = Math.floor(leftOfApi(spent, api, it) / count);
    left = Math.min(left, isFresh ? Math.max(1, calls) : calls);
  }
  return left;
}

/**
 * Tells how many calls of a kind a minute allows in all.
 *
 * @param kind Which.
 * @param callsPerMinute The budgets.
 * @returns 1 or more; Infinity for what has no budget.
 */
export function mostOf(kind: CallKind, callsPerMinute: CallsPerMinute): number {
  return leftOf(UNSPENT, kind, { nowMs: MINUTE_MS, callsPerMinute });
}

/**
 * Gives the APIs that a kind of call spends.
 *
 * @param kind Which.
 * @returns Their names.
 */
export function apisOf(kind: Call["kind"]): readonly string[] {
  return (PRICES[kind] ?? []).map(([api]) => api);
}

/**
 * Names what calls an API, among others maybe.
 *
 * @param api The API.
 * @returns The kinds of calls.
 */
export function kindsOf(api: string): readonly CallKind[] {
  const kinds = Object.keys(PRICES) as CallKind[];
  return kinds.filter((kind) => apisOf(kind).includes(api));
}

/**
 * Gives the time at which spent budgets are whole again.
 *
 * @param nowMs The time.
 * @returns The beginning of the next minute.
 */
export function nextMinuteMs(nowMs: number): number {
  return minuteOf(nowMs) + MINUTE_MS;
}

/**
 * Tells how often an API was called in this minute.
 *
 * @param spent What was spent.
 * @param api Which.
 * @param nowMs The time.
 * @returns 0 or more.
 */
export function usedOf(spent: Spent, api: string, nowMs: number): number {
  if (spent.fromMs !== minuteOf(nowMs)) return 0;
  return spent.counts.get(api) ?? 0;
}

/**
 * Tells whether something may have to wait for the next minute.
 *
 * @param spent What was spent.
 * @param callsPerMinute The budgets.
 * @returns True when half of a budget is gone: more than any kept share.
 */
export function isShort(spent: Spent, callsPerMinute: CallsPerMinute): boolean {
  for (const [api, used] of spent.counts) {
    if (used * 2 >= (callsPerMinute[api] ?? Infinity)) return true;
  }
  return false;
}

function minuteOf(nowMs: number): number {
  return Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
}
