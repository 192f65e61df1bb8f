/**
 * How calls end well.
 *
 * @module
 */
import type { Cidr, Ip } from "../netns/ip.ts";
import { eniKeyOf } from "./begin.ts";
import { entered, known, relieved, withAddresses, withoutEni } from "./card.ts";
import { invariant } from "./error.ts";
import type {
  Answer,
  CallKind,
  EventOf,
  OpenCall,
  UnassignCall,
} from "./event.ts";
import { isThrottled } from "./failure.ts";
import { responded } from "./health.ts";
import { LANE_OF } from "./lanes.ts";
import { POLL_MS, PROVE_MS } from "./limits.ts";
import { proven } from "./drift.ts";
import { described, surveyed } from "./observe.ts";
import { withPrefixes } from "./prefixed.ts";
import {
  eniOf,
  type PooledEni,
  type PoolState,
  withEni,
  withEntry,
} from "./state.ts";

/**
 * Takes an answer in: the card moves on, the API's gate opens.
 *
 * @param state The pool before.
 * @param event The answer.
 * @returns The pool after.
 * @throws {PoolError} `broken` when no such call is in flight.
 */
export function answered(
  state: PoolState,
  event: EventOf<"answered">,
): PoolState {
  const { callId, answer, nowMs, chance = 0.5 } = event;
  const call = state.calls.get(callId);
  invariant(
    call?.kind === answer.kind,
    `call ${callId} was answered with ${answer.kind}: it is ${call?.kind}`,
  );
  const isCloud = LANE_OF[call.kind] !== undefined;
  const open: PoolState = {
    ...state,
    health: isCloud ? responded(state.health, nowMs) : state.health,
    calls: withEntry(state.calls, callId, undefined),
    gates: opened(state, call.kind, nowMs),
  };
  switch (answer.kind) {
    case "survey":
      return surveyed(open, { call, answer, nowMs, chance });
    case "describe":
      return described(open, { call, answer, nowMs, chance });
    case "purge":
      invariant(call.kind === "purge", `${call.kind} deletes no orphan`);
      return {
        ...open,
        orphans: withEntry(open.orphans, call.eniId, undefined),
      };
    case "prove": {
      invariant(call.kind === "prove", `${call.kind} proves nothing`);
      const { freeIps } = answer;
      const after = proven(open, { call, freeIps, nowMs });
      return { ...after, proveFromMs: nowMs + PROVE_MS };
    }
    default:
      return moved(open, call, answer, nowMs);
  }
}

/** An answer to a call that was on its way before ends no throttling. */
function opened(
  { gates }: PoolState,
  kind: CallKind,
  nowMs: number,
): PoolState["gates"] {
  const gate = gates.get(kind);
  return gate === undefined || isThrottled(gate, nowMs)
    ? gates
    : withEntry(gates, kind, undefined);
}

function moved(
  state: PoolState,
  call: OpenCall,
  answer: Answer,
  nowMs: number,
): PoolState {
  const key = eniKeyOf(call);
  invariant(key !== undefined, `${call.kind} names no card`);
  const eni = { ...eniOf(state, key), changedAtCall: state.nextCallId };
  const now = { nowMs, notBeforeMs: nowMs };
  const soon = { nowMs, notBeforeMs: nowMs + POLL_MS };
  switch (answer.kind) {
    case "create": {
      const made = entered(
        known(state, eni, answer.eni, nowMs),
        "created",
        now,
      );
      return { ...withEni(state, made), full: undefined };
    }
    case "attach":
      return withEni(state, entered(eni, "attaching", soon));
    case "prepare":
      return withEni(state, entered(eni, "ready", now));
    case "retire":
      return call.kind === "retire" && call.stays === true
        ? withoutEni(state, eni)
        : withEni(state, entered(eni, "retired", now));
    case "detach":
      return withEni(state, entered(eni, "detaching", soon));
    case "delete":
      return withoutEni(state, eni);
    case "assign":
    case "assign6":
      return assigned(state, eni, answer, nowMs);
    case "unassign":
    case "unassign6":
      invariant("ips" in call, `${call.kind} gives nothing back`);
      return unassigned(state, eni, call as UnassignCall, nowMs);
    case "secure": {
      invariant(call.kind === "secure", `${call.kind} sets no groups`);
      const { securityGroupIds } = call;
      const intent = { ...eni.intent, securityGroupIds };
      return withEni(state, { ...eni, intent });
    }
    default:
      return state;
  }
}

function assigned(
  state: PoolState,
  eni: PooledEni,
  { ips, prefixes }: {
    readonly ips: readonly Ip[];
    readonly prefixes?: readonly Cidr[];
  },
  nowMs: number,
): PoolState {
  return withEni(state, {
    ...withPrefixes(withAddresses(state, eni, ips, nowMs), prefixes),
    assign: undefined,
    failureCount: 0,
    problem: undefined,
  });
}

function unassigned(
  state: PoolState,
  eni: PooledEni,
  call: UnassignCall,
  nowMs: number,
): PoolState {
  const slots = new Map(eni.slots);
  let isRepeated = false;
  for (const ip of call.ips) {
    const slot = slots.get(ip);
    isRepeated ||= slot?.kind === "unassigning" && slot.unsure;
    slots.delete(ip);
  }
  const settled = { ...eni, failureCount: 0, problem: undefined };
  if (isRepeated && nowMs < eni.assignFromMs) {
    // An earlier request may still be on its way, and would take what came back
    // since: it is remembered, on disk too, until it can't be any more.
    return withEni(state, { ...settled, notBeforeMs: eni.assignFromMs });
  }
  const changed = withEni(
    state,
    withPrefixes({ ...settled, slots, assignFromMs: 0 }),
  );
  return { ...changed, rests: relieved(state, eni, call.ips) };
}
