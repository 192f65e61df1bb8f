/**
 * Processes that outlive the command that started them: how they are started,
 * remembered and ended.
 *
 * A process is remembered by its id and its start time, since the kernel gives
 * ids out again: nothing is ever signalled that we did not start.
 *
 * @module
 */

/** A process, for as long as this machine runs. */
export interface ProcessId {
  /** The process id. */
  readonly pid: number;
  /** When it started, in clock ticks since boot. Source: proc(5), field 22. */
  readonly startTicks: number;
}

/** A command that shall run on its own, in a session of its own. */
export interface Launch {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output goes, appended. */
  readonly log: string;
}

/** A process that was started just now. */
export interface Launched {
  /** Which one. */
  readonly id: ProcessId;
  /** Settles with its exit status. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Lets this process end before it. */
  readonly release: () => void;
}

/** How often a process that was asked to end is looked at. */
const LOOK_MS = 10;

/**
 * Starts a process in a session of its own, so that a terminal's Ctrl-C
 * reaches only who is to tidy up.
 *
 * @param launch What to start.
 * @returns The process.
 */
export function launch(launch: Launch): Launched {
  // Deno can't hand a file to a child: a shell opens it and becomes the child.
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$@" >>"$0" 2>&1', launch.log, ...launch.command],
    env: { ...launch.env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  // One that has ended already is nobody's id: no process has such a start.
  const id = identify(child.pid) ?? { pid: child.pid, startTicks: -1 };
  return { id, ended: child.status, release: () => child.unref() };
}

/**
 * Looks a process up.
 *
 * @param pid A process id.
 * @returns The process that has it now; `undefined` when none has, or when it
 * has ended and only waits to be reaped.
 */
export function identify(pid: number): ProcessId | undefined {
  let stat: string;
  try {
    stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch (error) {
    // A process that ends between open and read answers ESRCH.
    if (error instanceof Deno.errors.NotFound || isNoSuchProcess(error)) {
      return undefined;
    }
    throw error;
  }
  // The name, in parentheses, may hold anything: fields count from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], Number(fields[19])];
  return state === "Z" || state === "X" ? undefined : { pid, startTicks };
}

/**
 * Tells whether a process still runs.
 *
 * @param id The process.
 * @returns False also when its id belongs to another one by now.
 */
export function isRunning(id: ProcessId): boolean {
  return identify(id.pid)?.startTicks === id.startTicks;
}

/**
 * Ends a process: asks it to, and kills it when it doesn't in time.
 *
 * @param id The process; one that has ended already is fine.
 * @param graceMs How long it may take to end by itself.
 */
export async function endProcess(
  id: ProcessId,
  graceMs: number,
): Promise<void> {
  if (await sendAndWait(id, "SIGTERM", graceMs)) return;
  if (await sendAndWait(id, "SIGKILL", 2_000)) return;
  throw new Error(`Cannot end process ${id.pid}: it survived SIGKILL`);
}

async function sendAndWait(
  id: ProcessId,
  signal: Deno.Signal,
  waitMs: number,
): Promise<boolean> {
  if (!isRunning(id)) return true;
  try {
    Deno.kill(id.pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (let waitedMs = 0; waitedMs < waitMs; waitedMs += LOOK_MS) {
    if (!isRunning(id)) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return !isRunning(id);
}

function isNoSuchProcess(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ESRCH";
}
