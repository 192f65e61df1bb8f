/**
 * What to do next: a pure function of the pool's state, its limits and the
 * time. The keeper applies the actions and asks again until there are none.
 *
 * The order is the policy: addresses change hands first; then what is under
 * way goes on, what leaves included; then waiting pods and the stock's lower
 * mark are served by new addresses; last, what is too much is given back.
 *
 * @module
 */
import { familyOf, type Ip } from "../netns/ip.ts";
import { hasLease, isCooling } from "./card.ts";
import { suspects } from "./drift.ts";
import { exchange, exchangeOf } from "./dry.ts";
import { type AssignCall, type Call, familyOfCall } from "./event.ts";
import { idleIps, leadOf } from "./family.ts";
import { grow, isWarm } from "./grow.ts";
import { Lanes } from "./lanes.ts";
import { ADDRESSES_PER_CALL, JOINING_MS, type PoolLimits } from "./limits.ts";
import type { Reason } from "./news.ts";
import { PREFIXES_PER_CALL } from "./prefix.ts";
import { prefixOf } from "./prefixed.ts";
import { purge } from "./orphan.ts";
import { refusals } from "./reason.ts";
import { secure } from "./secure.ts";
import { shrink } from "./shrink.ts";
import type {
  EniIntent,
  EniKey,
  OwnerKey,
  PooledEni,
  PoolState,
} from "./state.ts";
import { inOrder, isPluggable, isSurveyed, serves } from "./stock.ts";
import { hasMembers } from "./trunk.ts";

/** A call to begin; the keeper adds tokens and security groups. */
export type CallWish =
  | Exclude<Call, { kind: "create" } | AssignCall>
  /** Again, with the same token: its end isn't known. */
  | Extract<Call, { kind: "create" }>
  | AssignCall
  /** A card that isn't in the pool yet. */
  | {
    readonly kind: "create";
    readonly eniKey?: never;
    readonly wish: Omit<EniIntent, "securityGroupIds">;
  }
  /** Addresses that weren't asked for yet. */
  | {
    readonly kind: AssignCall["kind"];
    readonly eniKey: EniKey;
    readonly count: number;
    readonly ofPrefixes?: boolean;
    readonly token?: never;
  };

/** Something to do. */
export type Action =
  /** Lease an address of each family to who waits longest. */
  | {
    readonly kind: "grant";
    readonly ownerKey: OwnerKey;
    readonly eniKey: EniKey;
    readonly ip: Ip;
    readonly ip6?: Ip;
  }
  /** Tell a waiting owner that waiting can't help. */
  | {
    readonly kind: "refuse";
    readonly ownerKey: OwnerKey;
    readonly reason: Reason;
  }
  /** Let addresses be idle that have cooled. */
  | {
    readonly kind: "cool";
    readonly eniKey: EniKey;
    readonly ips: readonly Ip[];
  }
  /** Remember that the pool was warmed up once. */
  | { readonly kind: "warmed" }
  /** Begin a call. */
  | { readonly kind: "call"; readonly call: CallWish };

/**
 * Says what to do now.
 *
 * @example Nothing is done before the cloud has told which cards there are
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { poolLimits } from "./limits.ts";
 * import { emptyState } from "./state.ts";
 *
 * const limits = poolLimits({
 *   instance: { eniCount: 4, ipv4PerEniCount: 10 },
 *   vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/24" }],
 *   minIdle: 1,
 * });
 * assertEquals(plan(emptyState(), limits, 0), [
 *   { kind: "call", call: { kind: "survey" } },
 * ]);
 * ```
 * @param state The pool.
 * @param limits Its bounds.
 * @param nowMs The time.
 * @returns Actions, each of which can be applied when those before it are;
 * none when there is nothing to do until an event or a time comes.
 */
export function plan(
  state: PoolState,
  limits: PoolLimits,
  nowMs: number,
): readonly Action[] {
  const lanes = new Lanes(state, limits, nowMs);
  if (state.surveyedMs === undefined) {
    return lanes.isOpen("survey") ? [call(surveyOf(state, limits, lanes))] : [];
  }
  if (isWarm(state, limits)) return [{ kind: "warmed" }];
  const cooled = [...state.enis.values()].flatMap((eni) => cool(eni, nowMs));
  if (cooled.length > 0) return cooled;
  const exchanged = exchangeOf(state, limits, nowMs);
  const granted = grants(state, limits, exchanged?.eni.key);
  if (granted.length > 0) return granted;
  const refused = refusals(state, limits, nowMs);
  if (refused.length > 0) return refused;

  const calls: CallWish[] = [];
  const begin = (wish: CallWish) => {
    lanes.enter(wish);
    calls.push(wish);
  };
  for (const eni of state.enis.values()) {
    const next = lanes.isFree(eni)
      ? goOn(state, eni, { limits, nowMs })
      : undefined;
    if (next !== undefined && lanes.isOpen(next.kind)) begin(next);
  }
  const look = looks(state, limits, { lanes, nowMs });
  if (look !== undefined && lanes.isOpen(look.kind)) begin(look);
  const doubted = lanes.isIdle("prove") && state.proveFromMs <= nowMs
    ? suspects(state, nowMs)
    : [];
  if (doubted.length > 0) begin({ kind: "prove", ips: doubted });
  if (exchanged !== undefined) exchange(exchanged, { lanes, nowMs, begin });
  purge(state, limits, { lanes, nowMs, begin });
  if (!state.draining) {
    grow(state, limits, { lanes, nowMs, begin });
    shrink(state, limits, { lanes, nowMs, begin });
  }
  secure(state, { lanes, nowMs, begin });
  return calls.map(call);
}

function call(wish: CallWish): Action {
  return { kind: "call", call: wish };
}

function cool(eni: PooledEni, nowMs: number): Action[] {
  const ips: Ip[] = [];
  for (const [ip, slot] of eni.slots) {
    if (slot.kind === "cooling" && slot.untilMs <= nowMs) ips.push(ip);
  }
  return ips.length === 0 ? [] : [{ kind: "cool", eniKey: eni.key, ips }];
}

/**
 * Leases what is idle to those who wait, first come first. By default the
 * fullest card is used up first, so that others can leave. A card that makes
 * way for another serves no more.
 */
function grants(
  state: PoolState,
  limits: PoolLimits,
  closedKey: EniKey | undefined,
): Action[] {
  if (state.claims.size === 0) return [];
  const enis = [...state.enis.values()]
    .filter((eni) => serves(eni) && eni.key !== closedKey)
    .map((eni) => ({ eni, leased: leasedCount(eni) }))
    .sort((a, b) => inOrder(limits, a.leased, b.leased));
  const owners = state.claims.keys();
  const actions: Action[] = [];
  for (const { eni } of enis) {
    const six = limits.stack === "dual" ? idleIps(eni, 6) : undefined;
    for (const [at, ip] of idleIps(eni, leadOf(limits.stack)).entries()) {
      const ip6 = six?.[at];
      // Without its counterpart it is nobody's.
      if (six !== undefined && ip6 === undefined) break;
      const owner = owners.next();
      if (owner.done) return actions;
      actions.push({
        kind: "grant",
        ownerKey: owner.value,
        eniKey: eni.key,
        ip,
        ...(ip6 === undefined ? {} : { ip6 }),
      });
    }
  }
  return actions;
}

function leasedCount(eni: PooledEni): number {
  let count = 0;
  for (const slot of eni.slots.values()) if (slot.kind === "leased") count++;
  return count;
}

/** The one next call of a card, by its phase. */
function goOn(
  state: PoolState,
  eni: PooledEni,
  { limits, nowMs }: { limits: PoolLimits; nowMs: number },
): CallWish | undefined {
  const eniKey = eni.key;
  const stays = !isPluggable(eni, limits);
  const retire = {
    kind: "retire",
    eniKey,
    ...(stays ? { stays } : {}),
  } as const;
  const isHeld = hasLease(eni) || hasMembers(state, eni);
  const mayGo = state.draining && !isHeld;
  if (eni.missingSinceMs !== undefined) return undefined;
  switch (eni.phase) {
    case "creating":
      if (stays) return undefined;
      return { kind: "create", eniKey, intent: eni.intent };
    case "created":
      if (stays) return undefined;
      return { kind: mayGo ? "delete" : "attach", eniKey };
    case "preparing": {
      if (isUnplugged(eni) && !stays) return { kind: "detach", eniKey };
      const isStuck = nowMs - eni.sinceMs >= JOINING_MS && !isHeld &&
        !isCooling(eni);
      return mayGo || isStuck ? retire : { kind: "prepare", eniKey };
    }
    case "ready":
      return mayGo ? retire : repeated(eni);
    case "retiring":
      return retire;
    case "retired":
      return stays ? undefined : { kind: "detach", eniKey };
    case "deleting":
      return stays ? undefined : { kind: "delete", eniKey };
    default:
      return undefined;
  }
}

/**
 * The cloud calls it attached, its pods need it, and the kernel has waited in
 * vain for its link, as it may after a reboot: it is plugged in anew.
 */
function isUnplugged(eni: PooledEni): boolean {
  const { call, kind, code } = eni.problem ?? {};
  return call === "prepare" && kind === "host" && code === "TimeoutError" &&
    hasLease(eni);
}

/** A call that was made for a ready card and had no known or good end. */
function repeated(eni: PooledEni): CallWish | undefined {
  if (eni.assign !== undefined) {
    const { token, count, family, ofPrefixes } = eni.assign;
    const kind = family === 6 ? "assign6" : "assign";
    const again = { kind, eniKey: eni.key, count, token } as const;
    return ofPrefixes ? { ...again, ofPrefixes } : again;
  }
  const ips: Ip[] = [];
  for (const [ip, slot] of eni.slots) {
    if (slot.kind === "unassigning") ips.push(ip);
  }
  const [first] = ips;
  if (first === undefined) return undefined;
  const family = familyOf(first);
  const kind = family === 6 ? "unassign6" : "unassign";
  if (prefixOf(eni, first) !== undefined) {
    return unassignPrefixes(eni, kind, ips);
  }
  return {
    kind,
    eniKey: eni.key,
    ips: ips.filter((ip) =>
      familyOf(ip) === family && prefixOf(eni, ip) === undefined
    ).slice(0, ADDRESSES_PER_CALL),
  };
}

function unassignPrefixes(
  eni: PooledEni,
  kind: "unassign" | "unassign6",
  ips: readonly Ip[],
): CallWish {
  const family = familyOfCall(kind);
  const all = new Set(
    ips.filter((ip) => familyOf(ip) === family)
      .flatMap((ip) => prefixOf(eni, ip) ?? []),
  );
  const prefixes = [...all].slice(0, PREFIXES_PER_CALL);
  return {
    kind,
    eniKey: eni.key,
    prefixes,
    ips: ips.filter((ip) => prefixes.includes(prefixOf(eni, ip) ?? "")),
  };
}

/** A survey that polls have pushed aside for so long comes before them. */
const OVERDUE_MS = 60_000;

/** Source: ECS DescribeNetworkInterfaces, `NetworkInterfaceId.N`. */
const ENIS_PER_LOOK = 100;

function looks(
  state: PoolState,
  limits: PoolLimits,
  { lanes, nowMs }: { lanes: Lanes; nowMs: number },
): CallWish | undefined {
  const isDue = isSurveyed(state) && state.surveyFromMs <= nowMs;
  const isOverdue = isDue && state.surveyFromMs + OVERDUE_MS <= nowMs;
  if (isOverdue && lanes.isOpen("survey")) {
    return surveyOf(state, limits, lanes);
  }
  const enis = [...state.enis.values()];
  const eniKeys = enis.filter((eni) =>
    isWatched(eni, nowMs) && lanes.isFree(eni)
  )
    .map((eni) => eni.key).slice(0, ENIS_PER_LOOK);
  // Polls leave a share to surveys, which alone find what others changed.
  if (eniKeys.length > 0 && lanes.isOpenForStock("describe")) {
    return { kind: "describe", eniKeys };
  }
  const isSought = enis.some((eni) =>
    eni.phase === "seeking" && eni.notBeforeMs <= nowMs
  );
  return isSought || isDue ? surveyOf(state, limits, lanes) : undefined;
}

/** The counts of vSwitches are asked for only where they decide something. */
function surveyOf(
  state: PoolState,
  limits: PoolLimits,
  lanes: Lanes,
): CallWish {
  const { vSwitches, vSwitchPolicy } = limits;
  const isChoice = vSwitchPolicy === "most" && vSwitches.length > 1;
  if (!isChoice && state.rests.size === 0) return { kind: "survey" };
  if (lanes.left("DescribeVSwitches") < vSwitches.length) {
    return { kind: "survey" };
  }
  return { kind: "survey", vSwitchIds: vSwitches.map(({ id }) => id) };
}

function isWatched(eni: PooledEni, nowMs: number): boolean {
  if (eni.card === undefined) return false;
  if (eni.missingSinceMs !== undefined) return isDoubted(eni);
  const { lookFromMs } = eni.sight;
  return eni.phase === "attaching" || eni.phase === "detaching" ||
    eni.resync ||
    (lookFromMs !== undefined && lookFromMs <= nowMs);
}

/** What is gone for sure, and only waits for its pods, is left to surveys. */
function isDoubted(eni: PooledEni): boolean {
  for (const slot of eni.slots.values()) {
    if (slot.kind !== "leased" || slot.lostMs === undefined) return true;
  }
  return eni.slots.size === 0;
}
