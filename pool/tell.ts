/**
 * What an event is worth telling: news, from the state before and after it.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";
import { eniKeyOf } from "./begin.ts";
import { type EventOf, isUnsure, type PoolEvent } from "./event.ts";
import type { Health } from "./health.ts";
import { ORPHAN_MS } from "./limits.ts";
import type { PoolNews } from "./news.ts";
import type { Lease, PooledEni, PoolState } from "./state.ts";

/**
 * Tells what an event did.
 *
 * @param event What happened.
 * @param before The pool before.
 * @param after The pool after.
 * @returns The news, in order; often none.
 */
export function tell(
  event: PoolEvent,
  before: PoolState,
  after: PoolState,
): readonly PoolNews[] {
  const news: PoolNews[] = [];
  if (event.kind === "granted") news.push(leased(event, before));
  if (event.kind === "released") {
    const lease = before.leases.get(event.ownerKey);
    if (lease !== undefined) {
      const { ownerKey, eniId } = lease;
      const held = heldBy(lease);
      news.push({ kind: "released", ownerKey, ...held, eniId });
    }
  }
  if (event.kind === "failed") news.push(callFailed(event, before, after));
  if (before.enis !== after.enis) news.push(...eniNews(before, after));
  if (event.kind === "answered") {
    news.push(...addressNews(event, before));
    const isLook = event.answer.kind === "survey" ||
      event.answer.kind === "describe";
    if (isLook) news.push(...lostAddresses(before, after));
  }
  if (before.orphans !== after.orphans) {
    for (const [eniId, sinceMs] of after.orphans) {
      if (before.orphans.has(eniId)) continue;
      const purgeFromMs = sinceMs + ORPHAN_MS;
      news.push({ kind: "orphanFound", eniId, purgeFromMs });
    }
  }
  if (before.rests !== after.rests) {
    for (const [vSwitchId, rest] of after.rests) {
      const was = before.rests.get(vSwitchId);
      // It got addresses back: no news of running dry.
      const isRelieved = was !== undefined && was.untilMs === rest.untilMs &&
        was.atMost <= rest.atMost;
      if (isRelieved) continue;
      news.push({ kind: "vSwitchRested", vSwitchId, ...rest });
    }
  }
  if (before.full !== after.full) {
    news.push(
      after.full === undefined ? { kind: "fullEnded" } : {
        kind: "full",
        untilMs: after.full.untilMs,
        problem: after.full.problem,
      },
    );
  }
  news.push(...healthNews(before.health, after.health));
  return news;
}

function healthNews(before: Health, after: Health): PoolNews[] {
  const { level, awayMs: sinceMs, problem } = after;
  if (before.level === level) return [];
  if (level === "whole") return [{ kind: "cloudBack" }];
  if (sinceMs === undefined || problem === undefined) return [];
  return [{ kind: "degraded", level, sinceMs, problem }];
}

function leased(event: EventOf<"granted">, before: PoolState): PoolNews {
  const { ownerKey, eniId, atMs } = event.lease;
  const sinceMs = before.claims.get(ownerKey)?.atMs ?? atMs;
  const waitedMs = atMs - sinceMs;
  return { kind: "leased", ownerKey, ...heldBy(event.lease), eniId, waitedMs };
}

function heldBy({ ip, ip6 }: Lease): Pick<Lease, "ip" | "ip6"> {
  return ip6 === undefined ? { ip } : { ip, ip6 };
}

function eniNews(before: PoolState, after: PoolState): PoolNews[] {
  const news: PoolNews[] = [];
  for (const [key, eni] of after.enis) {
    const old = before.enis.get(key);
    if (old !== eni) news.push(...changeOf(old, eni));
  }
  for (const [key, old] of before.enis) {
    if (after.enis.has(key) || old.card === undefined) continue;
    news.push({ kind: "eniGone", eniId: old.card.id, lastPhase: old.phase });
  }
  return news;
}

function changeOf(old: PooledEni | undefined, eni: PooledEni): PoolNews[] {
  const { card, phase, intent, slots } = eni;
  if (card === undefined) return [];
  const eniId = card.id;
  const news: PoolNews[] = [];
  if (old === undefined) {
    const { mac } = card;
    const [isOwn, ipCount] = [!eni.isAdopted, slots.size];
    news.push({ kind: "eniAdopted", eniId, mac, isOwn, ipCount });
  } else if (old.card === undefined) {
    const { vSwitchId } = intent;
    const { mac } = card;
    news.push({
      kind: "eniCreated",
      eniId,
      mac,
      vSwitchId,
      ipCount: slots.size,
    });
  }
  if (phase !== old?.phase) {
    if (phase === "ready") {
      news.push({ kind: "eniReady", eniId, ipCount: slots.size });
    }
    if (
      phase === "retiring" || (phase === "deleting" && old?.phase === "created")
    ) {
      news.push({ kind: "eniLeaving", eniId });
    }
  }
  if (old !== undefined) news.push(...driftNews(old, eni, eniId));
  return news;
}

/** What somebody else did to a card, and what is proven since. */
function driftNews(
  old: PooledEni,
  eni: PooledEni,
  eniId: string,
): PoolNews[] {
  if (old.slots === eni.slots) return [];
  const news: PoolNews[] = [];
  const suspect: Ip[] = [];
  const free: Ip[] = [];
  for (const [ip, slot] of eni.slots) {
    const was = old.slots.get(ip);
    if (was === slot) continue;
    if (slot.kind === "quarantined") suspect.push(ip);
    if (slot.kind === "idle" && was?.kind === "quarantined") free.push(ip);
    if (slot.kind !== "leased" || was?.kind !== "leased") continue;
    if ((slot.lostMs === undefined) === (was.lostMs === undefined)) continue;
    const kind = slot.lostMs === undefined ? "leaseFound" : "leaseLost";
    news.push({ kind, ownerKey: slot.ownerKey, ip, eniId });
  }
  if (suspect.length > 0) {
    news.push({ kind: "quarantined", eniId, ips: suspect });
  }
  if (free.length > 0) news.push({ kind: "proven", eniId, ips: free });
  return news;
}

/** Addresses that a look showed to be gone, and that we didn't give back. */
function lostAddresses(before: PoolState, after: PoolState): PoolNews[] {
  const news: PoolNews[] = [];
  for (const [key, eni] of after.enis) {
    const old = before.enis.get(key);
    if (old === undefined || old.slots === eni.slots) continue;
    const ips = [...old.slots].filter(([ip, slot]) =>
      slot.kind !== "unassigning" && !eni.slots.has(ip)
    ).map(([ip]) => ip);
    if (ips.length === 0 || eni.card === undefined) continue;
    news.push({ kind: "addressesLost", eniId: eni.card.id, ips });
  }
  return news;
}

function addressNews(
  event: EventOf<"answered">,
  before: PoolState,
): PoolNews[] {
  const call = before.calls.get(event.callId);
  if (call?.kind === "purge" && event.answer.kind === "purge") {
    const { eniId } = call;
    return event.answer.isDeleted ? [{ kind: "orphanPurged", eniId }] : [];
  }
  const key = call && eniKeyOf(call);
  const eniId = key === undefined ? undefined : before.enis.get(key)?.card?.id;
  if (eniId === undefined) return [];
  const { answer } = event;
  if (answer.kind === "assign" || answer.kind === "assign6") {
    return [{ kind: "assigned", eniId, ips: answer.ips }];
  }
  if (call?.kind === "unassign" || call?.kind === "unassign6") {
    return [{ kind: "unassigned", eniId, ips: call.ips }];
  }
  return [];
}

function callFailed(
  event: EventOf<"failed">,
  before: PoolState,
  after: PoolState,
): PoolNews {
  const { problem } = event;
  const call = before.calls.get(event.callId);
  const key = call && eniKeyOf(call);
  const eni = key === undefined ? undefined : before.enis.get(key);
  return {
    kind: "callFailed",
    problem,
    eniId: call?.kind === "purge" ? call.eniId : eni?.card?.id,
    vSwitchId: eni?.intent.vSwitchId,
    nextStep: nextStep(
      event,
      key === undefined ? undefined : after.enis.get(key),
      after,
    ),
  };
}

/** What the pool will do about it: a clause for the log line. */
function nextStep(
  { problem, nowMs }: EventOf<"failed">,
  eni: PooledEni | undefined,
  after: PoolState,
): string {
  const { call, kind } = problem;
  const gateMs = after.gates.get(call)?.notBeforeMs ?? nowMs;
  const pauseMs = Math.max(gateMs, eni?.notBeforeMs ?? nowMs) - nowMs;
  const pause = `${Math.ceil(pauseMs / 1000)} s`;
  const isAssign = call === "assign" || call === "assign6";
  const isTaking = call === "create" || isAssign;
  if (kind === "throttled") {
    return `rests for ${pause}, then one call at a time`;
  }
  if (kind === "denied") return `an operator must allow it; again in ${pause}`;
  if (kind === "exhausted" && isTaking) {
    return "the next vSwitch is taken, or fewer addresses are asked for";
  }
  if (kind === "quota" && isAssign) {
    return "this card is asked for no more addresses for a while";
  }
  if (kind === "quota" && after.full !== undefined) {
    const minutes = Math.round((after.full.untilMs - nowMs) / 60_000);
    return `no card is made until one of ours goes, or for ${minutes} min`;
  }
  if (eni?.phase === "seeking") {
    return `closed when nothing bears the intent's tag, in ${pause}`;
  }
  if (kind === "token") return `again with a new token in ${pause}`;
  if (isTaking && isUnsure(problem)) {
    return `again with the same token in ${pause}`;
  }
  if (isTaking && kind !== "conflict") return "the intent is closed";
  return `again in ${pause}`;
}
