/**
 * Builds the programs of a cluster once, and keeps them outside the
 * repository under the hash of what they are built from.
 *
 * It goes with the lowest priority: fifteen minutes of two processors are
 * nobody's hurry.
 *
 * @module
 */
import { cacheFolder } from "../../deploy/launcher/build.ts";
import {
  buildArguments,
  contentHash,
  GO_ENVIRONMENT,
  type Tool,
  type ToolModule,
  wrapperOf,
} from "./tools.ts";

/** The programs, or why there are none. */
export type Tools =
  | {
    /** They are there. */
    readonly ok: true;
    /** By name, where each is. */
    readonly paths: ReadonlyMap<string, string>;
  }
  | {
    /** They aren't. */
    readonly ok: false;
    /** Why, and what to do. */
    readonly reason: string;
  };

/** How to go about it. */
export interface BuildOptions {
  /** Whether to build what isn't there. */
  readonly mayBuild: boolean;
  /** Hears of each step, and each minute that it still goes on. */
  readonly onStep: (line: string) => void;
  /** How long all builds may take together. @default {three hours} */
  readonly deadlineMs?: number;
}

/** The largest takes eight minutes on an idle machine, this one may be busy. */
const BUILD_DEADLINE_MS = 3 * 3_600_000;

/** Kubernetes' own `go.mod` asks for 1.24. */
const GO_MINOR = 24;

/** Nobody should wonder whether it hangs. */
const TOLD_EACH_MS = 60_000;

/**
 * Finds the programs, and builds those that aren't there.
 *
 * Effects: writes to the cache folder ($XDG_CACHE_HOME/terway) and to Go's.
 *
 * @param tools Which.
 * @param options See {@linkcode BuildOptions}.
 * @returns Where they are; or why there are none: for want of Go, of a build,
 * of the modules that they are built from, or of time.
 * @throws {Error} When a build fails.
 */
export async function findTools(
  tools: readonly Tool[],
  options: BuildOptions,
): Promise<Tools> {
  const goVersion = await findGo();
  if (goVersion === undefined) {
    return {
      ok: false,
      reason: `no Kubernetes without Go 1.${GO_MINOR} or later, which builds ` +
        "it: see https://go.dev/dl",
    };
  }
  const places = await Promise.all(
    tools.map(async (tool) => ({ tool, ...await placeOf(tool, goVersion) })),
  );
  const missing = places.filter((place) => !place.isThere);
  if (missing.length > 0 && !options.mayBuild) {
    const names = missing.map(({ tool }) => tool.name).join(", ");
    return {
      ok: false,
      reason: `not built yet: ${names}; run \`deno task cluster build\``,
    };
  }
  const signal = AbortSignal.timeout(options.deadlineMs ?? BUILD_DEADLINE_MS);
  for (const [at, { tool, path }] of missing.entries()) {
    const of = `(${at + 1} of ${missing.length})`;
    const reason = await buildAloud({ tool, path, of }, { options, signal });
    if (reason !== undefined) return { ok: false, reason };
  }
  const paths = new Map(places.map(({ tool, path }) => [tool.name, path]));
  return { ok: true, paths };
}

/** Gives why it isn't built, where that is nobody's mistake. */
async function buildAloud(
  { tool, path, of }: { tool: Tool; path: string; of: string },
  { options, signal }: { options: BuildOptions; signal: AbortSignal },
): Promise<string | undefined> {
  const { onStep } = options;
  const startMs = Date.now();
  const seconds = (): string =>
    `${Math.round((Date.now() - startMs) / 1000)} s`;
  onStep(`building ${tool.name} ${of}`);
  const telling = setInterval(
    () => onStep(`still building ${tool.name} ${of}, ${seconds()}`),
    TOLD_EACH_MS,
  );
  try {
    await build(tool, path, signal);
  } catch (error) {
    if (signal.aborted) {
      return `${tool.name} wasn't built in time; what Go has compiled is kept, ` +
        "so that `deno task cluster build` goes on from there";
    }
    if (!(error instanceof NoModuleError)) throw error;
    return error.message;
  } finally {
    clearInterval(telling);
  }
  const { size } = await Deno.stat(path);
  onStep(`built ${tool.name} in ${seconds()}, ${Math.round(size / 1e6)} MB`);
}

/** A module that can't be had: no network, or no proxy that has it. */
class NoModuleError extends Error {
  override readonly name = "NoModuleError";
}

/**
 * Finds a Go that is new enough.
 *
 * @returns Its version; nothing where there is none.
 */
export async function findGo(): Promise<string | undefined> {
  try {
    const version = (await go(["env", "GOVERSION"])).trim();
    const minor = Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0);
    return minor < GO_MINOR ? undefined : version;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function placeOf(
  tool: Tool,
  goVersion: string,
): Promise<{ path: string; isThere: boolean }> {
  const hash = await contentHash(tool, goVersion);
  const path = `${cacheFolder()}/cluster/${tool.name}-${hash}/${tool.name}`;
  try {
    return { path, isThere: (await Deno.stat(path)).isFile };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { path, isThere: false };
  }
}

async function build(
  tool: Tool,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const { module } = tool;
  const source = await wrap(module, signal);
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await go(buildArguments(tool, draft), { cwd: source, signal });
    await Deno.rename(draft, path);
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
}

/** Makes the folder that a module's programs are built in. */
async function wrap(module: ToolModule, signal: AbortSignal): Promise<string> {
  const folder =
    `${cacheFolder()}/cluster/source/${module.name}-${module.version}`;
  const path = `${folder}/go.mod`;
  try {
    await Deno.stat(path);
    return folder;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(folder, { recursive: true });
  const asked = `${module.path}@${module.version}`;
  const said = await go(["mod", "download", "-json", asked], { signal })
    .catch((error) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new NoModuleError(`Cannot get ${asked}: ${why}`);
    });
  const { GoMod } = JSON.parse(said);
  const text = wrapperOf(module, await Deno.readTextFile(GoMod));
  const draft = `${path}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(draft, text);
  await Deno.rename(draft, path);
  return folder;
}

/**
 * Finds a module's own files, and downloads them if need be.
 *
 * @param module The module.
 * @returns Their folder.
 */
export async function moduleFolder(module: ToolModule): Promise<string> {
  const asked = `${module.path}@${module.version}`;
  return JSON.parse(await go(["mod", "download", "-json", asked])).Dir;
}

/** Runs `go`, in a folder without a module unless told. */
async function go(
  args: readonly string[],
  { cwd = "/", signal = AbortSignal.timeout(BUILD_DEADLINE_MS) } = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("nice", {
    args: ["-n", "19", await goProgram(), ...args],
    cwd,
    env: { ...GO_ENVIRONMENT },
    signal,
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr).trim().slice(-2_000);
  throw new Error(`Cannot go ${args.join(" ")}:\n${said}`);
}

/** Go's own installation isn't in everybody's PATH. */
async function goProgram(): Promise<string> {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  for (const folder of [...folders, "/usr/local/go/bin"]) {
    const path = `${folder}/go`;
    const found = await Deno.stat(path).catch(() => undefined);
    if (found?.isFile === true) return path;
  }
  throw new Deno.errors.NotFound("go");
}
