/**
 * What must hold in a simulated life at every moment.
 *
 * @module
 */
import type { EniRecord } from "../../tests/emulators/alibaba/model.ts";
import { CALL_MS, CALLS_AT_ONCE } from "../limits.ts";
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
    !life.foreign.has(eni.id) && !life.orphans.has(eni.id)
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
  for (const { ip, ownerKey } of pods.used) {
    const other = owners.get(ip);
    demand(
      other === undefined,
      "one owner",
      () => `${other} and ${ownerKey} use ${ip}`,
    );
    owners.set(ip, ownerKey);
  }
}

function leasesRecorded({ pods, ledger, process, keeper }: Simulation): void {
  for (const { ownerKey, ip } of pods.told) {
    const record = ledger.leases.get(ownerKey);
    demand(
      record?.ip === ip,
      "lease record",
      () => `${ownerKey} was told ${ip}, the journal has ${record?.ip}`,
    );
  }
  if (process.isDead) return;
  for (const { ownerKey, ip } of keeper.leases()) {
    const record = ledger.leases.get(ownerKey);
    demand(
      record?.ip === ip,
      "lease record",
      () => `${ownerKey} has ${ip} in memory, the journal has ${record?.ip}`,
    );
  }
}

/** Only somebody else may take an address, or its card, from under a pod. */
function addressesInPlace({ pods, cloud, drifted }: Simulation): void {
  for (const { ownerKey, ip, eniId } of pods.used) {
    if (drifted.has(eniId)) continue;
    const eni = cloud.model.enis.get(eniId);
    demand(
      eni?.state === "InUse" && eni.ips.includes(ip),
      "address in place",
      () =>
        `${ownerKey} uses ${ip}, and ${eniId} is ${eni?.state} with ${
          eni?.ips.join(" ")
        }`,
    );
  }
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
