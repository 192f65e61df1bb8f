/**
 * What is in the two folders of a node, and what plugin we have for it.
 *
 * @module
 */
import { PLUGIN } from "./conflist.ts";
import { isConfig, type Seen, type Wish } from "./plan.ts";
import { isOurs, type Stamp, stampLauncher } from "./stamp.ts";

/** A plugin's program. */
export interface Program {
  /** What it is, for people. */
  readonly what: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** ELF's `e_machine`, at offset 18. Source: elf(5), <linux/elf-em.h>. */
const MACHINES: Readonly<Record<string, number>> = {
  "x86_64": 62,
  "aarch64": 183,
};

/**
 * Looks at the folders. What isn't there is no error.
 *
 * @param wish Which folders.
 * @param program The plugin as it should be.
 * @returns What is there; the daemon isn't asked.
 */
export async function look(
  { binDir, confDir }: Wish,
  program: Program,
): Promise<Omit<Seen, "isServing">> {
  const programs = await namesIn(binDir);
  const names = await namesIn(confDir);
  const configs = new Map<string, string>();
  for (const name of names ?? []) {
    const path = `${confDir}/${name}`;
    configs.set(name, isConfig(name) ? await Deno.readTextFile(path) : "");
  }
  return {
    folders: [
      ...(programs === undefined ? [] : [binDir]),
      ...(names === undefined ? [] : [confDir]),
    ],
    programs: programs ?? [],
    plugin: await judge(`${binDir}/${PLUGIN}`, program.bytes),
    configs,
  };
}

/**
 * Finds the plugin for this node: the launcher, or where there is none for
 * this architecture, the executable, which is a plugin too.
 *
 * @param stamp What the launcher is told.
 * @param path A launcher's file; the one in the executable when absent.
 * @returns The program.
 * @throws {Error} When there is neither.
 */
export async function findProgram(
  stamp: Stamp,
  path?: string,
): Promise<Program> {
  const launcher = await readIfThere(path ?? embeddedPath());
  if (path !== undefined && launcher === undefined) {
    throw new Error(`--launcher ${path}: there is no such file`);
  }
  if (launcher !== undefined && isForThisMachine(launcher)) {
    return { what: "the launcher", bytes: stampLauncher(launcher, stamp) };
  }
  if (path !== undefined) {
    throw new Error(`--launcher ${path}: it isn't for ${Deno.build.arch}`);
  }
  if (!Deno.build.standalone) {
    throw new Error(
      "there is no launcher, as this isn't the executable: compile it with " +
        "`deno task compile` and run `dist/terway install`, or give --launcher",
    );
  }
  return {
    what: `the executable, as it has no launcher for ${Deno.build.arch}`,
    bytes: await Deno.readFile(Deno.execPath()),
  };
}

/** In the executable the launcher lies beside this mode's bundle. */
function embeddedPath(): URL {
  return new URL("./terway-launcher", import.meta.url);
}

function isForThisMachine(program: Uint8Array): boolean {
  return (program[18] ?? 0) + (program[19] ?? 0) * 256 ===
    MACHINES[Deno.build.arch];
}

async function judge(
  path: string,
  wanted: Uint8Array,
): Promise<Seen["plugin"]> {
  const found = await readIfThere(path);
  if (found === undefined) return "absent";
  if (!isOurs(found)) return "foreign";
  const { mode } = await Deno.stat(path);
  const isSame = found.length === wanted.length &&
    found.every((byte, at) => byte === wanted[at]);
  return isSame && mode !== null && (mode & 0o111) === 0o111
    ? "wanted"
    : "ours";
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter(({ isDirectory }) => !isDirectory)
      .map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function readIfThere(
  path: string | URL,
): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
