/**
 * Steps carried out: the only file of this mode that changes the node. Every
 * file appears whole or not at all, and is on the disk before the next step.
 *
 * @module
 */
import {
  folderOf,
  removeIfThere,
  syncFolder,
  writeDurably,
} from "../durable_file.ts";
import { draftName, type Step } from "./plan.ts";

/** A step that changes something; waiting is somebody else's. */
export type Change = Exclude<Step, { kind: "wait" }>;

/** What the steps need besides. */
export interface ChangeParts {
  /** The plugin's program. */
  readonly plugin: Uint8Array;
}

/** A relay starts in milliseconds; a cold executable reads 90 MB first. */
const TRIAL_DEADLINE_MS = 30_000;

/** Another run holds the lock for as long as it writes. */
const LOCK_DEADLINE_MS = 60_000;

const EXCLUSIVE = true;

/**
 * Carries a step out. Safe to repeat: yes, also after a kill within it.
 *
 * @param step The step.
 * @param parts What it needs.
 * @throws {Error} Of the file system; or when the plugin doesn't run here.
 */
export async function carryOut(
  step: Change,
  { plugin }: ChangeParts,
): Promise<void> {
  switch (step.kind) {
    case "folder":
      await Deno.mkdir(step.path, { recursive: true, mode: 0o755 });
      return await syncFolder(folderOf(step.path));
    case "plugin":
      return await place(step.path, { bytes: plugin, mode: 0o755 }, tryOut);
    case "keep": {
      const [bytes, { mode }] = await Promise.all([
        Deno.readFile(step.from),
        Deno.stat(step.from),
      ]);
      return await place(step.to, { bytes, mode: (mode ?? 0o600) & 0o777 });
    }
    case "write": {
      const bytes = new TextEncoder().encode(step.text);
      return await place(step.path, { bytes, mode: 0o644 });
    }
    case "move":
      await Deno.rename(step.from, step.to);
      return await syncFolder(folderOf(step.to));
    case "remove":
      await removeIfThere(step.path);
      return await syncFolder(folderOf(step.path));
  }
}

/**
 * Writes a step for people.
 *
 * @param step The step.
 * @param tense Whether it is done or is to be done.
 * @returns A line without its end.
 */
export function stepText(step: Step, tense: "done" | "due"): string {
  const verb = (due: string, done: string): string =>
    tense === "done" ? done : due;
  switch (step.kind) {
    case "folder":
      return `${verb("make", "made")} the folder ${step.path}`;
    case "plugin":
      return `${verb("place", "placed")} the plugin ${step.path}`;
    case "keep":
      return `${verb("copy", "copied")} ${step.from} to ${step.to}`;
    case "wait":
      return `${verb("wait", "waited")} for the daemon on ${step.socket}`;
    case "write":
      return `${verb("write", "wrote")} ${step.path}`;
    case "move":
      return `${verb("move", "moved")} ${step.from} to ${step.to}`;
    case "remove":
      return `${verb("remove", "removed")} ${step.path}`;
  }
}

/**
 * Holds other runs back, as an init container and a daemon may both install.
 *
 * @param folder A folder; when it isn't there, nothing is held.
 * @returns The lock, until it is disposed of or the process ends.
 * @throws {Error} When another run doesn't end.
 */
export async function lockFolder(folder: string): Promise<Disposable> {
  const stack = new DisposableStack();
  const file = await open(folder);
  if (file === undefined) return stack;
  stack.use(file);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() =>
      reject(
        new Error(
          `another installation has held ${folder} for ` +
            `${LOCK_DEADLINE_MS / 1000} s: end it, and run this again`,
        ),
      ), LOCK_DEADLINE_MS);
  });
  try {
    await Promise.race([file.lock(EXCLUSIVE), late]);
  } finally {
    clearTimeout(timer);
  }
  return stack;
}

async function open(folder: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function place(
  path: string,
  { bytes, mode }: { bytes: Uint8Array; mode: number },
  trial: (draft: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const folder = folderOf(path);
  const draft = `${folder}/${draftName(path.slice(folder.length + 1))}`;
  await removeIfThere(draft);
  try {
    await writeDurably(draft, bytes, mode);
    await trial(draft);
    await Deno.rename(draft, path);
  } catch (error) {
    await removeIfThere(draft).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

/**
 * A plugin that doesn't run on this node must not take the place of one that
 * does. It also has the kernel read the file before the first pod needs it.
 */
async function tryOut(path: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(path, {
    clearEnv: true,
    env: { CNI_COMMAND: "VERSION" },
    stdin: "null",
    signal: AbortSignal.timeout(TRIAL_DEADLINE_MS),
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (success && text.includes("supportedVersions")) return;
  const said = new TextDecoder().decode(stderr).trim() || text.trim();
  throw new Error(
    `the plugin doesn't run on this node: ${said.slice(-500)}: see that the ` +
      "folder isn't mounted noexec, and that the image is for this machine",
  );
}
