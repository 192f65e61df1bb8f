/**
 * What must hold in a simulated life once nothing goes wrong any more and all
 * that was under way has come to its end.
 *
 * @module
 */
import type { EniRecord, SlotRecord } from "../record.ts";
import { type Family, familyOf } from "../../netns/ip.ts";
import { leadOf } from "../family.ts";
import { ipsOfPrefix, prefixSize } from "../prefix.ts";
import { elapse, unhang } from "./happen.ts";
import { demand, ipsHeld, ownEnis } from "./invariants.ts";
import type { Simulation } from "./simulation.ts";

/** Longer than anything in the pool takes by itself, a drain included. */
const DRAIN_MS = 30 * 60_000;

/**
 * Checks what holds once everything has come to its end.
 *
 * @param life The life; its process lives and nothing goes wrong any more.
 * @throws {Violation} When something doesn't hold.
 */
export function checkSettled(life: Simulation): void {
  const { keeper, ledger, host } = life;
  ledger.check(life.outside.journal);
  const { claims, calls, enis, full } = keeper.status();
  demand(claims.length === 0, "settles", () => "claims wait for ever");
  // What finds no place knocks again now and then.
  const last = full === undefined ? "survey" : "attach";
  const changes = calls.map(({ kind }) => kind)
    .filter((kind) => kind !== "survey" && kind !== last);
  demand(changes.length === 0, "settles", () => `${changes} never end`);
  // A card that others took the place of gives nothing back until it is there.
  const going = enis.filter((eni) => eni.phase === "ready")
    .reduce(
      (sum, { slots, slots6 }) =>
        sum + slots.unassigning + (slots6?.unassigning ?? 0),
      0,
    );
  demand(going === 0, "settles", () => "addresses never go");
  const inCloud = cloudSet(life);
  const inJournal = journalSet(life);
  demand(
    inCloud === inJournal,
    "cloud set",
    () => `the cloud has\n${inCloud}\nand the journal\n${inJournal}`,
  );
  const prepared = [...host.prepared].sort().join(" ");
  const ready = [...ledger.enis.values()].filter((eni) => eni.phase === "ready")
    .map(({ card }) => card?.id ?? "")
    .filter((id) => life.cloud.model.enis.has(id)).sort().join(" ");
  demand(
    prepared === ready,
    "kernel set",
    () => `set up in the kernel: ${prepared}; ready: ${ready}`,
  );
  stockBounded(life);
  securityGroupsSet(life);
  orphansGone(life);
  trunkThere(life);
}

/** Unless others keep its place, or the cloud allows no card. */
function trunkThere({ keeper, limits, foreign, weather }: Simulation): void {
  if (!limits.trunk || !limits.hotPlug || foreign.size > 0) return;
  const { enis, trunk, full, rests, lost } = keeper.status();
  const isBound = full !== undefined || rests.length > 0 || lost.length > 0;
  if (isBound || weather.rarity > 0) return;
  const isPacked = enis.length >= limits.eniCount;
  const isThere = enis.some(({ isTrunk, phase }) =>
    isTrunk === true && phase === "ready"
  );
  demand(
    isThere || (isPacked && trunk?.eniId === undefined),
    "settles",
    () => `there is no trunk: ${trunk?.reason}`,
  );
}

/** Cards that we made are in the groups that the operator wants. */
function securityGroupsSet({ ledger, cloud, securityGroupIds }: Simulation) {
  const wanted = securityGroupIds.toSorted().join(" ");
  for (const { card, phase, isAdopted } of ledger.enis.values()) {
    const seen = cloud.model.enis.get(card?.id ?? "");
    if (isAdopted || phase !== "ready" || seen === undefined) continue;
    const groups = seen.securityGroupIds.toSorted().join(" ");
    demand(
      groups === wanted,
      "settles",
      () => `${seen.id} is in ${groups}, not in ${wanted}`,
    );
  }
}

/** A pool that looks around finds them; an empty one needn't. */
function orphansGone({ orphans, cloud, keeper, limits }: Simulation): void {
  const { enis } = keeper.status();
  if (enis.length === 0 || !limits.hotPlug) return;
  const left = [...orphans.keys()].filter((id) => cloud.model.enis.has(id));
  demand(left.length === 0, "leak", () => `${left} are loose for ever`);
}

/**
 * Lets all pods go and empties the pool, and checks that nothing is left.
 *
 * @param life The life, settled.
 * @throws {Violation} When something is left.
 */
export async function checkEmptied(life: Simulation): Promise<void> {
  const { keeper, clock, pods } = life;
  for (const owner of pods.owners) pods.release(owner);
  for (const id of [...life.members]) await unhang(life, id);
  await elapse(life, 1_000);
  const leases = keeper.leases();
  demand(leases.length === 0, "leak", () => `${leases.length} leases are left`);
  const end = new AbortController();
  let isEmpty = false;
  keeper.drain(end.signal).then(() => isEmpty = true, () => {});
  const endMs = clock.nowMs() + DRAIN_MS;
  while (!isEmpty && clock.nowMs() < endMs) await elapse(life, 1_000);
  // A card that is still `Deleting` goes, and so do late answers.
  await elapse(life, 60_000);
  end.abort();
  const left = ownEnis(life).map(({ id, state }) => `${id} ${state}`);
  demand(left.length === 0, "leak", () => `in the cloud is left ${left}`);
  demand(isEmpty, "leak", () => "the pool never becomes empty");
  const { enis, slots, leases: rows } = life.ledger.check(
    life.outside.journal,
  );
  demand(
    enis.length + slots.length + rows.length === 0,
    "leak",
    () => `in the journal are left ${enis.length} cards`,
  );
  const prepared = [...life.host.prepared];
  demand(
    prepared.length === 0,
    "leak",
    () => `in the kernel is left ${prepared}`,
  );
}

function stockBounded(life: Simulation): void {
  const { keeper, limits } = life;
  const { slots, slots6, rests, full, foreignEniIds, lost, enis } = keeper
    .status();
  const ready = enis.filter((eni) => eni.phase === "ready");
  const idle = ready.reduce((sum, eni) =>
    // One of each family is a pod's.
    sum + Math.min(eni.slots.idle, eni.slots6?.idle ?? Infinity), 0);
  const { wish, foreign } = life.script.world;
  // What the cloud or others hold back, the pool can't have.
  const isBound = rests.length > 0 || full !== undefined || !limits.hotPlug ||
    foreignEniIds.length > 0 || foreign.length > 0 || lost.length > 0 ||
    slots.quarantined + (slots6?.quarantined ?? 0) > 0;
  const room = limits.eniCount * limits.addressesPerEni - slots.leased;
  const least = isBound ? 0 : Math.min(limits.minIdle, room);
  demand(
    idle >= least,
    "settles",
    () => `${idle} are idle, not ${least}`,
  );
  // Primary addresses of cards that stay can't be given back.
  const staying =
    enis.filter((eni) =>
      eni.slots.leased > 0 || eni.slots.quarantined > 0 || eni.isAdopted ||
      eni.isTrunk === true ||
      (eni.slots6?.quarantined ?? 0) > 0
    ).length;
  // So do those that it takes to hold the least number of prefixes.
  const { minCount = 0, perEniCount = 1 } = limits.prefixes ?? {};
  const kept = Math.max(limits.minEniCount, Math.ceil(minCount / perEniCount));
  const most = Math.max(
    limits.maxIdle,
    staying + kept,
    wish.warmUpCount ?? 0,
  ) + heldByPrefixes(life, idle);
  // A prefix of IPv6 is more than what follows IPv4.
  const following = limits.stack === "dual" ? idleIn(life, 6) : [];
  const ofEach = [
    ready.reduce((sum, eni) => sum + eni.slots.idle, 0),
    ready.reduce((sum, { slots6 }) => sum + (slots6?.idle ?? 0), 0) -
    sumOf(following),
  ];
  const idlest = Math.max(...ofEach);
  demand(
    idlest <= most,
    "settles",
    () => `${ofEach.join(" and ")} are idle, more than ${most}`,
  );
}

/**
 * What is idle beside others of its prefix stays with them; and a prefix that is
 * wholly idle stays where too little would be left without it.
 */
function heldByPrefixes(life: Simulation, idle: number): number {
  const { keeper, limits } = life;
  const family = leadOf(limits.stack);
  const size = prefixSize(family);
  const mixed = sumOf(idleIn(life, family).filter((count) => count < size));
  const { prefixes } = limits;
  if (prefixes === undefined) return mixed;
  const cards = keeper.status().enis;
  const holders = cards.filter((eni) => (eni.prefixes ?? []).length > 0);
  if (family === 6) {
    // One of IPv6 stays with its card.
    const stuck = cards.filter((eni) => eni.isAdopted).length +
      (limits.hotPlug ? limits.minEniCount : cards.length);
    const kept = Math.max(prefixes.minCount, limits.maxIdle > 0 ? 1 : 0);
    return mixed + (kept + stuck) * size;
  }
  // Each card that has some of those has its primary address, too.
  const kept = prefixes.minCount === 0
    ? 0
    : prefixes.minCount * size + holders.length;
  const mayGo = idle - size >= limits.minIdle;
  return mixed + kept + (mayGo ? 0 : size);
}

/** Idle addresses of each prefix of a family. */
function idleIn(
  { keeper, ledger }: Simulation,
  family: Family,
): readonly number[] {
  return keeper.status().enis.flatMap(({ key, prefixes = [] }) =>
    prefixes.filter((prefix) => familyOf(prefix) === family).map((prefix) =>
      ipsOfPrefix(prefix).filter((ip) =>
        ledger.slots.get(`${key} ${ip}`)?.kind === "idle"
      ).length
    )
  );
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A line for each card: its id, state and addresses. */
function cloudSet(life: Simulation): string {
  const known = new Set(
    [...life.ledger.enis.values()].map(({ card }) => card?.id),
  );
  const enis = [...life.cloud.model.enis.values()].filter((eni) =>
    known.has(eni.id) && eni.state !== "Deleting"
  );
  const lost = lostPlaces(life);
  const overfull = overfullIds(life);
  return [...new Set([...enis, ...ownEnis(life)])].map((eni) => {
    const { id, state } = eni;
    const kept = ipsHeld(eni).filter((ip) => !lost.has(`${id} ${ip}`))
      .sort();
    return overfull.has(id) ? id : `${id} ${state} ${kept.join(" ")}`;
  }).sort().join("\n");
}

/** The same, as the journal has it. */
function journalSet(life: Simulation): string {
  const { ledger, cloud } = life;
  const overfull = overfullIds(life);
  const lines = [...ledger.enis.values()].flatMap((eni) => {
    const id = eni.card?.id ?? "";
    const slots = [...ledger.slots.values()].filter(({ eniKey }) =>
      eniKey === eni.key
    );
    // Somebody deleted it, and its pods are still there.
    const isGone = !cloud.model.enis.has(id) && slots.every(isLost);
    if (isGone && slots.length > 0) return [];
    if (overfull.has(id)) return [id];
    const ips = slots.filter((slot) => !isLost(slot)).map(({ ip }) => ip);
    return [`${id} ${stateOf(eni)} ${ips.sort().join(" ")}`];
  });
  return lines.sort().join("\n");
}

/** What others took from pods, or took away with its card. */
function lostPlaces({ ledger }: Simulation): Set<string> {
  return new Set(
    [...ledger.slots.values()].filter(isLost).map(({ eniKey, ip }) =>
      `${ledger.enis.get(eniKey)?.card?.id} ${ip}`
    ),
  );
}

/**
 * Cards that somebody detached while they were being assigned addresses, and
 * that now hold too many to be attached: the intent stays open until their
 * pods go.
 */
function overfullIds({ ledger, drifted }: Simulation): Set<string> {
  return new Set(
    [...ledger.enis.values()].filter((eni) =>
      eni.assign !== undefined && eni.phase === "created"
    ).map(({ card }) => card?.id ?? "").filter((id) => drifted.has(id)),
  );
}

function isLost({ kind, atMs }: SlotRecord): boolean {
  return kind === "leased" && atMs > 0;
}

function stateOf({ phase }: EniRecord): string {
  if (phase === "ready") return "InUse";
  return phase === "created" ? "Available" : phase;
}
