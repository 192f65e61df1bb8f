/**
 * A node whose cards all sit on vSwitches that ran dry, while another vSwitch
 * has addresses: the emptiest card makes way for one there.
 *
 * It follows from the state and is no mark on a card: when a dry vSwitch gets
 * addresses, or nobody waits any more, the card serves on as if nothing had
 * been.
 *
 * @module
 */
import { isCooling } from "./card.ts";
import { leadOf } from "./family.ts";
import { type Desk, leastYield, ranked, yieldOf } from "./grow.ts";
import { holdersOf } from "./holder.ts";
import type { PoolLimits, VSwitchChoice } from "./limits.ts";
import {
  type Lease,
  LEAVING,
  type PooledEni,
  type PoolState,
} from "./state.ts";
import { isPluggable, roomOf, serves, stockOf } from "./stock.ts";
import { isKeptTrunk } from "./trunk.ts";

/** A card that is emptied, and what for. */
export interface Exchange {
  /** The card that makes way; nothing of it is leased any more. */
  readonly eni: PooledEni;
  /** Where the next one shall be made. */
  readonly target: VSwitchChoice;
}

/**
 * Finds the card that makes way.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time.
 * @returns Of the cards that can't get addresses the one with the fewest
 * leases; undefined while waiting pods can be served otherwise.
 */
export function exchangeOf(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): Exchange | undefined {
  if (state.draining || state.claims.size === 0 || state.rests.size === 0) {
    return undefined;
  }
  const { idle, cooling, coming, freeEnis } = stockOf(state, limits);
  const isFull = state.full !== undefined && state.full.untilMs > nowMs;
  if (coming > 0 || (freeEnis > 0 && !isFull)) return undefined;
  // What rests is leased sooner than a card is made.
  if (state.claims.size <= idle + cooling) return undefined;
  const target = ranked(state, limits).find(({ id }) =>
    yieldOf(state, id, nowMs) === Infinity && state.available.get(id) !== 0
  );
  if (target === undefined) return undefined;
  let best: PooledEni | undefined;
  for (const eni of state.enis.values()) {
    // One at a time: what leaves makes room by itself.
    if (LEAVING.has(eni.phase)) return undefined;
    if (!serves(eni) || roomOf(eni, limits) === 0) continue;
    // IPv6 addresses never run out.
    if (leadOf(limits.stack) === 6) return undefined;
    const atMost = yieldOf(state, eni.intent.vSwitchId, nowMs);
    if (atMost >= leastYield(limits)) return undefined;
    if (!isPluggable(eni, limits) || isDoubtful(eni)) continue;
    if (isKeptTrunk(state, eni, limits)) continue;
    if (best === undefined || leaseCount(eni) < leaseCount(best)) best = eni;
  }
  return best && { eni: best, target };
}

/**
 * Retires a card that makes way, once nobody has an address of it.
 *
 * @param exchange The card.
 * @param desk What the plan works with.
 */
export function exchange({ eni }: Exchange, { lanes, begin }: Desk): void {
  if (leaseCount(eni) > 0 || isCooling(eni) || !lanes.isFree(eni)) return;
  if (lanes.isHeld("detach")) return;
  if (eni.assign !== undefined || eni.resync) return;
  begin({ kind: "retire", eniKey: eni.key });
}

/**
 * Gives the leases that keep a card from making way.
 *
 * @param state The pool.
 * @param exchange The card.
 * @returns The leases.
 */
export function holding(state: PoolState, { eni }: Exchange): readonly Lease[] {
  return [...state.leases.values()].filter(({ eniKey }) => eniKey === eni.key);
}

/**
 * Says what is going on, and who keeps it from going on.
 *
 * @param state The pool.
 * @param exchange The card, and what for.
 * @returns A clause, such as `eni-1 on vsw-a, which is empty, makes way for a
 * card on vsw-b once its pods go: default/a, default/b`.
 */
export function exchangeText(state: PoolState, exchange: Exchange): string {
  const { eni, target } = exchange;
  const leases = holding(state, exchange);
  const when = leases.length === 0
    ? "now"
    : `once its pods go: ${holdersOf(leases)}`;
  const name = eni.card?.id ?? eni.key;
  return `${name} on ${eni.intent.vSwitchId}, which is empty, makes way for ` +
    `a card on ${target.id} ${when}`;
}

function leaseCount(eni: PooledEni): number {
  let count = 0;
  for (const slot of eni.slots.values()) if (slot.kind === "leased") count++;
  return count;
}

/** Something on the host may still use an address of it. */
function isDoubtful(eni: PooledEni): boolean {
  for (const slot of eni.slots.values()) {
    if (slot.kind === "quarantined") return true;
  }
  return false;
}
