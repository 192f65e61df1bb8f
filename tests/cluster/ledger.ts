/**
 * A cluster's folder, and how all that was made for it is ended, also after a
 * crash: processes, control groups, the mounted state, namespaces.
 *
 * @module
 */
import { join } from "node:path";
import { exists } from "../../deploy/exists.ts";
import { stageName } from "../stage/description.ts";
import { claimDir, readProcesses, sweepUp } from "../stage/ledger.ts";
import { endProcess, isRunning, type ProcessId } from "../stage/process.ts";
import { removeGroups } from "./cgroups.ts";
import { run, until } from "./command.ts";
import { ClusterError, DEFAULT_CLUSTER_DIR } from "./description.ts";
import { GROUPS_FILE } from "./tree.ts";

/** The folder of all that is big, in memory. */
export const STATE_DIR = "state";

/** How long a server may take to end its machines and remove all. */
const SERVER_GRACE_MS = 30_000;

/** A machine's processes are killed together; the kernel needs a moment. */
const MACHINE_DEADLINE_MS = 20_000;

/**
 * Takes a folder for a cluster.
 *
 * @param dir The folder, absolute; made when missing.
 * @throws {ClusterError} When something else is in it.
 */
export async function claimClusterDir(dir: string): Promise<void> {
  try {
    await claimDir(dir);
  } catch (error) {
    const flag = dir === DEFAULT_CLUSTER_DIR ? "" : ` --dir ${dir}`;
    throw new ClusterError(
      `Cannot begin a cluster in ${dir}: end what is there by ` +
        `\`deno task cluster${flag} down\``,
      { cause: error },
    );
  }
}

/**
 * Ends a cluster, whatever state it is in.
 *
 * @param dir The cluster's folder.
 * @throws {Error} When it is no cluster's folder; nothing is touched then.
 */
export async function tearDownCluster(dir: string): Promise<void> {
  const processes = await readProcesses(dir);
  for (const server of processes.filter(({ role }) => role === "server")) {
    await endProcess(server, SERVER_GRACE_MS);
  }
  if (await exists(dir)) await sweepUpCluster(dir);
}

/**
 * Ends a cluster's machines and removes all that it had; its server has ended,
 * or calls this.
 *
 * @param dir The cluster's folder.
 */
export async function sweepUpCluster(dir: string): Promise<void> {
  const processes = (await readProcesses(dir))
    .filter(({ pid }) => pid !== Deno.pid);
  for (const process of processes) kill(process);
  await until(
    "processes to end",
    { deadlineMs: MACHINE_DEADLINE_MS },
    () => !processes.some(isRunning),
  );
  const groups = await readGroups(dir);
  const left = await removeGroups(groups);
  await unmount(join(dir, STATE_DIR));
  await sweepUp(dir);
  if (left.length === 0) return;
  throw new Error(`Cannot remove all of ${stageName(dir)}: ${left.join(", ")}`);
}

/** With a machine's first process all others end. */
function kill(process: ProcessId): void {
  if (!isRunning(process)) return;
  try {
    Deno.kill(process.pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function readGroups(dir: string): Promise<readonly string[]> {
  try {
    const text = await Deno.readTextFile(join(dir, GROUPS_FILE));
    return text.split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The mounts of a machine go with its last process, a moment later. */
async function unmount(path: string): Promise<void> {
  if (
    !(await Deno.readTextFile("/proc/self/mountinfo")).includes(` ${path} `)
  ) {
    return;
  }
  await until(`${path} to be unmounted`, { deadlineMs: 10_000 }, async () => {
    await run(["umount", path]);
    return true;
  });
}
