/**
 * What must hold in a simulated life: at every moment, and when nothing goes
 * wrong any more.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { CALLS_AT_ONCE } from "../limits.ts";
import type { Snapshot } from "../record.ts";
import { INTENT_TAG, ownTags } from "../tags.ts";
import type { Simulation } from "./simulation.ts";

/**
 * Checks what holds at every moment.
 *
 * @param life The life.
 * @throws {Error} When something doesn't hold.
 */
export function checkAlways(life: Simulation): void {
  if (life.broken !== undefined) throw life.broken;
  const { process } = life;
  if (process.callCount > CALLS_AT_ONCE) {
    throw new Error(`${process.callCount} calls are in flight`);
  }
  const written = life.outside.journal.load();
  oneOwner(written);
  promisesKept(life, written);
  if (!process.isDead) {
    for (const lease of life.keeper.leases()) {
      const record = written.leases.find((one) =>
        one.ownerKey === lease.ownerKey
      );
      assertEquals(
        record,
        lease,
        `${lease.ownerKey} has a lease in memory only`,
      );
    }
  }
  const keys = new Set(written.enis.map(({ key }) => key));
  for (const eni of ownEnis(life)) {
    if (!keys.has(eni.tags[INTENT_TAG] ?? "")) {
      throw new Error(`${eni.id} is in the cloud without an intent`);
    }
  }
}

/**
 * Checks what holds once everything has come to its end; then lets all pods go
 * and empties the pool.
 *
 * @param life The life; its process lives and nothing goes wrong any more.
 * @throws {Error} When something doesn't hold.
 */
export async function checkSettled(life: Simulation): Promise<void> {
  checkAlways(life);
  const { keeper, clock, limits, pods } = life;
  const { slots, claims, calls, rests, full } = keeper.status();
  assertEquals(claims, [], "claims wait for ever");
  const changes = calls.filter(({ kind }) => kind !== "survey");
  assertEquals(changes, [], "calls are in flight for ever");
  assertEquals(slots.unassigning, 0, "addresses are never given back");
  assertEquals(cloudSet(life), journalSet(life.outside.journal.load()));
  // A dry vSwitch or fewer cards than believed may forbid the stock.
  const isBound = rests.length > 0 || full !== undefined;
  const room = limits.eniCount * limits.addressesPerEni - slots.leased;
  const least = isBound ? 0 : Math.min(limits.minIdle, room);
  if (slots.idle < least) throw new Error(`${slots.idle} idle, not ${least}`);
  if (slots.idle > most(life)) throw new Error(`${slots.idle} are idle`);
  for (const owner of pods.owners) pods.release(owner);
  await clock.advance(1_000);
  assertEquals(keeper.leases(), [], "leases are left");
  const end = new AbortController();
  let isEmpty = false;
  keeper.drain(end.signal).then(() => isEmpty = true, () => {});
  await clock.advance(30 * 60_000);
  end.abort();
  assertEquals(ownEnis(life).map(({ id }) => id), [], "cards are left");
  assert(isEmpty, "the pool isn't empty");
  assertEquals(life.outside.journal.load(), {
    enis: [],
    slots: [],
    leases: [],
  });
  assertEquals([...life.host.prepared], [], "the kernel side is left");
}

/** Primary addresses of cards with leases can't be given back. */
function most(life: Simulation): number {
  const { enis } = life.keeper.status();
  const inUse = enis.filter(({ slots }) => slots.leased > 0).length;
  return Math.max(life.limits.maxIdle, inUse);
}

function oneOwner(written: Snapshot): void {
  const ips = written.leases.map(({ ip }) => ip);
  if (new Set(ips).size !== ips.length) {
    throw new Error("an address has two owners");
  }
}

function promisesKept(life: Simulation, written: Snapshot): void {
  for (const lease of life.pods.told) {
    const record = written.leases.find((one) =>
      one.ownerKey === lease.ownerKey
    );
    assertEquals(record, lease, `${lease.ownerKey} lost what it was told`);
  }
}

function ownEnis(life: Simulation) {
  const own = Object.entries(
    ownTags({ clusterId: "c1", instanceId: life.stand.instanceId }),
  );
  // What is `Deleting` has been deleted, as far as the cloud promises anything.
  return [...life.cloud.model.enis.values()].filter(({ tags, state }) =>
    state !== "Deleting" && own.every(([key, value]) => tags[key] === value)
  );
}

function cloudSet(life: Simulation): Record<string, readonly string[]> {
  return Object.fromEntries(
    ownEnis(life).map((
      { id, state, ips },
    ) => [`${id} ${state}`, ips.toSorted()]),
  );
}

function journalSet(written: Snapshot): Record<string, readonly string[]> {
  return Object.fromEntries(written.enis.map(({ key, card, phase }) => [
    `${card?.id} ${phase === "ready" ? "InUse" : phase}`,
    written.slots.filter(({ eniKey }) => eniKey === key).map(({ ip }) => ip)
      .toSorted(),
  ]));
}
