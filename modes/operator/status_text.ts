/**
 * A daemon's status as lines for people.
 *
 * @module
 */
import type { EniStatus, PoolStatus } from "../../pool/contract.ts";
import type { Lease } from "../../pool/state.ts";

/** What a daemon tells of itself; its full form is in `status_schema.ts`. */
export interface DaemonStatus {
  readonly pid: number;
  readonly node: {
    readonly instanceId: string;
    readonly instanceType: string;
    readonly zone: string;
    readonly primaryIp: string;
    readonly credentials?: {
      readonly source: string;
      readonly problem?: string;
    };
  };
  readonly memory: { readonly rssBytes: number };
  readonly pool: PoolStatus;
  readonly leases: readonly Lease[];
  readonly host?: HostTold;
  readonly sharing?: {
    readonly wanted: string;
    readonly effective: string;
    readonly reason?: string;
  };
  readonly trunk?: {
    readonly eniId?: string;
    readonly memberCount: number;
    readonly memberCapacity: number;
    readonly reason?: string;
  };
}

/** What a daemon tells of its host. */
export interface HostTold {
  readonly findings: readonly {
    readonly severity: string;
    readonly problem: string;
    readonly meaning: string;
    readonly command?: string;
    readonly advice?: string;
    readonly failure?: string;
  }[];
  readonly changes: readonly {
    readonly object: string;
    readonly was: string;
    readonly now: string;
  }[];
}

/**
 * Writes what a daemon tells for people: a line a thing, the kind first.
 *
 * @param status What it tells.
 * @returns Lines, each with its end.
 */
export function statusText(
  { pid, node, memory, pool, leases, host, sharing, trunk }: DaemonStatus,
): string {
  const { idle, leased, cooling, quarantined } = pool.slots;
  const clock = (atMs: number): string =>
    `${Math.max(0, Math.round((atMs - pool.nowMs) / 1000))} s`;
  // What was held back until now is over, and forgotten with the next answer.
  const isAhead = (one: { readonly untilMs: number }): boolean =>
    one.untilMs > pool.nowMs;
  const lines = [
    `node       ${node.instanceId} (${node.instanceType}, ${node.zone}), ` +
    node.primaryIp,
    `daemon     pid ${pid}, ${mebibytes(memory.rssBytes)} MiB, ` +
    credentialsText(node.credentials),
    ...hostLines(host),
    ...sharingLines(sharing),
    ...trunkLines(trunk),
    `pool       ${pool.mode}: ${leased} leased, ${idle} idle, ${cooling} ` +
    `cooling, of ${pool.capacity}` + ip6Text(pool) +
    (quarantined === 0 ? "" : `; ${quarantined} quarantined`),
    ...healthLines(pool),
    ...callLines(pool),
    ...pool.enis.map(eniLine),
    ...pool.foreignEniIds.map((id) => `foreign    ${id}`),
    ...pool.orphans.map(({ eniId, purgeFromMs }) =>
      `orphan     ${eniId} is this node's, attached nowhere and unrecorded: ` +
      `deleted in ${clock(purgeFromMs)}`
    ),
    ...leases.map((lease) =>
      `lease      ${[lease.ip, lease.ip6].filter(Boolean).join(" and ")} on ` +
      `${lease.eniId} for ${lease.ownerKey}`
    ),
    ...pool.lost.map((lease) =>
      `lost       ${lease.ip}, leased to ${lease.ownerKey}: the cloud has ` +
      "taken it away"
    ),
    ...(pool.full === undefined ? [] : [
      `full       no further ENI for ${clock(pool.full.untilMs)}: ` +
      pool.full.problem.message,
    ]),
    ...pool.rests.filter(isAhead).map((rest) =>
      `vswitch    ${rest.vSwitchId} rests for ${clock(rest.untilMs)}: it has ` +
      `at most ${rest.atMost} addresses`
    ),
    ...exchangeLines(pool),
    ...pool.gates.filter((gate) => gate.notBeforeMs > pool.nowMs).map((gate) =>
      `held       ${gate.call} for ${clock(gate.notBeforeMs)}: ` +
      gate.problem.message
    ),
    ...pool.claims.map(({ ownerKey, reason }) =>
      `waiting    ${ownerKey}: ${reason.text}` +
      (reason.nextMs === undefined
        ? ""
        : `; next try in ${clock(reason.nextMs)}`)
    ),
  ];
  return lines.join("\n") + "\n";
}

/** Where pods have both families, the numbers before are of IPv4. */
function ip6Text({ slots6 }: PoolStatus): string {
  if (slots6 === undefined) return "";
  return `; IPv6: ${slots6.leased} leased, ${slots6.idle} idle` +
    (slots6.quarantined === 0 ? "" : `, ${slots6.quarantined} quarantined`);
}

function sharingLines(
  sharing: DaemonStatus["sharing"],
): readonly string[] {
  if (sharing === undefined) return [];
  const { wanted, effective, reason } = sharing;
  const why = reason === undefined ? "" : `, not by ${wanted}: ${reason}`;
  return [`datapath   pods share ENIs by ${effective}${why}`];
}

function trunkLines(trunk: DaemonStatus["trunk"]): readonly string[] {
  if (trunk === undefined) return [];
  const { eniId = "none", memberCount, memberCapacity, reason } = trunk;
  const why = reason === undefined ? "" : `: ${reason}`;
  return [
    `trunk      ${eniId}, ${memberCount} of ${memberCapacity} members${why}`,
  ];
}

function healthLines({ health, nowMs }: PoolStatus): readonly string[] {
  const { level, awayMs, backMs, problem } = health;
  if (level === "whole") return [];
  const since = (atMs: number): string =>
    `${Math.max(0, Math.round((nowMs - atMs) / 1000))} s`;
  const undone = level === "probesOnly"
    ? "it is only asked if it is back"
    : "nothing is given back";
  const state = awayMs === undefined
    ? `back for ${since(backMs ?? nowMs)}, not believed yet`
    : `away for ${since(awayMs)}`;
  const why = problem === undefined ? "" : ` (${problem.message})`;
  return [`cloud      ${state}: ${undone}${why}`];
}

/** What was called in this minute, in one line. */
function callLines({ budgets }: PoolStatus): readonly string[] {
  const used = budgets.filter((budget) => budget.used > 0)
    .map(({ api, used, most }) => `${api} ${used} of ${most}`);
  return used.length === 0
    ? []
    : [`calls      this minute: ${used.join(", ")}`];
}

function exchangeLines({ exchange }: PoolStatus): readonly string[] {
  if (exchange === undefined) return [];
  const { eniId, vSwitchId, targetVSwitchId, ownerKeys } = exchange;
  const holders = ownerKeys.length === 0
    ? "nobody holds it"
    : `held by ${ownerKeys.join(", ")}`;
  return [
    `exchange   ${eniId} on ${vSwitchId}, which is empty, makes way for an ` +
    `ENI on ${targetVSwitchId}: ${holders}`,
  ];
}

function hostLines(
  { findings, changes }: HostTold = { findings: [], changes: [] },
): string[] {
  return [
    ...findings.map(({ severity, problem, meaning, ...what }) =>
      `host       ${severity}: ${problem}. ${meaning}` +
      (what.command === undefined ? "" : ` Run: ${what.command}`) +
      (what.advice === undefined ? "" : ` To do: ${what.advice}`) +
      (what.failure === undefined
        ? ""
        : ` (fix_host couldn't: ${what.failure})`)
    ),
    ...changes.map(({ object, was, now }) =>
      `host       changed: ${object} from ${was} to ${now}, until a drain`
    ),
  ];
}

function eniLine(eni: EniStatus): string {
  return `eni        ${eni.id ?? eni.key} ${eni.mac ?? "-"} ${eni.phase} on ` +
    `${eni.vSwitchId}: ${eni.slots.leased} leased, ${eni.slots.idle} idle` +
    prefixText(eni) + (eni.isTrunk ? ", trunk" : "") +
    (eni.isAdopted ? ", adopted" : "") +
    (eni.goneSinceMs === undefined ? "" : ", not shown by the cloud") +
    (eni.problem === undefined ? "" : `; ${eni.problem.message}`);
}

function prefixText({ prefixes: { length } = [] }: EniStatus): string {
  if (length === 0) return "";
  return length === 1 ? ", 1 prefix" : `, ${length} prefixes`;
}

function credentialsText(
  credentials: DaemonStatus["node"]["credentials"],
): string {
  if (credentials === undefined) return "no credentials as yet";
  const { source, problem } = credentials;
  return `credentials from ${source}` +
    (problem === undefined ? "" : ` (${problem})`);
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
