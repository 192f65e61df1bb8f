/**
 * What an instance's metadata showed, and when.
 *
 * The metadata service lags behind the API: an address is assigned seconds
 * before the instance can read it there, and is read there seconds after it
 * was unassigned. So each change is remembered with its time, and a reader
 * sees the newest one that is old enough.
 *
 * @module
 */
import type { Ip } from "../../../netns/ip.ts";
import { cardsOf } from "./members.ts";
import type { Model } from "./model.ts";

/** A card, as metadata shows it. */
export interface SeenEni {
  /** `eni-…` */
  readonly id: string;
  /** Lower case, with colons. */
  readonly mac: string;
  /** The address that lives and dies with it. */
  readonly primaryIp: Ip;
  /** All of its IPv4 addresses, the primary one first. */
  readonly ips: readonly Ip[];
  /** All of its IPv6 addresses. */
  readonly ips6: readonly Ip[];
  /** Its vSwitch. */
  readonly vSwitchId: string;
}

/** The oldest sight that a stale answer can show, beyond the lag. */
const KEPT_MS = 600_000;

interface Sight {
  readonly atMs: number;
  readonly enis: readonly SeenEni[];
}

/** Remembers what each instance's cards were. */
export class MetadataHistory {
  readonly #sights = new Map<string, Sight[]>();
  readonly #lagMs: number;

  /**
   * Makes an empty one.
   *
   * @param lagMs How far metadata is behind the API.
   */
  constructor(lagMs: number) {
    this.#lagMs = lagMs;
  }

  /**
   * Notes what an instance's cards are now.
   *
   * @param instanceId The instance.
   * @param enis Its cards.
   * @param nowMs The time.
   */
  note(instanceId: string, enis: readonly SeenEni[], nowMs: number): void {
    const sights = this.#sights.get(instanceId) ?? [];
    const visible = sights.findLastIndex(({ atMs }) =>
      atMs <= nowMs - this.#lagMs - KEPT_MS
    );
    // What is older than this one can never be read again.
    if (visible > 0) sights.splice(0, visible);
    sights.push({ atMs: nowMs, enis });
    this.#sights.set(instanceId, sights);
  }

  /**
   * Tells what an instance's metadata shows.
   *
   * @param instanceId The instance.
   * @param at The time, and how much staler than by the lag it shall be: ten
   * minutes at most.
   * @returns Its cards, as they were the lag ago; at first, as they began.
   */
  read(
    instanceId: string,
    at: { nowMs: number; staleMs?: number },
  ): readonly SeenEni[] {
    const sights = this.#sights.get(instanceId) ?? [];
    const seenMs = at.nowMs - this.#lagMs - (at.staleMs ?? 0);
    const sight = sights.findLast(({ atMs }) => atMs <= seenMs) ?? sights[0];
    return sight?.enis ?? [];
  }
}

/**
 * Lists the cards that an instance can see in itself now.
 *
 * @param model The cloud.
 * @param instanceId The instance.
 * @returns Its cards, without those that aren't in it yet.
 */
export function seenEnis(model: Model, instanceId: string): SeenEni[] {
  // Members aren't cards that an instance sees.
  return cardsOf(model, instanceId)
    .filter(({ state }) => state === "InUse" || state === "Detaching")
    .map((eni) => ({
      id: eni.id,
      mac: eni.mac,
      primaryIp: eni.primaryIp,
      ips: [...eni.ips],
      ips6: [...eni.ips6],
      vSwitchId: eni.vSwitchId,
    }));
}
