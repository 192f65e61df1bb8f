/**
 * What the cloud's cards were a moment ago, for looks that are stale.
 *
 * @module
 */
import { apart } from "../../tests/emulators/alibaba/actions_ipv6.ts";
import type { EniRecord, Model } from "../../tests/emulators/alibaba/model.ts";
import type { Eni, EniFilter } from "../cloud.ts";

/** A look is so old at most; less than the pool waits for its second one. */
export const STALE_MS = 8_000;

/** Remembers cards for as long as a look can be stale. */
export class Sights {
  #sights: { readonly atMs: number; readonly enis: readonly Eni[] }[] = [];

  /**
   * Remembers how the cards are.
   *
   * @param model The cloud.
   * @param nowMs The time.
   */
  note(model: Model, nowMs: number): void {
    const enis = [...model.enis.values()].map(seen);
    const last = this.#sights.at(-1);
    if (last?.atMs === nowMs) this.#sights.pop();
    this.#sights.push({ atMs: nowMs, enis });
    const first = this.#sights.findLastIndex(({ atMs }) =>
      atMs <= nowMs - STALE_MS
    );
    if (first > 0) this.#sights.splice(0, first);
  }

  /** Forgets everything: what isn't noted all the time tells nothing. */
  clear(): void {
    this.#sights = [];
  }

  /** Whether there is nothing to be seen. */
  get isEmpty(): boolean {
    return this.#sights.length === 0;
  }

  /**
   * Describes cards as they were.
   *
   * @param filter Which.
   * @param atMs When; {@linkcode STALE_MS} ago at most.
   * @returns The cards.
   */
  read(filter: EniFilter, atMs: number): readonly Eni[] {
    const sight = this.#sights.findLast((one) => one.atMs <= atMs) ??
      this.#sights[0];
    const { instanceId, ids, tags = {} } = filter;
    return (sight?.enis ?? []).filter((eni) =>
      (instanceId === undefined || eni.instanceId === instanceId) &&
      (ids === undefined || ids.includes(eni.id)) &&
      Object.entries(tags).every(([key, value]) => eni.tags[key] === value)
    );
  }
}

function seen(record: EniRecord): Eni {
  const { id, mac, type, state, vSwitchId, zone, primaryIp } = record;
  const [ips6, prefixes6] = apart(record.ips6);
  const prefixes = [...record.prefixes, ...prefixes6];
  return {
    id,
    mac,
    type,
    status: state,
    vSwitchId,
    zone,
    primaryIp,
    ips: [...record.ips],
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ips6,
    securityGroupIds: [...record.securityGroupIds],
    tags: { ...record.tags },
    ...(record.instanceId === undefined
      ? {}
      : { instanceId: record.instanceId }),
  };
}
