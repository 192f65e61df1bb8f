/**
 * What a simulated node's journal holds, known without reading it, and the
 * promises that are about its changes.
 *
 * @module
 */
import type { Ip } from "../../netns/ip.ts";
import type { Journal } from "../journal.ts";
import { leasedIps } from "../lease.ts";
import { COOLING_MS } from "../limits.ts";
import type { Change, EniRecord, SlotRecord, Snapshot } from "../record.ts";
import type { EniKey, Lease, OwnerKey } from "../state.ts";
import { Violation } from "./violation.ts";

/** Mirrors a journal, and watches how addresses change hands. */
export class Ledger {
  /** Cards by key. */
  readonly enis: Map<EniKey, EniRecord> = new Map();
  /** Addresses by card and address. */
  readonly slots: Map<string, SlotRecord> = new Map();
  /** Leases by owner. */
  readonly leases: Map<OwnerKey, Lease> = new Map();
  /** Counts up with each change. */
  version: number = 0;
  /** Until when an address rests, and on which card it was. */
  readonly #rests = new Map<Ip, { untilMs: number; eniId: string }>();
  readonly #isOurs: (eniId: string) => boolean;

  /**
   * Begins an empty one.
   *
   * @param isOurs Tells whether nobody else has changed a card: what the cloud
   * took back and lends anew owes us no rest.
   */
  constructor(isOurs: (eniId: string) => boolean) {
    this.#isOurs = isOurs;
  }

  /**
   * Takes in what was written.
   *
   * @param change What.
   * @param nowMs When.
   * @throws {Violation} When an address is leased twice, or before it cooled.
   */
  apply({ gone, put }: Change, nowMs: number): void {
    this.version++;
    for (const owner of gone.leases) this.#end(owner, nowMs);
    for (const { eniKey, ip } of gone.slots) {
      this.slots.delete(`${eniKey} ${ip}`);
    }
    for (const key of gone.enis) {
      this.enis.delete(key);
      for (const [place, slot] of this.slots) {
        if (slot.eniKey === key) this.slots.delete(place);
      }
    }
    for (const eni of put.enis) this.enis.set(eni.key, eni);
    for (const slot of put.slots) {
      this.slots.set(`${slot.eniKey} ${slot.ip}`, slot);
    }
    for (const lease of put.leases) this.#begin(lease, nowMs);
  }

  /**
   * Compares itself with a journal.
   *
   * @param journal The journal.
   * @returns What it holds.
   * @throws {Violation} When they differ.
   */
  check(journal: Journal): Snapshot {
    const snapshot = journal.load();
    const { enis, slots, leases } = snapshot;
    const sizes = [enis.length, slots.length, leases.length];
    const own = [this.enis.size, this.slots.size, this.leases.size];
    if (String(sizes) !== String(own)) {
      throw new Violation(
        "journal",
        `the journal holds ${sizes} records and was told ${own}`,
      );
    }
    return snapshot;
  }

  /** Lets no address rest any longer: a drain ignores it. */
  forgive(): void {
    this.#rests.clear();
  }

  /** Forgets everything, as the journal does when it is lost. */
  clear(): void {
    this.version++;
    this.enis.clear();
    this.slots.clear();
    this.leases.clear();
  }

  #end(owner: OwnerKey, nowMs: number): void {
    const lease = this.leases.get(owner);
    this.leases.delete(owner);
    if (lease !== undefined) {
      const { eniId } = lease;
      for (const ip of leasedIps(lease)) {
        this.#rests.set(ip, { untilMs: nowMs + COOLING_MS, eniId });
      }
    }
  }

  #begin(lease: Lease, nowMs: number): void {
    for (const ip of leasedIps(lease)) this.#take(ip, lease, nowMs);
    this.leases.set(lease.ownerKey, lease);
  }

  #take(ip: Ip, { ownerKey }: Lease, nowMs: number): void {
    for (const other of this.leases.values()) {
      if (leasedIps(other).includes(ip) && other.ownerKey !== ownerKey) {
        throw new Violation(
          "one owner",
          `${ip} is leased to ${other.ownerKey} and ${ownerKey}`,
        );
      }
    }
    const rest = this.#rests.get(ip);
    const restMs = (rest?.untilMs ?? 0) - nowMs;
    if (rest !== undefined && restMs > 0 && this.#isOurs(rest.eniId)) {
      throw new Violation(
        "cooling",
        `${ip} is leased to ${ownerKey} ${restMs} ms before it has cooled`,
      );
    }
  }
}
