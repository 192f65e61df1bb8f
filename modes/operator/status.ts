/**
 * `terway status`: what the daemon of this node holds, for people and scripts.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import type { EniStatus, PoolStatus } from "../../pool/contract.ts";
import type { Lease } from "../../pool/state.ts";
import { ask, DEFAULT_SOCKET } from "../wire.ts";

/** The daemon answers from memory: more than this means that it hangs. */
const REPLY_DEADLINE_MS = 5_000;

/** What the daemon tells of itself. */
interface DaemonStatus {
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
}

/**
 * Asks the daemon and prints what it says.
 *
 * @param args `--socket PATH`, `--json`, or `--schema` for the form of the
 * latter as a JSON Schema.
 * @returns The exit status: 0, or 1 when no daemon answers.
 */
export async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs([...args], {
    string: ["socket"],
    boolean: ["json", "schema"],
    default: { socket: DEFAULT_SOCKET },
  });
  if (flags.schema) {
    const { statusJsonSchema } = await import("../status_schema.ts");
    print(Deno.stdout, JSON.stringify(statusJsonSchema(), null, 2) + "\n");
    return 0;
  }
  try {
    const reply = await ask(flags.socket, {
      variables: new Map([["TERWAY_COMMAND", "status"]]),
      stdin: new Uint8Array(),
    }, AbortSignal.timeout(REPLY_DEADLINE_MS));
    const text = flags.json || reply.status !== 0
      ? reply.document
      : render(JSON.parse(reply.document));
    print(Deno.stdout, text);
    return reply.status;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    print(
      Deno.stderr,
      `terway status: no daemon answers on ${flags.socket}: ${why}\n`,
    );
    return 1;
  }
}

function render({ pid, node, memory, pool, leases }: DaemonStatus): string {
  const { idle, leased, cooling, quarantined } = pool.slots;
  const clock = (atMs: number): string =>
    `${Math.max(0, Math.round((atMs - pool.nowMs) / 1000))} s`;
  const lines = [
    `node       ${node.instanceId} (${node.instanceType}, ${node.zone}), ` +
    node.primaryIp,
    `daemon     pid ${pid}, ${mebibytes(memory.rssBytes)} MiB, ` +
    credentialsText(node.credentials),
    `pool       ${pool.mode}: ${leased} leased, ${idle} idle, ${cooling} ` +
    `cooling, of ${pool.capacity}` +
    (quarantined === 0 ? "" : `; ${quarantined} quarantined`),
    ...pool.enis.map(eniLine),
    ...pool.foreignEniIds.map((id) => `foreign    ${id}`),
    ...leases.map((lease) =>
      `lease      ${lease.ip} on ${lease.eniId} for ${lease.ownerKey}`
    ),
    ...pool.lost.map((lease) =>
      `lost       ${lease.ip}, leased to ${lease.ownerKey}: the cloud has ` +
      "taken it away"
    ),
    ...(pool.full === undefined ? [] : [
      `full       no further ENI for ${clock(pool.full.untilMs)}: ` +
      pool.full.problem.message,
    ]),
    ...pool.rests.map((rest) =>
      `vswitch    ${rest.vSwitchId} rests for ${clock(rest.untilMs)}: it has ` +
      `at most ${rest.atMost} addresses`
    ),
    ...pool.gates.map((gate) =>
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

function eniLine(eni: EniStatus): string {
  return `eni        ${eni.id ?? eni.key} ${eni.mac ?? "-"} ${eni.phase} on ` +
    `${eni.vSwitchId}: ${eni.slots.leased} leased, ${eni.slots.idle} idle` +
    (eni.isAdopted ? ", adopted" : "") +
    (eni.goneSinceMs === undefined ? "" : ", not shown by the cloud") +
    (eni.problem === undefined ? "" : `; ${eni.problem.message}`);
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

function print(stream: { writeSync(bytes: Uint8Array): number }, text: string) {
  stream.writeSync(new TextEncoder().encode(text));
}
