/**
 * Why a claim waits, in words and numbers, and which claims need not wait.
 *
 * @module
 */
import { familyOf } from "../netns/ip.ts";
import { type Exchange, exchangeOf, exchangeText } from "./dry.ts";
import { apisOf, leftOf, nextMinuteMs } from "./budget.ts";
import type { Problem } from "./event.ts";
import { idlePlaces, leadOf } from "./family.ts";
import { chooseVSwitch, leastYield, shortfall, yieldOf } from "./grow.ts";
import { RECOVERY_MS } from "./health.ts";
import type { PoolLimits } from "./limits.ts";
import type { Reason } from "./news.ts";
import type { Action } from "./plan.ts";
import { type Gate, JOINING, type OwnerKey, type PoolState } from "./state.ts";
import { type Stock, stockOf } from "./stock.ts";

/**
 * Says of each waiting claim why it waits.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time.
 * @returns Reasons by owner, first come first.
 */
export function reasonsOf(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): ReadonlyMap<OwnerKey, Reason> {
  const stock = stockOf(state, limits);
  const exchange = exchangeOf(state, limits, nowMs);
  const reasons = new Map<OwnerKey, Reason>();
  for (const ownerKey of state.claims.keys()) {
    const ahead = reasons.size;
    const it = { stock, exchange, ahead, nowMs };
    const reason = reasonOf(state, limits, it);
    // What was held back until now is tried at once: no time to be told.
    const isPast = reason.nextMs !== undefined && reason.nextMs <= nowMs;
    reasons.set(ownerKey, isPast ? { ...reason, nextMs: undefined } : reason);
  }
  return reasons;
}

/**
 * Refuses claims that no waiting can serve: the node has all that it may have,
 * and nothing of it is on its way back. Others wait, since what lacks may come.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time.
 * @returns The actions that tell them, the latest comers.
 */
export function refusals(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): Action[] {
  if (state.draining || state.claims.size === 0) return [];
  const stock = stockOf(state, limits);
  const isFull = state.full !== undefined && state.full.untilMs > nowMs;
  if (stock.freeEnis > 0 && !isFull) return [];
  const { idle, coming, cooling, room, leaving } = stock;
  const servable = idle + coming + cooling + room + leaving;
  return [...state.claims.keys()].slice(servable).map((ownerKey) => ({
    kind: "refuse",
    ownerKey,
    reason: bound(state, limits, stock),
  }));
}

interface Case {
  readonly stock: Stock;
  readonly exchange: Exchange | undefined;
  /** How many claims came before. */
  readonly ahead: number;
  readonly nowMs: number;
}

function reasonOf(state: PoolState, limits: PoolLimits, it: Case): Reason {
  const { stock, ahead, nowMs } = it;
  if (state.surveyedMs === undefined) {
    const gate = state.gates.get("survey");
    if (gate !== undefined) return gated(gate);
    return because("starting", "the cloud is asked which cards there are");
  }
  if (state.health.level !== "whole") return away(state, nowMs);
  if (it.exchange !== undefined) {
    return because("exhausted", exchangeText(state, it.exchange));
  }
  if (ahead < stock.coming + stock.idle) return pending(state, limits, it);
  if (ahead < stock.coming + stock.room) return roomy(state, limits, it);
  if (stock.freeEnis > 0) {
    if (state.full !== undefined) return bound(state, limits, stock);
    return creatable(state, limits, nowMs);
  }
  if (ahead < stock.coming + stock.room + stock.cooling) {
    return cooling(state, limits);
  }
  if (stock.leaving > 0) {
    return because(
      "pending",
      `${addresses(stock.leaving)} being given back`,
    );
  }
  return bound(state, limits, stock);
}

/** The type's or the cloud's bound is reached. */
function bound(state: PoolState, limits: PoolLimits, stock: Stock): Reason {
  const most = limits.eniCount * limits.addressesPerEni;
  const used = `${stock.leased} of ${most} addresses are leased`;
  if (state.full !== undefined) {
    const { problem, untilMs } = state.full;
    return because(
      "full",
      `the cloud allows no further card (${answerOf(problem)}): ${used}`,
      untilMs,
    );
  }
  const foreign = state.foreignEniIds.length;
  const others = foreign === 0
    ? ""
    : `, and ${foreign} of ${limits.eniCount} cards aren't ours`;
  const unplugged = limits.hotPlug
    ? ""
    : "; no card is made, as hot_plug is off: attach one that may be adopted";
  return because("capacity", `the node is full: ${used}${others}${unplugged}`);
}

function pending(
  state: PoolState,
  limits: PoolLimits,
  { stock, nowMs }: Case,
): Reason {
  for (const eni of state.enis.values()) {
    const { later } = idlePlaces(eni, limits);
    // IPv6 is refused for all cards alike.
    const held = later > 0
      ? heldBack(state, limits, { kind: "assign6", nowMs })
      : undefined;
    if (held !== undefined) return held;
    const isComing = JOINING.has(eni.phase) || eni.assign !== undefined ||
      later > 0;
    if (!isComing || eni.problem === undefined) continue;
    return because(
      "pending",
      `${addresses(stock.coming)} under way; ${answerOf(eni.problem)}`,
      eni.notBeforeMs,
    );
  }
  return because("pending", `${addresses(stock.coming)} under way`);
}

/** There is room on a card, yet nothing is under way to fill it. */
function roomy(state: PoolState, limits: PoolLimits, it: Case): Reason {
  if (shortfall(state, limits, it.nowMs) === 0) return gathering();
  const isSix = leadOf(limits.stack) === 6;
  const kind = isSix ? "assign6" : "assign";
  const held = heldBack(state, limits, { kind, nowMs: it.nowMs });
  if (held !== undefined) return held;
  const isAllDry = !isSix &&
    [...state.enis.values()].every((eni) =>
      yieldOf(state, eni.intent.vSwitchId, it.nowMs) < leastYield(limits)
    );
  if (isAllDry && it.stock.freeEnis === 0) return exhausted(state, limits);
  if (isAllDry) return creatable(state, limits, it.nowMs);
  return because("busy", "a card is being changed and gets addresses next");
}

function creatable(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): Reason {
  if (shortfall(state, limits, nowMs) === 0) return gathering();
  const held = heldBack(state, limits, { kind: "create", nowMs });
  if (held !== undefined) return held;
  if (chooseVSwitch(state, limits, nowMs) === undefined) {
    return exhausted(state, limits);
  }
  return because("busy", "other cards are being made first");
}

function exhausted(state: PoolState, limits: PoolLimits): Reason {
  const ids = limits.vSwitches.map(({ id }) => id);
  const ends = [...state.rests.values()].map(({ untilMs }) => untilMs);
  if (limits.prefixes !== undefined) {
    return because(
      "exhausted",
      `no vSwitch has sixteen free addresses that lie together (${
        ids.join(", ")
      }): add one to \`vswitches\`, or reserve a CIDR block of it in the VPC`,
      Math.min(...ends),
    );
  }
  return because(
    "exhausted",
    `no vSwitch has addresses left (${
      ids.join(", ")
    }): add one to \`vswitches\` or free some`,
    Math.min(...ends),
  );
}

function cooling(state: PoolState, { stack }: PoolLimits): Reason {
  let count = 0;
  let nextMs = Infinity;
  for (const eni of state.enis.values()) {
    for (const [ip, slot] of eni.slots) {
      if (slot.kind !== "cooling" || familyOf(ip) !== leadOf(stack)) continue;
      count++;
      nextMs = Math.min(nextMs, slot.untilMs);
    }
  }
  return because("cooling", `${count} released addresses rest`, nextMs);
}

function gathering(): Reason {
  return because("pending", "claims are gathered for one call");
}

/** Since when the cloud is away, or by when it is believed to be back. */
function away(state: PoolState, nowMs: number): Reason {
  const { awayMs, backMs = nowMs, problem, level } = state.health;
  const nextMs = state.gates.get("survey")?.notBeforeMs ?? state.surveyFromMs;
  if (awayMs === undefined) {
    const onMs = backMs + RECOVERY_MS;
    return because(
      "unreachable",
      `the cloud is back since ${
        isoTime(backMs)
      }, and must answer for a while first`,
      Math.max(onMs, nextMs),
    );
  }
  const done = level === "probesOnly" ? "; it is only asked if it is back" : "";
  return because(
    "unreachable",
    `the cloud hasn't answered since ${isoTime(awayMs)}: ${
      problem === undefined ? "no call ends" : answerOf(problem)
    }${done}`,
    nextMs,
  );
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** The API refused or failed, or was called as often as may be. */
function heldBack(
  state: PoolState,
  limits: PoolLimits,
  { kind, nowMs }: { kind: "create" | "assign" | "assign6"; nowMs: number },
): Reason | undefined {
  const gate = state.gates.get(kind);
  if (gate !== undefined) return gated(gate);
  const { callsPerMinute } = limits;
  if (leftOf(state.spent, kind, { nowMs, callsPerMinute }) > 0) {
    return undefined;
  }
  const [api = kind] = apisOf(kind);
  return because(
    "budget",
    `all ${
      callsPerMinute[api]
    } calls of ${api} that \`rate_limit\` allows in a minute are made`,
    nextMinuteMs(nowMs),
  );
}

function gated({ problem, notBeforeMs }: Gate): Reason {
  const kind = problem.kind === "throttled"
    ? "throttled"
    : problem.kind === "transient" || problem.kind === "timeout"
    ? "unreachable"
    : "refused";
  return because(kind, answerOf(problem), notBeforeMs);
}

function answerOf({ api, code, message, requestId }: Problem): string {
  const id = requestId === "" ? "" : ` (request ${requestId})`;
  return `${api} failed with ${code}: ${message}${id}`;
}

function because(
  kind: Reason["kind"],
  text: string,
  nextMs?: number,
): Reason {
  return { kind, text, nextMs };
}

function addresses(count: number): string {
  return count === 1 ? "1 address is" : `${count} addresses are`;
}
