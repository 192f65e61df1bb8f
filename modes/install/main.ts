/**
 * `terway install`: the plugin and its list of networks on this node, and back.
 *
 * @module
 */
import { messageOf, print, readCommandLine } from "../command_line.ts";
import { type InstallArguments, readArguments, USAGE } from "./arguments.ts";
import { ConflistError } from "./conflist.ts";
import { findProgram, look, type Program } from "./look.ts";
import { plan, type Step } from "./plan.ts";
import { untilServing } from "./serving.ts";
import { carryOut, lockFolder, stepText } from "./steps.ts";

/**
 * Installs, or takes the installation away.
 *
 * @param args What follows `terway install`.
 * @returns The exit status: 0 when all is as wanted, 2 for a wrong command
 * line, 1 for anything else.
 */
export async function main(args: readonly string[]): Promise<number> {
  const options = readCommandLine(
    { mode: "install", usage: USAGE },
    () => readArguments(args),
  );
  if (typeof options === "number") return options;
  try {
    return await run(options);
  } catch (error) {
    complain(reasonOf(error));
    return 1;
  }
}

async function run(options: InstallArguments): Promise<number> {
  const program = await programFor(options);
  if (options.dryRun) return await tell(options, program);
  // A list that can't be read is told of before anything is changed.
  plan({ ...await look(options, program), isServing: false }, options);
  if (options.aim !== "uninstall") {
    // The first of the steps, as the lock is on this folder.
    const folder = { kind: "folder", path: options.binDir } as const;
    await carryOut(folder, { plugin: program.bytes });
  }
  const first = await round({ options, program, isServing: false });
  if (!first.isWaiting) return first.status;
  const { socket, waitMs } = options;
  const reason = await untilServing({
    socket,
    waitMs,
    onReason: (reason) =>
      say(`waiting for the daemon, ${waitMs / 1000} s at most: ${reason}`),
  });
  if (reason !== undefined) {
    complain(
      `no daemon serves after ${waitMs / 1000} s: ${reason}\n` +
        "The plugin is in place. The list of networks isn't, so that the " +
        "runtime gives no pod to a node that can't serve it.\n" +
        "See why the terway pod of this node isn't ready: its log says it. " +
        "Then run this again",
    );
    return 1;
  }
  return (await round({ options, program, isServing: true })).status;
}

/** Uninstalling compares nothing with a program of ours: any will do. */
async function programFor(options: InstallArguments): Promise<Program> {
  if (options.aim === "uninstall") {
    return { what: "nothing", bytes: new Uint8Array() };
  }
  return await findProgram(options, options.launcher);
}

/** Looks, plans, and does what can be done before the daemon serves. */
async function round(
  { options, program, isServing }: {
    readonly options: InstallArguments;
    readonly program: Program;
    readonly isServing: boolean;
  },
): Promise<{ status: number; isWaiting: boolean }> {
  using _lock = await lockFolder(options.binDir);
  const seen = { ...await look(options, program), isServing };
  const { steps, notes } = plan(seen, options);
  for (const step of steps) {
    if (step.kind === "wait") return { status: 0, isWaiting: true };
    try {
      await carryOut(step, { plugin: program.bytes });
    } catch (error) {
      complain(failure(step, error));
      return { status: 1, isWaiting: false };
    }
    say(stepText(step, "done") + about(step, program));
  }
  for (const note of notes) say(`note: ${note}`);
  if (steps.length === 0) say("all is as wanted: nothing was done");
  return { status: 0, isWaiting: false };
}

async function tell(
  options: InstallArguments,
  program: Program,
): Promise<number> {
  const seen = { ...await look(options, program), isServing: false };
  const { steps, notes } = plan(seen, options);
  for (const step of steps) {
    say(`would ${stepText(step, "due")}${about(step, program)}`);
    if (step.kind === "write") print(Deno.stdout, step.text);
  }
  for (const note of notes) say(`note: ${note}`);
  if (steps.length === 0) say("all is as wanted: nothing would be done");
  return 0;
}

function about(step: Step, { what }: Program): string {
  return step.kind === "plugin" ? ` (${what})` : "";
}

function failure(step: Step, error: unknown): string {
  const why = isShut(error)
    ? `${messageOf(error)}: run this as root, in a container with the folder ` +
      "mounted read-write"
    : reasonOf(error);
  return `cannot ${stepText(step, "due")}: ${why}\n` +
    "What was done before stays, and running this again goes on from there";
}

/** The folder isn't ours to write, or nobody's. */
function isShut(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    (error instanceof Error && "code" in error && error.code === "EROFS");
}

/** A mistake in a file is told with nothing else around it. */
function reasonOf(error: unknown): string {
  if (error instanceof ConflistError) {
    return `${error.message}\nNothing was changed: correct the file, or ` +
      "remove it, and run this again";
  }
  return messageOf(error);
}

function complain(text: string): void {
  print(Deno.stderr, `terway install: ${text}\n`);
}

function say(line: string): void {
  print(Deno.stdout, `${line}\n`);
}
