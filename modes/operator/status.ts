/**
 * `terway status`: what the daemon of this node holds, for people and scripts.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import type { PoolStatus } from "../../pool/contract.ts";
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
 * @param args `--socket PATH` and `--json`.
 * @returns The exit status: 0, or 1 when no daemon answers.
 */
export async function main(args: readonly string[]): Promise<number> {
  const flags = parseArgs([...args], {
    string: ["socket"],
    boolean: ["json"],
    default: { socket: DEFAULT_SOCKET },
  });
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
  const { idle, leased, cooling } = pool.slots;
  const lines = [
    `node       ${node.instanceId} (${node.instanceType}, ${node.zone}), ${node.primaryIp}`,
    `daemon     pid ${pid}, ${mebibytes(memory.rssBytes)} MiB, ` +
    credentialsText(node.credentials),
    `pool       ${pool.mode}: ${leased} leased, ${idle} idle, ${cooling} cooling, of ${pool.capacity}`,
    ...pool.enis.map((eni) =>
      `eni        ${eni.id ?? eni.key} ${eni.mac ?? "-"} ${eni.phase} on ` +
      `${eni.vSwitchId}: ${eni.slots.leased} leased, ${eni.slots.idle} idle` +
      (eni.problem === undefined ? "" : `; ${eni.problem.message}`)
    ),
    ...leases.map((lease) =>
      `lease      ${lease.ip} on ${lease.eniId} for ${lease.ownerKey}`
    ),
    ...pool.claims.map((claim) =>
      `waiting    ${claim.ownerKey}: ${claim.reason.text}`
    ),
  ];
  return lines.join("\n") + "\n";
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
