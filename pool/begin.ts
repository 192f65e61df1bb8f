/**
 * How calls begin: what they intend enters the state, and with it the journal,
 * before they are made.
 *
 * @module
 */
import { familyOf, type Ip } from "../netns/ip.ts";
import { spend } from "./budget.ts";
import { hasLease } from "./card.ts";
import { invariant } from "./error.ts";
import {
  type AssignCall,
  type Call,
  type EventOf,
  familyOfCall,
  type OpenCall,
} from "./event.ts";
import { CLEAR } from "./sight.ts";
import {
  type EniIntent,
  type EniKey,
  eniOf,
  type EniPhase,
  type PooledEni,
  type PoolState,
  withEni,
  withEntry,
} from "./state.ts";
import { hasMembers } from "./trunk.ts";

/** In which phases a call for a card makes sense. */
const PHASES: Readonly<
  Partial<Record<Call["kind"], ReadonlySet<EniPhase>>>
> = {
  create: new Set<EniPhase>(["creating"]),
  attach: new Set<EniPhase>(["created"]),
  prepare: new Set<EniPhase>(["preparing"]),
  secure: new Set<EniPhase>(["ready"]),
  assign: new Set<EniPhase>(["ready"]),
  assign6: new Set<EniPhase>(["ready"]),
  unassign: new Set<EniPhase>(["ready"]),
  unassign6: new Set<EniPhase>(["ready"]),
  retire: new Set<EniPhase>(["ready", "preparing", "retiring"]),
  // One whose link never came is plugged in anew.
  detach: new Set<EniPhase>(["retired", "preparing"]),
  // A card that was never attached is deleted at once.
  delete: new Set<EniPhase>(["created", "deleting"]),
};

/**
 * Tells which card a call is about.
 *
 * @param call The call.
 * @returns The card's key; undefined when it is about many.
 */
export function eniKeyOf(call: Call): EniKey | undefined {
  return "eniKey" in call ? call.eniKey : undefined;
}

/**
 * Tells whether a call for a card is in flight; descriptions don't count.
 *
 * @param state The pool.
 * @param key The card's key.
 * @returns True when there is one.
 */
export function isBusy(state: PoolState, key: EniKey): boolean {
  for (const call of state.calls.values()) {
    if (eniKeyOf(call) === key) return true;
  }
  return false;
}

/**
 * Writes down that a call begins.
 *
 * @param state The pool before.
 * @param event The call; its token, if it has one, is new to the pool.
 * @returns The pool after.
 * @throws {PoolError} `broken` when the card's phase forbids the call, another
 * call for it is in flight, or an address to give back isn't free.
 */
export function begun(
  state: PoolState,
  event: EventOf<"begun">,
): PoolState {
  const { call, nowMs } = event;
  const key = eniKeyOf(call);
  const id = state.nextCallId;
  const open: OpenCall = { ...call, id, startedMs: nowMs };
  const known = call.kind === "create" && !state.enis.has(call.eniKey)
    ? withEni(state, newEni(call, nowMs))
    : state;
  const isGiving = call.kind === "unassign" || call.kind === "unassign6" ||
    call.kind === "retire";
  const next: PoolState = {
    ...known,
    spent: spend(known.spent, call, nowMs),
    gaveBackMs: isGiving ? nowMs : known.gaveBackMs,
    nextCallId: id + 1,
    calls: withEntry(known.calls, id, open),
  };
  if (key === undefined) return next;
  invariant(
    !isBusy(state, key),
    `${call.kind} of card ${key} would run beside another call`,
  );
  const eni = eniOf(next, key);
  invariant(
    PHASES[call.kind]?.has(eni.phase) === true,
    `card ${key} is ${eni.phase} and ${call.kind} makes no sense`,
  );
  const isHeld = hasMembers(state, eni);
  const after = intended(eni, call, { nowMs, isHeld });
  return withEni(next, { ...after, changedAtCall: id });
}

function intended(
  eni: PooledEni,
  call: Call,
  { nowMs, isHeld }: { readonly nowMs: number; readonly isHeld: boolean },
): PooledEni {
  switch (call.kind) {
    case "assign":
    case "assign6":
      return { ...eni, assign: intendedAssign(eni, call) };
    case "unassign":
    case "unassign6":
      return { ...eni, slots: intendedUnassign(eni, call) };
    case "secure":
      // Until it is known how the call ended, also by the next process.
      return { ...eni, intent: { ...eni.intent, securityGroupIds: [] } };
    case "retire":
      invariant(
        !isHeld || eni.phase === "retiring",
        `card ${eni.key} can't leave: it has members`,
      );
      return leaving(eni, "retiring", nowMs);
    case "delete":
      return leaving(eni, "deleting", nowMs);
    default:
      return eni;
  }
}

function intendedAssign(
  eni: PooledEni,
  call: AssignCall,
): PooledEni["assign"] {
  const { token, count, ofPrefixes = false } = call;
  const family = familyOfCall(call.kind);
  if (eni.assign === undefined) {
    const asked = { token, count, family, unsure: false };
    return ofPrefixes ? { ...asked, ofPrefixes } : asked;
  }
  invariant(
    eni.assign.token === token && eni.assign.count === count &&
      eni.assign.family === family &&
      (eni.assign.ofPrefixes ?? false) === ofPrefixes,
    `card ${eni.key} would be assigned addresses twice`,
  );
  return eni.assign;
}

function intendedUnassign(
  eni: PooledEni,
  { kind, ips }: {
    readonly kind: "unassign" | "unassign6";
    readonly ips: readonly Ip[];
  },
): PooledEni["slots"] {
  const slots = new Map(eni.slots);
  for (const ip of ips) {
    const slot = slots.get(ip);
    invariant(familyOf(ip) === familyOfCall(kind), `${kind} can't take ${ip}`);
    invariant(
      slot?.kind === "idle" || slot?.kind === "unassigning",
      `${ip} can't be given back: it is ${slot?.kind ?? "unknown"}`,
    );
    invariant(
      ip !== eni.card?.primaryIp,
      `${ip} can't be given back: it is its card's primary address`,
    );
    if (slot.kind === "idle") {
      slots.set(ip, { kind: "unassigning", unsure: false });
    }
  }
  return slots;
}

function leaving(
  eni: PooledEni,
  phase: "retiring" | "deleting",
  nowMs: number,
): PooledEni {
  if (eni.phase === phase) return eni;
  invariant(!hasLease(eni), `card ${eni.key} can't leave: it has a lease`);
  return { ...eni, phase, sinceMs: nowMs };
}

function newEni(
  call: { readonly eniKey: EniKey; readonly intent: EniIntent },
  nowMs: number,
): PooledEni {
  return {
    key: call.eniKey,
    isAdopted: false,
    phase: "creating",
    sinceMs: nowMs,
    intent: call.intent,
    unsure: false,
    card: undefined,
    wasAttached: false,
    slots: new Map(),
    assign: undefined,
    assignFromMs: 0,
    most6: undefined,
    resync: false,
    notBeforeMs: 0,
    failureCount: 0,
    problem: undefined,
    missingSinceMs: undefined,
    sight: CLEAR,
    changedAtCall: 0,
  };
}
