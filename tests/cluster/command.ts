/**
 * Programs that are run for their effect or their answer.
 *
 * @module
 */

/** A program that failed. */
export class CommandError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "CommandError";
}

/** Something that was waited for didn't come. */
export class TimeoutError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "TimeoutError";
}

/** What a run needs besides the command. */
export interface RunOptions {
  /** Its standard input. @default {nothing} */
  readonly stdin?: string;
  /** Ends it. @default {after a minute} */
  readonly signal?: AbortSignal;
}

/** Nothing that is run here takes longer on a busy machine. */
const DEADLINE_MS = 60_000;

/**
 * Runs a program.
 *
 * @param command The program and its arguments.
 * @param options See {@linkcode RunOptions}.
 * @returns What it printed.
 * @throws {CommandError} With what it said, when it fails.
 */
export async function run(
  command: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<string> {
  const [program, ...args] = command;
  const { stdin, signal = AbortSignal.timeout(DEADLINE_MS) } = options;
  const child = new Deno.Command(program, {
    args,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const output = child.output();
  if (stdin !== undefined) await give(child, stdin);
  const { success, code, stdout, stderr } = await output;
  const text = new TextDecoder().decode(stdout);
  if (success) return text;
  const said = new TextDecoder().decode(stderr).trim() || text.trim();
  throw new CommandError(
    `${args.length === 0 ? program : `${program} ${args[0]}`} failed with ` +
      `status ${code}: ${said.slice(-1_000)}`,
  );
}

/** Who has ended doesn't read: its exit status says more. */
async function give(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  await writer.close().catch(() => {});
}

/**
 * Asks until the answer is yes.
 *
 * @param what What is waited for, as an error would name it.
 * @param options How long at most, and how often it is asked.
 * @param ask The question; an error is a no, and is told when time is up.
 * @throws {TimeoutError} When it never was.
 */
export async function until(
  what: string,
  options: { readonly deadlineMs: number; readonly periodMs?: number },
  ask: () => boolean | Promise<boolean>,
): Promise<void> {
  const { deadlineMs, periodMs = 100 } = options;
  const endMs = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < endMs) {
    try {
      if (await ask()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, periodMs));
  }
  const why = last instanceof Error ? `: ${last.message}` : "";
  throw new TimeoutError(
    `Gave up waiting for ${what} after ${deadlineMs / 1000} s${why}`,
  );
}
