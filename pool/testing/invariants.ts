/**
 * What must hold in a simulated life at every moment.
 *
 * @module
 */
import type { EniRecord } from "../../tests/emulators/alibaba/model.ts";
import { CALL_MS, CALLS_AT_ONCE } from "../limits.ts";
import { leasedIps } from "../lease.ts";
import { ipsOfPrefix } from "../prefix.ts";
import type { Lease, OwnerKey } from "../state.ts";
import { INTENT_TAG } from "../tags.ts";
import type { Simulation } from "./simulation.ts";
import { type Rule, Violation } from "./violation.ts";

/**
 * Checks what holds at every moment.
 *
 * @param life The life.
 * @throws {Violation} When something doesn't hold.
 */
export function checkAlways(life: Simulation): void {
  if (life.broken !== undefined) throw life.broken;
  callsBounded(life);
  oneOwner(life);
  leasesRecorded(life);
  addressesInPlace(life);
  intentsRecorded(life);
  othersUntouched(life);
  membersStay(life);
  oneTrunk(life);
}

/**
 * Demands something.
 *
 * @param isSo What.
 * @param rule Which promise it is.
 * @param text What is seen instead.
 * @throws {Violation} When it isn't so.
 */
export function demand(
  isSo: boolean,
  rule: Rule,
  text: () => string,
): asserts isSo {
  if (!isSo) throw new Violation(rule, text());
}

/**
 * Gives the cards that this node's pool made, as the cloud has them.
 *
 * @param life The life.
 * @returns The cards; what is `Deleting` has been deleted, as far as the cloud
 * promises anything.
 */
export function ownEnis(life: Simulation): EniRecord[] {
  return [...life.cloud.model.enis.values()].filter((eni) =>
    eni.type !== "Primary" && eni.state !== "Deleting" &&
    !life.foreign.has(eni.id) && !life.orphans.has(eni.id) &&
    !life.members.has(eni.id)
  );
}

function callsBounded({ process, clock }: Simulation): void {
  const { size } = process.callsSinceMs;
  demand(size <= CALLS_AT_ONCE, "calls at once", () => `${size} are in flight`);
  if (process.isDead) return;
  for (const { sinceMs } of process.callsSinceMs) {
    const heldMs = clock.nowMs() - sinceMs;
    demand(heldMs <= CALL_MS, "deadline", () => `a call takes ${heldMs} ms`);
  }
}

function oneOwner({ pods }: Simulation): void {
  const owners = new Map<string, string>();
  for (const lease of pods.used) {
    for (const ip of leasedIps(lease)) {
      const other = owners.get(ip);
      demand(
        other === undefined,
        "one owner",
        () => `${other} and ${lease.ownerKey} use ${ip}`,
      );
      owners.set(ip, lease.ownerKey);
    }
  }
}

function leasesRecorded({ pods, ledger, process, keeper }: Simulation): void {
  const recorded = (ownerKey: OwnerKey): string =>
    ipsOf(ledger.leases.get(ownerKey));
  for (const lease of pods.told) {
    const { ownerKey } = lease;
    const [told, record] = [ipsOf(lease), recorded(ownerKey)];
    demand(
      told === record,
      "lease record",
      () => `${ownerKey} was told ${told}, the journal has ${record}`,
    );
  }
  if (process.isDead) return;
  for (const lease of keeper.leases()) {
    const { ownerKey } = lease;
    const [held, record] = [ipsOf(lease), recorded(ownerKey)];
    demand(
      held === record,
      "lease record",
      () => `${ownerKey} has ${held} in memory, the journal has ${record}`,
    );
  }
}

/** Only somebody else may take an address, or its card, from under a pod. */
function addressesInPlace({ pods, cloud, drifted }: Simulation): void {
  for (const lease of pods.used) {
    const { ownerKey, eniId } = lease;
    if (drifted.has(eniId)) continue;
    const eni = cloud.model.enis.get(eniId);
    const has = eni === undefined ? [] : ipsHeld(eni);
    demand(
      eni?.state === "InUse" &&
        leasedIps(lease).every((ip) => has.includes(ip)),
      "address in place",
      () =>
        `${ownerKey} uses ${ipsOf(lease)}, and ${eniId} is ${eni?.state} ` +
        `with ${has.join(" ")}`,
    );
  }
}

/**
 * Gives all addresses of a card.
 *
 * @param eni The card, as the cloud has it.
 * @returns Those of prefixes included.
 */
export function ipsHeld({ ips, prefixes, ips6 }: EniRecord): readonly string[] {
  const six = ips6.flatMap((ip) => ip.includes("/") ? ipsOfPrefix(ip) : ip);
  return [...ips, ...prefixes.flatMap(ipsOfPrefix), ...six];
}

function ipsOf(lease: Lease | undefined): string {
  return lease === undefined ? "nothing" : leasedIps(lease).join(" and ");
}

function intentsRecorded(life: Simulation): void {
  const { enis } = life.ledger;
  for (const { id, tags, state } of ownEnis(life)) {
    const key = tags[INTENT_TAG] ?? "";
    life.front.tokens.saw(key);
    // A journal that was lost is built anew from what is attached.
    if (life.isBereft && state === "InUse") continue;
    demand(
      enis.has(key),
      "intent record",
      () => `${id} is in the cloud, and the journal has no ${key}`,
    );
  }
}

function othersUntouched({ foreign, cloud }: Simulation): void {
  for (const id of foreign.keys()) {
    const state = cloud.model.enis.get(id)?.state;
    demand(
      state === "InUse",
      "not ours",
      () => `${id} is somebody else's, and was made ${state ?? "nothing"}`,
    );
  }
}

/** Somebody else hung them on our trunk, and nobody else takes them off. */
function membersStay({ members, cloud }: Simulation): void {
  for (const id of members) {
    const { state, member } = cloud.model.enis.get(id) ?? {};
    const trunk = cloud.model.enis.get(member?.trunkId ?? "");
    demand(
      state === "InUse" && trunk?.state === "InUse",
      "not ours",
      () => `${id} was hung on a trunk, which is ${trunk?.state ?? "nowhere"}`,
    );
  }
}

/** A lost journal may leave a second one loose. */
function oneTrunk(life: Simulation): void {
  if (life.isBereft) return;
  const enis = ownEnis(life);
  for (const { id, type, tags } of enis) {
    const { intent } = life.ledger.enis.get(tags[INTENT_TAG] ?? "") ?? {};
    demand(
      intent === undefined || (intent.trunk === true) === (type === "Trunk"),
      "one trunk",
      () => `${id} is a ${type} card, and the journal knows otherwise`,
    );
  }
  const trunks = enis.filter(({ type }) => type === "Trunk");
  demand(
    trunks.length <= 1,
    "one trunk",
    () => `there are ${trunks.map(({ id, state }) => `${id} ${state}`)}`,
  );
}
