/**
 * How the pool gets more addresses: for pods that wait, and up to the stock's
 * lower mark.
 *
 * Cards that have room are filled first, the fullest foremost; a new card is
 * made only for what none of them can hold, and with all those addresses at
 * once. Waiting pods are demand once: what is under way is taken off.
 *
 * @module
 */
import type { Family } from "../netns/ip.ts";
import { hasIp6, idlePlaces, isFit, leadOf } from "./family.ts";
import type { Lanes } from "./lanes.ts";
import {
  ADDRESSES_PER_CALL,
  GATHER_MS,
  type PoolLimits,
  type VSwitchChoice,
} from "./limits.ts";
import type { CallWish } from "./plan.ts";
import { PREFIX_SIZE, PREFIXES_PER_CALL, prefixSize } from "./prefix.ts";
import { addressesOf, prefixesHeld } from "./prefixed.ts";
import type { PooledEni, PoolState } from "./state.ts";
import { JOINING, LEAVING } from "./state.ts";
import { inOrder, roomOf, serves, stockOf } from "./stock.ts";
import { isTrunkDue } from "./trunk.ts";

/** What a plan works with. */
export interface Desk {
  /** Which calls may begin. */
  readonly lanes: Lanes;
  /** The time. */
  readonly nowMs: number;
  /** Adds a call to the plan. */
  readonly begin: (wish: CallWish) => void;
}

/**
 * Tells how many addresses are missing.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time; claims younger than {@linkcode GATHER_MS} don't count,
 * unless an older one waits with them.
 * @returns 0 or more, beyond what is idle or under way.
 */
export function shortfall(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): number {
  const [oldest] = state.claims.values();
  const isRipe = oldest !== undefined && oldest.atMs + GATHER_MS <= nowMs;
  const waiting = isRipe ? state.claims.size : 0;
  const { idle, coming, leased, cooling } = stockOf(state, limits);
  const wanted = Math.max(
    waiting + limits.minIdle - idle - coming,
    missingPrefixes(state, limits) * prefixSize(leadOf(limits.stack)),
  );
  if (!isWarming(state, limits)) return Math.max(0, wanted);
  const held = idle + coming + leased + cooling;
  return Math.max(0, wanted, limits.warmUpCount - held);
}

/**
 * Tells how many prefixes a pool holds that stay, or come.
 *
 * @param state The pool.
 * @param family Of which family.
 * @returns How many, on all cards that aren't leaving.
 */
export function prefixCount(state: PoolState, family: Family): number {
  let count = 0;
  for (const eni of state.enis.values()) {
    if (!LEAVING.has(eni.phase)) count += prefixesHeld(eni, family);
  }
  return count;
}

function missingPrefixes(
  state: PoolState,
  { prefixes, stack }: PoolLimits,
): number {
  const { minCount = 0 } = prefixes ?? {};
  if (minCount === 0) return 0;
  return Math.max(0, minCount - prefixCount(state, leadOf(stack)));
}

/**
 * Tells whether the pool is being warmed up: it gets what it should hold at
 * first, and gives nothing back until then.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @returns True from the first start until it was warm once.
 */
export function isWarming(state: PoolState, limits: PoolLimits): boolean {
  return state.isCold && limits.warmUpCount > 0;
}

/**
 * Tells whether a pool that is being warmed up has become warm.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @returns True when it holds what it should, or all that it can.
 */
export function isWarm(state: PoolState, limits: PoolLimits): boolean {
  if (!isWarming(state, limits)) return false;
  const { idle, leased, cooling } = stockOf(state, limits);
  const most = limits.eniCount * limits.addressesPerEni;
  return idle + leased + cooling >= Math.min(limits.warmUpCount, most);
}

/**
 * Tells how many addresses of a vSwitch may be asked for in one call.
 *
 * @param state The pool.
 * @param vSwitchId Which.
 * @param nowMs The time.
 * @returns 0 when it rests; Infinity when nothing is known against it.
 */
export function yieldOf(
  state: PoolState,
  vSwitchId: string,
  nowMs: number,
): number {
  const rest = state.rests.get(vSwitchId);
  if (rest === undefined || rest.untilMs <= nowMs) return Infinity;
  return rest.atMost;
}

/**
 * Tells how many addresses a vSwitch must yield to be of use for a card.
 *
 * @param limits The pool's bounds.
 * @returns One, or as many as a prefix of IPv4 has: those of IPv6 never run out.
 */
export function leastYield({ prefixes }: PoolLimits): number {
  return prefixes === undefined ? 1 : PREFIX_SIZE;
}

/**
 * Chooses where a new card gets its addresses.
 *
 * @param state The pool.
 * @param limits The vSwitches, and by which policy one is chosen.
 * @param nowMs The time.
 * @returns The policy's first that nothing is known against, else the one that
 * gives most; undefined when all rest.
 */
export function chooseVSwitch(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): VSwitchChoice | undefined {
  let best: VSwitchChoice | undefined;
  let most = 0;
  for (const choice of ranked(state, limits)) {
    const atMost = yieldOf(state, choice.id, nowMs);
    if (atMost > most) [best, most] = [choice, atMost];
  }
  return best;
}

/**
 * Adds the calls that get what is missing.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param desk What the plan works with.
 */
export function grow(state: PoolState, limits: PoolLimits, desk: Desk): void {
  follow(state, limits, desk);
  let wanted = shortfall(state, limits, desk.nowMs);
  if (createTrunk(state, limits, { wanted, desk })) return;
  if (wanted === 0) return keepMinimum(state, limits, desk);
  const choice = chooseVSwitch(state, limits, desk.nowMs);
  const isElsewhere = choice !== undefined &&
    yieldOf(state, choice.id, desk.nowMs) === Infinity;
  const enis = [...state.enis.values()].filter((eni) =>
    (serves(eni) || JOINING.has(eni.phase)) && isFit(eni, limits.stack)
  ).sort((a, b) => inOrder(limits, a.slots.size, b.slots.size));
  for (const eni of enis) {
    const usable = usableRoom(state, eni, { limits, desk });
    // A vSwitch that is nearly dry is asked for little when another has more.
    const bound = isElsewhere
      ? fourYieldOf(state, eni, { limits, desk })
      : Infinity;
    const room = Math.min(wanted, usable, bound);
    const asked = assign(state, eni, { room, limits, desk });
    // What it can hold beyond this call comes with the next: no new card for it.
    wanted -= Math.max(room, asked);
  }
  create(state, limits, { wanted, desk });
}

/** IPv6 follows: a card gets as many as make its IPv4 addresses of use. */
function follow(state: PoolState, limits: PoolLimits, desk: Desk): void {
  if (limits.stack !== "dual") return;
  for (const eni of state.enis.values()) {
    if (!maySettle(eni, desk) || eni.assignFromMs > desk.nowMs) continue;
    if (!isFit(eni, limits.stack) || !isOpen(state, "assign6", desk)) continue;
    const { missing6 } = idlePlaces(eni, limits);
    const call = { kind: "assign6", eniKey: eni.key } as const;
    const ofPrefixes = limits.prefixes !== undefined;
    if (ofPrefixes && missing6 > 0) {
      desk.begin({ ...call, count: 1, ofPrefixes });
    } else if (missing6 > 0) {
      desk.begin({ ...call, count: Math.min(missing6, ADDRESSES_PER_CALL) });
    }
  }
}

/**
 * Orders the vSwitches by the operator's policy; data alone decides.
 *
 * @param state The pool.
 * @param limits The vSwitches, and by which policy one is chosen.
 * @returns All of them, the first choice first.
 */
export function ranked(
  state: PoolState,
  limits: PoolLimits,
): readonly VSwitchChoice[] {
  const { vSwitches, vSwitchPolicy } = limits;
  if (vSwitchPolicy === "most") {
    const left = (id: string) => state.available.get(id) ?? 0;
    return vSwitches.toSorted((a, b) => left(b.id) - left(a.id));
  }
  if (vSwitchPolicy === "ordered") return vSwitches;
  // Each call turns the wheel on from where the last survey's draw left it.
  const turn = (state.draw + state.nextCallId * GOLDEN_RATIO) % 1;
  const first = Math.floor(turn * vSwitches.length);
  return [...vSwitches.slice(first), ...vSwitches.slice(0, first)];
}

/** Multiples of it spread evenly. Source: Knuth, TAOCP 6.4, Fibonacci hashing. */
const GOLDEN_RATIO = 0.6180339887498949;

/** Before all others: what is missing beyond it is counted when it has begun. */
function createTrunk(
  state: PoolState,
  limits: PoolLimits,
  { wanted, desk }: { wanted: number; desk: Desk },
): boolean {
  if (!isTrunkDue(state, limits, desk.nowMs)) return false;
  let hasBegun = false;
  const begin = (call: CallWish): void => {
    hasBegun = true;
    const isNew = call.kind === "create" && "wish" in call;
    desk.begin(isNew ? { ...call, wish: { ...call.wish, trunk: true } } : call);
  };
  const count = Math.max(1, Math.min(wanted, limits.addressesPerEni));
  create(state, limits, { wanted: count, desk: { ...desk, begin } });
  return hasBegun;
}

/** A card with one address for each that is missing to the least number. */
function keepMinimum(state: PoolState, limits: PoolLimits, desk: Desk): void {
  let count = 0;
  for (const { phase } of state.enis.values()) {
    if (!LEAVING.has(phase)) count++;
  }
  const { freeEnis } = stockOf(state, limits);
  const most = state.full === undefined ? freeEnis : Math.min(freeEnis, 1);
  const missing = Math.min(limits.minEniCount - count, most);
  for (let i = 0; i < missing; i++) create(state, limits, { wanted: 1, desk });
}

/** A stock is filled with what waiting pods leave of a minute's calls. */
function isOpen(
  state: PoolState,
  kind: "create" | "assign" | "assign6",
  { lanes }: Desk,
): boolean {
  return state.claims.size > 0
    ? lanes.isOpen(kind)
    : lanes.isOpenForStock(kind);
}

/** Room that will be had on a card: at once, or when its present call ended. */
function usableRoom(
  state: PoolState,
  eni: PooledEni,
  { limits, desk }: { limits: PoolLimits; desk: Desk },
): number {
  if (eni.assignFromMs > desk.nowMs) return 0;
  // Nothing is added while something is to go, and that may take a minute.
  if (isGiving(eni) && desk.lanes.isHeld("unassign")) return 0;
  const room = roomOf(eni, limits);
  const least = leastYield(limits);
  return fourYieldOf(state, eni, { limits, desk }) < least ? 0 : room;
}

/** What a card's vSwitch yields for pods: IPv6 addresses never run out. */
function fourYieldOf(
  state: PoolState,
  eni: PooledEni,
  { limits, desk }: { limits: PoolLimits; desk: Desk },
): number {
  if (leadOf(limits.stack) === 6) return Infinity;
  return yieldOf(state, eni.intent.vSwitchId, desk.nowMs);
}

function assign(
  state: PoolState,
  eni: PooledEni,
  { room, limits, desk }: { room: number; limits: PoolLimits; desk: Desk },
): number {
  const kind = leadOf(limits.stack) === 6 ? "assign6" : "assign";
  if (!maySettle(eni, desk) || !isOpen(state, kind, desk)) return 0;
  const atMost = fourYieldOf(state, eni, { limits, desk });
  if (limits.prefixes !== undefined) {
    const size = prefixSize(leadOf(limits.stack));
    const count = Math.min(
      Math.ceil(room / size),
      PREFIXES_PER_CALL,
      Math.floor(atMost / size),
    );
    const call = { kind, eniKey: eni.key, count, ofPrefixes: true } as const;
    if (count > 0) desk.begin(call);
    return count * size;
  }
  const count = Math.min(room, ADDRESSES_PER_CALL, atMost);
  if (count > 0) desk.begin({ kind, eniKey: eni.key, count });
  return count;
}

/** One change at a time: the cloud could give back the very address that goes. */
function maySettle(eni: PooledEni, { lanes }: Desk): boolean {
  const isSettled = serves(eni) && eni.assign === undefined && !eni.resync;
  return isSettled && lanes.isFree(eni) && !isGiving(eni);
}

function isGiving(eni: PooledEni): boolean {
  for (const slot of eni.slots.values()) {
    if (slot.kind === "unassigning") return true;
  }
  return false;
}

function create(
  state: PoolState,
  limits: PoolLimits,
  { wanted, desk }: { wanted: number; desk: Desk },
): void {
  const { nowMs, begin } = desk;
  const { full } = state;
  if (full !== undefined && full.untilMs > nowMs) return;
  // After a quota error one card is tried, not a burst of them.
  const free = stockOf(state, limits).freeEnis;
  let cards = full === undefined ? free : Math.min(free, 1);
  const choice = chooseVSwitch(state, limits, nowMs);
  if (choice === undefined) return;
  const atMost = yieldOf(state, choice.id, nowMs);
  if (atMost !== Infinity) cards = Math.min(cards, 1);
  for (let left = wanted; left > 0 && cards > 0; cards--) {
    if (!isOpen(state, "create", desk)) return;
    const most = leadOf(limits.stack) === 4 ? atMost : Infinity;
    const count = Math.min(left, limits.addressesPerEni, most);
    const wish = wishOf(choice, { count, most }, limits);
    begin({ kind: "create", wish });
    // What the first call may not ask for comes with the next.
    left -= Math.max(count, addressesOf(wish, leadOf(limits.stack)));
  }
}

/** A card with addresses for so many pods. */
function wishOf(
  { id: vSwitchId, cidr: subnet, cidr6: subnet6 }: VSwitchChoice,
  { count, most }: { count: number; most: number },
  { stack, prefixes }: PoolLimits,
): Extract<CallWish, { wish: unknown }>["wish"] {
  if (prefixes !== undefined) {
    const prefixCount = leadOf(stack) === 6 ? 0 : Math.min(
      Math.ceil((count - 1) / PREFIX_SIZE),
      Math.floor((most - 1) / PREFIX_SIZE),
      PREFIXES_PER_CALL,
    );
    const blocks = prefixCount > 0 ? { prefixCount } : {};
    const wish = { vSwitchId, subnet, ipCount: 1, ...blocks };
    if (!hasIp6(stack) || subnet6 === undefined) return wish;
    return { ...wish, subnet6, prefix6Count: 1 };
  }
  const ipCount = leadOf(stack) === 4 ? count : 1;
  const wish = { vSwitchId, subnet, ipCount };
  if (!hasIp6(stack) || subnet6 === undefined) return wish;
  return { ...wish, subnet6, ip6Count: Math.min(count, ADDRESSES_PER_CALL) };
}
