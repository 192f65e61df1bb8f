/**
 * What of the pool's state outlives the process, and how it comes back.
 *
 * The journal's content is a function of the state: after each turn of the
 * keeper the difference is written, so that no code path can forget a record.
 * Claims, calls in flight, gates and rests aren't kept: they are born anew.
 *
 * @module
 */
import type { Cidr, Family, Ip } from "../netns/ip.ts";
import { invariant, PoolError } from "./error.ts";
import { COOLING_MS, PROOF_MS } from "./limits.ts";
import { leasedIps } from "./lease.ts";
import { CLEAR } from "./sight.ts";
import {
  type Card,
  emptyState,
  type EniIntent,
  type EniKey,
  type EniPhase,
  type Lease,
  type OwnerKey,
  type PooledEni,
  type PoolState,
  type Slot,
} from "./state.ts";

/** A card, as it is written. */
export interface EniRecord {
  /** Its name in the pool. */
  readonly key: EniKey;
  /** Whether somebody else made it. */
  readonly isAdopted: boolean;
  /** Where it was in its life. */
  readonly phase: EniPhase;
  /** Since when. */
  readonly sinceMs: number;
  /** How it was asked for. */
  readonly intent: EniIntent;
  /** What the cloud calls it. */
  readonly card: Card | undefined;
  /** Addresses that were asked for. */
  readonly assign:
    | {
      readonly token: string;
      readonly count: number;
      readonly family: Family;
      readonly ofPrefixes?: boolean;
    }
    | undefined;
  /** Its prefixes; absent without any. */
  readonly prefixes?: ReadonlySet<Cidr>;
}

/** An address, as it is written. */
export interface SlotRecord {
  /** The card's key. */
  readonly eniKey: EniKey;
  /** The address. */
  readonly ip: Ip;
  /** How it was used. */
  readonly kind: Slot["kind"];
  /** Since when it is idle, quarantined or lost, or until when it cools; else 0. */
  readonly atMs: number;
}

/** All that a journal holds. */
export interface Snapshot {
  /** Cards, oldest first. */
  readonly enis: readonly EniRecord[];
  /** Addresses, in each card's order. */
  readonly slots: readonly SlotRecord[];
  /** Leases. */
  readonly leases: readonly Lease[];
}

/** What a commit takes out, then puts in. */
export interface Change {
  /** Cards, addresses and leases that are no more. */
  readonly gone: {
    readonly enis: readonly EniKey[];
    readonly slots: readonly { readonly eniKey: EniKey; readonly ip: Ip }[];
    readonly leases: readonly OwnerKey[];
  };
  /** Those that are new or different. */
  readonly put: Snapshot;
}

/**
 * Says what must be written so that a journal of `before` tells `after`.
 *
 * Looks only into cards that aren't the same object, so a turn that touches
 * one card costs one card.
 *
 * @param before What the journal holds.
 * @param after What it shall hold.
 * @returns The difference; undefined when there is none.
 */
export function difference(
  before: PoolState,
  after: PoolState,
): Change | undefined {
  const put = { enis: [], slots: [], leases: [] } as Writable<Snapshot>;
  const gone = { enis: [], slots: [], leases: [] } as Writable<Change["gone"]>;
  for (const key of before.enis.keys()) {
    if (!after.enis.has(key)) gone.enis.push(key);
  }
  for (const [key, eni] of after.enis) {
    const old = before.enis.get(key);
    if (old === eni) continue;
    const record = eniRecord(eni);
    if (old === undefined || !sameEni(eniRecord(old), record)) {
      put.enis.push(record);
    }
    if (old?.slots === eni.slots) continue;
    for (const [ip, slot] of eni.slots) {
      if (old?.slots.get(ip) !== slot) {
        put.slots.push(slotRecord(key, ip, slot));
      }
    }
    for (const ip of old?.slots.keys() ?? []) {
      if (!eni.slots.has(ip)) gone.slots.push({ eniKey: key, ip });
    }
  }
  if (before.leases !== after.leases) {
    for (const [owner, lease] of after.leases) {
      if (before.leases.get(owner) !== lease) put.leases.push(lease);
    }
    for (const [owner, lease] of before.leases) {
      if (after.leases.get(owner) !== lease) gone.leases.push(owner);
    }
  }
  const count = [...Object.values(put), ...Object.values(gone)]
    .reduce((sum, list) => sum + list.length, 0);
  return count === 0 ? undefined : { gone, put };
}

/**
 * Makes the state that a journal tells, for a process that begins.
 *
 * Every attempt of the process before has no known end, so what was intended
 * is unsure; cards that served are set up again, since the host may have been
 * rebooted; those that were leaving begin again with the kernel.
 *
 * @param snapshot What the journal holds.
 * @param nowMs The time; no address cools longer than from now on, even when
 * the clock was set back.
 * @returns The state.
 * @throws {PoolError} `journal` when the records contradict each other.
 */
export function restore(snapshot: Snapshot, nowMs: number): PoolState {
  const slots = new Map<EniKey, Map<Ip, Slot>>();
  const owners = new Map(
    snapshot.leases.flatMap((lease) =>
      leasedIps(lease).map((ip) => [placeOf(lease.eniKey, ip), lease] as const)
    ),
  );
  for (const record of snapshot.slots) {
    const of = slots.get(record.eniKey) ?? new Map<Ip, Slot>();
    slots.set(record.eniKey, of);
    const place = placeOf(record.eniKey, record.ip);
    of.set(record.ip, restoreSlot(record, owners.get(place), nowMs));
    owners.delete(place);
  }
  for (const [place, lease] of owners) {
    throw contradiction(`${lease.ownerKey} leases ${place}, which is nowhere`);
  }
  return {
    ...emptyState(),
    enis: new Map(
      snapshot.enis.map((
        record,
      ) => [record.key, restoreEni(record, slots.get(record.key), nowMs)]),
    ),
    leases: new Map(snapshot.leases.map((lease) => [lease.ownerKey, lease])),
    isCold: snapshot.enis.length === 0,
    secureFromMs: snapshot.enis.length === 0 ? 0 : nowMs + PROOF_MS,
    // The time before tells nothing of this process: it is quiet from now on.
    claimedMs: nowMs,
  };
}

/**
 * Gives what a journal of this state holds.
 *
 * @param state The pool.
 * @returns The records, in the order of {@linkcode Snapshot}.
 */
export function snapshotOf(state: PoolState): Snapshot {
  const enis = [...state.enis.values()];
  return {
    enis: enis.map(eniRecord),
    slots: enis.flatMap((eni) =>
      [...eni.slots].map(([ip, slot]) => slotRecord(eni.key, ip, slot))
    ),
    leases: [...state.leases.values()],
  };
}

type Writable<T> = {
  [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K];
};

function eniRecord(eni: PooledEni): EniRecord {
  const { key, isAdopted, phase, sinceMs, intent, card, assign } = eni;
  const { prefixes } = eni;
  return {
    key,
    isAdopted,
    phase,
    sinceMs,
    intent,
    card,
    assign: assign && {
      token: assign.token,
      count: assign.count,
      family: assign.family,
      ...(assign.ofPrefixes ? { ofPrefixes: true } : {}),
    },
    ...(prefixes === undefined ? {} : { prefixes }),
  };
}

function sameEni(a: EniRecord, b: EniRecord): boolean {
  return a.phase === b.phase && a.sinceMs === b.sinceMs &&
    a.intent === b.intent && a.card === b.card &&
    a.assign?.token === b.assign?.token && a.prefixes === b.prefixes;
}

function slotRecord(eniKey: EniKey, ip: Ip, slot: Slot): SlotRecord {
  const atMs = slot.kind === "cooling"
    ? slot.untilMs
    : slot.kind === "leased"
    ? slot.lostMs ?? 0
    : "sinceMs" in slot
    ? slot.sinceMs
    : 0;
  return { eniKey, ip, kind: slot.kind, atMs };
}

function placeOf(eniKey: EniKey, ip: Ip): string {
  return `${eniKey} ${ip}`;
}

function restoreSlot(
  record: SlotRecord,
  lease: Lease | undefined,
  nowMs: number,
): Slot {
  const { kind, atMs, ip } = record;
  if ((kind === "leased") !== (lease !== undefined)) {
    throw contradiction(
      `${ip} is ${kind}, and ${lease?.ownerKey ?? "nobody"} leases it`,
    );
  }
  switch (kind) {
    case "leased":
      invariant(lease !== undefined, `${ip} is leased by nobody`);
      return {
        kind,
        ownerKey: lease.ownerKey,
        ...(atMs > 0 ? { lostMs: Math.min(atMs, nowMs) } : {}),
      };
    case "cooling":
      return { kind, untilMs: Math.min(atMs, nowMs + COOLING_MS) };
    case "unassigning":
      return { kind, unsure: true };
    case "idle":
    case "quarantined":
      return { kind, sinceMs: Math.min(atMs, nowMs) };
  }
}

/** From where a card goes on: the phase whose action is safe to repeat. */
const RESUMED: Readonly<Record<EniPhase, EniPhase>> = {
  creating: "creating",
  seeking: "seeking",
  created: "created",
  attaching: "attaching",
  preparing: "preparing",
  ready: "preparing",
  retiring: "retiring",
  retired: "retiring",
  detaching: "detaching",
  deleting: "deleting",
};

function restoreEni(
  record: EniRecord,
  slots: ReadonlyMap<Ip, Slot> | undefined,
  nowMs: number,
): PooledEni {
  const { key, isAdopted, intent, card, assign, prefixes } = record;
  const isGivingBack = [...slots?.values() ?? []].some((slot) =>
    slot.kind === "unassigning"
  );
  return {
    key,
    isAdopted,
    phase: RESUMED[record.phase],
    // Patience begins anew: the time before tells nothing of this process.
    sinceMs: nowMs,
    intent,
    unsure: true,
    card,
    wasAttached: record.phase !== "created",
    slots: slots ?? new Map(),
    ...(prefixes === undefined ? {} : { prefixes }),
    assign: assign && { ...assign, unsure: true },
    // What the process before gave back may still be on its way.
    assignFromMs: isGivingBack ? nowMs + PROOF_MS : 0,
    most6: undefined,
    resync: false,
    // The last attempt of the process before may still be on its way.
    notBeforeMs: record.phase === "seeking" ? nowMs + PROOF_MS : 0,
    failureCount: 0,
    problem: undefined,
    missingSinceMs: undefined,
    sight: CLEAR,
    changedAtCall: 0,
  };
}

function contradiction(text: string): PoolError {
  return new PoolError(
    "journal",
    `Cannot believe the journal as ${text}: it was changed by hand or damaged; keep a copy of it, then drain the node`,
  );
}
