/**
 * The journal's rows: how records are written to tables and read again.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Cidr, Family } from "../netns/ip.ts";
import type { Change, EniRecord, SlotRecord, Snapshot } from "./record.ts";
import type { Card, EniPhase, Lease, Slot } from "./state.ts";

/** A row, as SQLite gives it. */
export type Row = Readonly<Record<string, string | number | null>>;

/**
 * Prepares the statements that write a change.
 *
 * @param database Where; with the tables of this version.
 * @returns Writes a change; the caller begins and commits.
 */
export function writer(database: DatabaseSync): (change: Change) => void {
  const dropLease = database.prepare("DELETE FROM lease WHERE owner = ?");
  const dropSlot = database.prepare(
    "DELETE FROM slot WHERE eni_key = ? AND ip = ?",
  );
  const dropEni = database.prepare("DELETE FROM eni WHERE key = ?");
  const putEni = database.prepare(
    `INSERT INTO eni (key, phase, since_ms, vswitch_id, subnet, ip_count,
       security_groups, eni_id, mac, zone, primary_ip, assign_token, assign_count,
       adopted, ip6_count, subnet6, assign_family, prefix_count, prefixes,
       assign_prefixes, trunk, prefix6_count)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET phase = excluded.phase,
       since_ms = excluded.since_ms, vswitch_id = excluded.vswitch_id,
       subnet = excluded.subnet, ip_count = excluded.ip_count,
       security_groups = excluded.security_groups, eni_id = excluded.eni_id,
       mac = excluded.mac, zone = excluded.zone,
       primary_ip = excluded.primary_ip, assign_token = excluded.assign_token,
       assign_count = excluded.assign_count,
       ip6_count = excluded.ip6_count, subnet6 = excluded.subnet6,
       assign_family = excluded.assign_family,
       prefix_count = excluded.prefix_count, prefixes = excluded.prefixes,
       assign_prefixes = excluded.assign_prefixes,
       prefix6_count = excluded.prefix6_count`,
  );
  const putSlot = database.prepare(
    `INSERT INTO slot (eni_key, ip, kind, at_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (eni_key, ip) DO UPDATE
       SET kind = excluded.kind, at_ms = excluded.at_ms`,
  );
  const putLease = database.prepare(
    `INSERT INTO lease (owner, eni_key, eni_id, ip, recipe, attachment, at_ms,
       ip6)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return ({ gone, put }) => {
    for (const owner of gone.leases) dropLease.run(owner);
    for (const { eniKey, ip } of gone.slots) dropSlot.run(eniKey, ip);
    for (const key of gone.enis) dropEni.run(key);
    for (const eni of put.enis) putEni.run(...eniValues(eni));
    for (const { eniKey, ip, kind, atMs } of put.slots) {
      putSlot.run(eniKey, ip, kind, atMs);
    }
    for (const lease of put.leases) {
      const { ownerKey, eniKey, eniId, ip, recipe, atMs } = lease;
      const attachment = JSON.stringify(lease.attachment);
      const { ip6 = null } = lease;
      const values = [ownerKey, eniKey, eniId, ip, recipe, attachment, atMs];
      putLease.run(...values, ip6);
    }
  };
}

/**
 * Reads all records.
 *
 * @param database Where; with the tables of this version.
 * @returns The records, in the order in which they were first written.
 */
export function readSnapshot(database: DatabaseSync): Snapshot {
  const rows = (table: string) =>
    database.prepare(`SELECT * FROM ${table} ORDER BY rowid`).all() as Row[];
  return {
    enis: rows("eni").map(eniOf),
    slots: rows("slot").map(slotOf),
    leases: rows("lease").map(leaseOf),
  };
}

function eniValues(eni: EniRecord): (string | number | null)[] {
  const { key, phase, sinceMs, intent, card, assign } = eni;
  return [
    key,
    phase,
    sinceMs,
    intent.vSwitchId,
    intent.subnet,
    intent.ipCount,
    JSON.stringify(intent.securityGroupIds),
    card?.id ?? null,
    card?.mac ?? null,
    card?.zone ?? null,
    card?.primaryIp ?? null,
    assign?.token ?? null,
    assign?.count ?? null,
    Number(eni.isAdopted),
    intent.ip6Count ?? 0,
    intent.subnet6 ?? null,
    assign?.family ?? 4,
    intent.prefixCount ?? 0,
    JSON.stringify([...eni.prefixes ?? []]),
    Number(assign?.ofPrefixes ?? false),
    Number(intent.trunk ?? false),
    intent.prefix6Count ?? 0,
  ];
}

// The tables are STRICT and checked, so a column's type and words are known.
function eniOf(row: Row): EniRecord {
  const prefixes = JSON.parse(row.prefixes as string) as Cidr[];
  const prefixCount = row.prefix_count as number;
  const prefix6Count = row.prefix6_count as number;
  return {
    key: row.key as string,
    isAdopted: row.adopted === 1,
    phase: row.phase as EniPhase,
    sinceMs: row.since_ms as number,
    intent: {
      vSwitchId: row.vswitch_id as string,
      subnet: row.subnet as string,
      ipCount: row.ip_count as number,
      ...(prefixCount === 0 ? {} : { prefixCount }),
      ...(prefix6Count === 0 ? {} : { prefix6Count }),
      ...(row.ip6_count === 0 ? {} : { ip6Count: row.ip6_count as number }),
      ...(row.subnet6 === null ? {} : { subnet6: row.subnet6 as string }),
      ...(row.trunk === 1 ? { trunk: true } : {}),
      securityGroupIds: JSON.parse(row.security_groups as string) as string[],
    },
    card: cardOf(row),
    assign: row.assign_token === null ? undefined : {
      token: row.assign_token as string,
      count: row.assign_count as number,
      family: row.assign_family as Family,
      ...(row.assign_prefixes === 1 ? { ofPrefixes: true } : {}),
    },
    ...(prefixes.length === 0 ? {} : { prefixes: new Set(prefixes) }),
  };
}

function cardOf(row: Row): Card | undefined {
  if (row.eni_id === null) return undefined;
  return {
    id: row.eni_id as string,
    mac: row.mac as string,
    zone: row.zone as string,
    primaryIp: row.primary_ip as string,
  };
}

function slotOf(row: Row): SlotRecord {
  return {
    eniKey: row.eni_key as string,
    ip: row.ip as string,
    kind: row.kind as Slot["kind"],
    atMs: row.at_ms as number,
  };
}

function leaseOf(row: Row): Lease {
  return {
    ownerKey: row.owner as string,
    eniKey: row.eni_key as string,
    eniId: row.eni_id as string,
    ip: row.ip as string,
    ...(row.ip6 === null ? {} : { ip6: row.ip6 as string }),
    recipe: row.recipe as string,
    attachment: JSON.parse(row.attachment as string) as unknown,
    atMs: row.at_ms as number,
  };
}
