/**
 * `deno task compile`: makes `dist/terway`, the one executable.
 *
 * Each mode of main.ts becomes a bundle of its own, so that CNI mode, which
 * starts for every pod, loads a few kB; the launcher is embedded where it could
 * be built. Exit status 3 says that there is no base binary to be had.
 *
 * @module
 */
import { bundleModes } from "./bundle.ts";
import { exists } from "./exists.ts";
import { buildLauncher } from "./launcher/build.ts";

const ROOT: string = new URL("../", import.meta.url).pathname;
const DIST = `${ROOT}dist`;

/** What may be added to Deno itself. A start reads it from the disk. */
const PAYLOAD_LIMIT_BYTES = 8 * 1024 * 1024;

/** A download of the base binary: some 40 MB. */
const COMPILE_TIMEOUT_MS = 300_000;

/**
 * Prints the two variables COMPILE_DENO and DENORT_BIN: a base binary for
 * networks from which Deno's own can't be downloaded. It isn't part of the
 * repository, and nothing needs it elsewhere.
 */
const BASE_HELPER = `${ROOT}../shared/tools/denort`;

/** Says which Deno is in the executable: this one's version, or `older`. */
const BASE_FILE = `${DIST}/base`;

/** No base binary: neither downloaded nor from the helper. */
const EXIT_NO_BASE = 3;

/** Runs the compiler of a base binary with the given arguments. */
type Compiler = (args: readonly string[]) => Promise<Deno.CommandOutput>;

/** Compiles; the result is the exit status. */
async function compile(): Promise<number> {
  await Deno.remove(DIST, { recursive: true }).catch(() => {});
  await Deno.mkdir(DIST);
  const embedded = [...await bundleAll(), ...await embedLauncher()];
  const output = `${DIST}/terway`;
  const compiler = await findCompiler({ embedded, output });
  if (compiler === undefined) return EXIT_NO_BASE;
  const base = await weighBase(compiler);
  const { size } = await Deno.stat(output);
  const payload = size - base;
  say(`dist/terway: ${kB(size)}, of which ${kB(payload)} are ours`);
  if (payload < PAYLOAD_LIMIT_BYTES) return 0;
  say(`that is too much: the limit is ${kB(PAYLOAD_LIMIT_BYTES)}`);
  return 1;
}

/** Bundles main.ts, its modes and the Worker; gives their paths. */
async function bundleAll(): Promise<readonly string[]> {
  const paths = await bundleModes(DIST);
  for (const path of [`${DIST}/main.js`, ...paths]) {
    const { size } = await Deno.stat(path);
    say(`dist/${path.slice(DIST.length + 1)}: ${kB(size)}`);
  }
  return paths;
}

async function embedLauncher(): Promise<readonly string[]> {
  const build = await buildLauncher();
  if (!build.ok) {
    say(`the executable is without a launcher: ${build.reason}`);
    return [];
  }
  const path = `${DIST}/terway-launcher`;
  await Deno.copyFile(build.path, path);
  const { size } = await Deno.stat(path);
  say(`dist/terway-launcher: ${kB(size)}`);
  return [path];
}

/** Compiles with the first compiler that has a base binary, and gives it. */
async function findCompiler(
  { embedded, output }: {
    readonly embedded: readonly string[];
    readonly output: string;
  },
): Promise<Compiler | undefined> {
  const args = compileArgs({ entry: `${DIST}/main.js`, embedded, output });
  const download: Compiler = (args) => run(Deno.execPath(), args);
  const downloaded = await download(args);
  if (downloaded.success) {
    await Deno.writeTextFile(BASE_FILE, Deno.version.deno);
    return download;
  }
  if (!await exists(BASE_HELPER)) {
    say(
      "there is no base binary: Deno couldn't download it. Compile where " +
        `it can, or set DENORT_BIN.\n${textOf(downloaded.stderr)}`,
    );
    return undefined;
  }
  say("the base binary can't be downloaded: an older one stands in for it");
  const script = 'eval "$("$0")" && exec "$COMPILE_DENO" "$@"';
  const helped: Compiler = (args) =>
    run("bash", ["-c", script, BASE_HELPER, ...args]);
  await must(await helped(args));
  await Deno.writeTextFile(BASE_FILE, "older");
  return helped;
}

/** What an empty program weighs is the base; the rest is ours. */
async function weighBase(compiler: Compiler): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "terway-compile-" });
  try {
    const entry = `${folder}/empty.js`;
    const output = `${folder}/empty`;
    await Deno.writeTextFile(entry, "");
    await must(await compiler(compileArgs({ entry, embedded: [], output })));
    return (await Deno.stat(output)).size;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * `--no-code-cache`: the default reads a file of a predictable name in /tmp,
 * as root. `--no-config`: else the whole npm cache is embedded.
 */
function compileArgs(
  { entry, embedded, output }: {
    readonly entry: string;
    readonly embedded: readonly string[];
    readonly output: string;
  },
): readonly string[] {
  return [
    "compile",
    "--quiet",
    "--no-check",
    "--no-code-cache",
    "--no-config",
    "--allow-all",
    ...embedded.flatMap((path) => ["--include", path]),
    "--output",
    output,
    entry,
  ];
}

async function run(
  program: string,
  args: readonly string[],
): Promise<Deno.CommandOutput> {
  return await new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    signal: AbortSignal.timeout(COMPILE_TIMEOUT_MS),
  }).output();
}

function must({ success, stderr }: Deno.CommandOutput): void {
  if (!success) throw new Error(textOf(stderr));
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function kB(byteCount: number): string {
  return `${
    (byteCount / 1000).toLocaleString("en", { maximumFractionDigits: 1 })
  } kB`;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exit(await compile());
