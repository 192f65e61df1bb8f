/**
 * A stage's folder, and the processes that were started for it: all that is
 * needed to end it, also after a crash.
 *
 * @module
 */
import { join } from "node:path";
import { removeNamespaces } from "../fabric/netns_dir.ts";
import { StageError, stageName } from "./description.ts";
import { endProcess, type ProcessId } from "./process.ts";

/** What a stage's folder is recognised by. */
const LEDGER = "processes.jsonl";

/** What the server writes while it starts. */
export const SERVER_LOG = "server.log";

/** How long a server may take to end its daemons and remove all. */
const SERVER_GRACE_MS = 20_000;

/** How long a daemon may take to finish what it does. */
const DAEMON_GRACE_MS = 5_000;

/** A process of a stage. */
export interface LedgerEntry extends ProcessId {
  /** What it is: `server`, or `daemon` and the node's name. */
  readonly role: string;
}

/**
 * Takes a folder for a stage.
 *
 * @param dir The folder, absolute; made when missing.
 * @throws {StageError} When something else is in it.
 */
export async function claimDir(dir: string): Promise<void> {
  await demandFree(dir);
  try {
    await Deno.writeTextFile(join(dir, LEDGER), "", { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw alreadyThere(dir);
  }
  await Deno.mkdir(join(dir, "pods"));
}

/**
 * Makes a folder if need be, and sees to it that a stage can live there.
 *
 * @param dir The folder, absolute.
 * @throws {StageError} When something else is in it.
 */
export async function demandFree(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const names = (await Array.fromAsync(Deno.readDir(dir)))
    .map(({ name }) => name);
  if (names.includes(LEDGER)) throw alreadyThere(dir);
  const other = names.find((name) => name !== SERVER_LOG);
  if (other === undefined) return;
  throw new StageError(`Cannot use ${dir}: it isn't empty, it has ${other}`);
}

/**
 * Writes a process down, at once.
 *
 * @param dir The stage's folder.
 * @param entry The process.
 */
export function recordProcess(dir: string, entry: LedgerEntry): void {
  const { role, pid, startTicks } = entry;
  const line = JSON.stringify({ role, pid, startTicks }) + "\n";
  Deno.writeTextFileSync(join(dir, LEDGER), line, { append: true });
}

/**
 * Reads which processes were started.
 *
 * @param dir The stage's folder.
 * @returns The processes, the first one first.
 * @throws {StageError} When it is no stage's folder.
 */
export async function readProcesses(dir: string): Promise<LedgerEntry[]> {
  try {
    const text = await Deno.readTextFile(join(dir, LEDGER));
    // A line that a crash cut short tells of no process that still runs.
    return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new StageError(`Cannot find a stage in ${dir}`);
  }
}

/**
 * Ends a stage, whatever state it is in: processes, namespaces, folder.
 *
 * @param dir The stage's folder.
 * @throws {StageError} When it is no stage's folder; nothing is touched then.
 */
export async function tearDown(dir: string): Promise<void> {
  const processes = await readProcesses(dir);
  for (const server of processes.filter(({ role }) => role === "server")) {
    // It ends the daemons itself, and knows what else there is to end.
    await endProcess(server, SERVER_GRACE_MS);
  }
  await Promise.all(
    processes.map((process) => endProcess(process, DAEMON_GRACE_MS)),
  );
  await sweepUp(dir);
}

/**
 * Removes a stage's namespaces and its folder; its processes have ended.
 *
 * @param dir The stage's folder.
 */
export async function sweepUp(dir: string): Promise<void> {
  removeNamespaces(`${stageName(dir)}-`);
  try {
    await Deno.remove(dir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function alreadyThere(dir: string): StageError {
  return new StageError(
    `Cannot begin a stage in ${dir}: there is one; end it by ` +
      `\`deno task stage down --dir ${dir}\`, or take another --dir`,
  );
}
