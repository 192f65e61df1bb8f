/**
 * The pool for people: plain data, made from the state.
 *
 * @module
 */
import type {
  EniStatus,
  ExchangeStatus,
  HealthStatus,
  LostLease,
  PoolStatus,
  SlotKind,
} from "./contract.ts";
import { type Family, familyOf } from "../netns/ip.ts";
import { usedOf } from "./budget.ts";
import { exchangeOf, holding } from "./dry.ts";
import { type IpStack, leadOf } from "./family.ts";
import type { Health } from "./health.ts";
import { ORPHAN_MS, type PoolLimits } from "./limits.ts";
import { askedOf } from "./prefixed.ts";
import { reasonsOf } from "./reason.ts";
import type { PooledEni, PoolState } from "./state.ts";
import { stockOf } from "./stock.ts";
import { trunkStatus } from "./trunk.ts";

/**
 * Tells how a pool is.
 *
 * @param state The pool.
 * @param limits Its bounds.
 * @param now The time, and what the keeper does.
 * @returns The status.
 */
export function statusOf(
  state: PoolState,
  limits: PoolLimits,
  now: { readonly nowMs: number; readonly mode: PoolStatus["mode"] },
): PoolStatus {
  const enis = [...state.enis.values()].map((eni) =>
    eniStatus(eni, limits.stack)
  );
  const reasons = reasonsOf(state, limits, now.nowMs);
  const isFull = stockOf(state, limits).freeEnis === 0;
  const trunk = trunkStatus(state, limits, { isFull });
  const slots6 = sumOf(enis.flatMap((eni) => eni.slots6 ?? []));
  return {
    ...now,
    capacity: limits.eniCount * limits.addressesPerEni,
    limits,
    slots: sumOf(enis.map(({ slots }) => slots)),
    ...(limits.stack === "dual" ? { slots6 } : {}),
    enis,
    foreignEniIds: state.foreignEniIds,
    orphans: [...state.orphans].map(([eniId, sinceMs]) => ({
      eniId,
      sinceMs,
      purgeFromMs: sinceMs + ORPHAN_MS,
    })),
    lost: lostLeases(state),
    claims: [...state.claims.values()].map((claim) => ({
      ...claim,
      reason: reasons.get(claim.ownerKey) ??
        { kind: "busy", text: "it was just made", nextMs: undefined },
    })),
    calls: [...state.calls.values()].map(({ kind, startedMs }) => ({
      kind,
      startedMs,
    })),
    full: state.full &&
      { untilMs: state.full.untilMs, problem: state.full.problem },
    rests: [...state.rests].map(([vSwitchId, rest]) => ({
      vSwitchId,
      ...rest,
    })),
    vSwitches: limits.vSwitches.map((one) => {
      const ipCount = state.available.get(one.id);
      return { ...one, ...(ipCount === undefined ? {} : { ipCount }) };
    }),
    budgets: Object.entries(limits.callsPerMinute).map(([api, most]) => ({
      api,
      used: usedOf(state.spent, api, now.nowMs),
      most,
    })),
    exchange: exchangeStatus(state, limits, now.nowMs),
    ...trunk && { trunk },
    health: healthStatus(state.health),
    gates: [...state.gates].map(([call, { notBeforeMs, problem }]) => ({
      call,
      notBeforeMs,
      problem,
    })),
  };
}

const SLOT_KINDS: readonly SlotKind[] = [
  "idle",
  "leased",
  "cooling",
  "unassigning",
  "quarantined",
];

function noSlots(): Record<SlotKind, number> {
  return { idle: 0, leased: 0, cooling: 0, unassigning: 0, quarantined: 0 };
}

function sumOf(
  all: readonly Readonly<Record<SlotKind, number>>[],
): Record<SlotKind, number> {
  const sum = noSlots();
  for (const one of all) {
    for (const kind of SLOT_KINDS) sum[kind] += one[kind];
  }
  return sum;
}

function slotsOf(eni: PooledEni, family: Family): Record<SlotKind, number> {
  const slots = noSlots();
  for (const [ip, slot] of eni.slots) {
    if (familyOf(ip) === family) slots[slot.kind]++;
  }
  return slots;
}

function eniStatus(eni: PooledEni, stack: IpStack): EniStatus {
  return {
    key: eni.key,
    isAdopted: eni.isAdopted,
    ...eni.intent.trunk && { isTrunk: true },
    id: eni.card?.id,
    mac: eni.card?.mac,
    phase: eni.phase,
    sinceMs: eni.sinceMs,
    vSwitchId: eni.intent.vSwitchId,
    slots: slotsOf(eni, leadOf(stack)),
    ...(stack === "dual" ? { slots6: slotsOf(eni, 6) } : {}),
    securityGroupIds: eni.intent.securityGroupIds,
    ...(eni.prefixes === undefined ? {} : { prefixes: [...eni.prefixes] }),
    assigning: eni.assign === undefined ? 0 : askedOf(eni.assign),
    problem: eni.problem,
    goneSinceMs: eni.missingSinceMs ?? eni.sight.apartMs,
  };
}

function exchangeStatus(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): ExchangeStatus | undefined {
  const exchange = exchangeOf(state, limits, nowMs);
  if (exchange === undefined) return undefined;
  const { eni, target } = exchange;
  return {
    eniId: eni.card?.id ?? eni.key,
    vSwitchId: eni.intent.vSwitchId,
    targetVSwitchId: target.id,
    ownerKeys: holding(state, exchange).map(({ ownerKey }) => ownerKey),
  };
}

function healthStatus(health: Health): HealthStatus {
  const { level, awayMs, backMs, problem } = health;
  return {
    level,
    ...(awayMs === undefined ? {} : { awayMs }),
    ...(backMs === undefined ? {} : { backMs }),
    ...(problem === undefined ? {} : { problem }),
  };
}

function lostLeases(state: PoolState): LostLease[] {
  const lost: LostLease[] = [];
  for (const eni of state.enis.values()) {
    const eniId = eni.card?.id ?? eni.key;
    for (const [ip, slot] of eni.slots) {
      if (slot.kind !== "leased" || slot.lostMs === undefined) continue;
      const { ownerKey, lostMs: sinceMs } = slot;
      lost.push({ ownerKey, ip, eniId, sinceMs });
    }
  }
  return lost;
}
