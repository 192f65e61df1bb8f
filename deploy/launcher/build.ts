/**
 * Builds the launcher, where a C compiler and musl are.
 *
 * A build is kept outside the repository under its sources' hash, so that it
 * is made once.
 *
 * @module
 */
import { exists } from "../exists.ts";

/** What a launcher may weigh. */
const LIMIT_BYTES = 64 * 1024;

const SOURCES = ["launcher.c", "tombstone.c", "tombstone.h"] as const;

const FLAGS = "-std=c11 -Os -static -s -Wall -Wextra -Werror".split(" ");

/** Debian's musl-tools wraps the native gcc; Alpine's cc is musl's already. */
const COMPILERS = ["musl-gcc", "cc"] as const;

/** A launcher, or why there is none. */
export type Build =
  | {
    /** There is one. */
    readonly ok: true;
    /** The program. */
    readonly path: string;
  }
  | {
    /** There is none. */
    readonly ok: false;
    /** Why, and what to install. */
    readonly reason: string;
  };

/**
 * Builds the launcher for this machine's architecture.
 *
 * Effects: writes to the cache folder ($XDG_CACHE_HOME/terway).
 *
 * @returns The program, or why there is none: only for want of a compiler.
 * @throws {Error} When there is a compiler, and it fails.
 */
export async function buildLauncher(): Promise<Build> {
  const compiler = await findCompiler();
  if (compiler === undefined) {
    return {
      ok: false,
      reason: "no launcher without musl-gcc (Debian: musl-tools) or a musl cc",
    };
  }
  const folder = `${cacheFolder()}/launcher-${await hashSources(compiler)}`;
  const path = `${folder}/terway-launcher`;
  if (await exists(path)) return { ok: true, path };
  await Deno.mkdir(folder, { recursive: true });
  // Unique in this process too: two nodes of a stage build at the same time.
  const draft = `${path}.${crypto.randomUUID()}`;
  await compile(compiler, draft);
  const { size } = await Deno.stat(draft);
  if (size >= LIMIT_BYTES) {
    throw new Error(`A launcher has less than ${LIMIT_BYTES} bytes: ${size}`);
  }
  await Deno.rename(draft, path);
  return { ok: true, path };
}

/**
 * The folder for what is built and can be built again.
 *
 * @returns An absolute path.
 * @throws {Error} When the environment names none.
 */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME");
  const base = Deno.env.get("XDG_CACHE_HOME") ??
    (home === undefined ? undefined : `${home}/.cache`);
  if (base === undefined) {
    throw new Error(
      "Cannot keep a build as neither HOME nor XDG_CACHE_HOME is set",
    );
  }
  return `${base}/terway`;
}

async function compile(compiler: string, output: string): Promise<void> {
  const inputs = SOURCES.filter((name) => name.endsWith(".c")).map(sourcePath);
  const { success, stderr } = await new Deno.Command(compiler, {
    args: [...FLAGS, "-o", output, ...inputs],
  }).output();
  if (success) return;
  throw new Error(`${compiler}: ${new TextDecoder().decode(stderr)}`);
}

/** A `cc` that isn't musl's makes a program of 700 kB: it doesn't count. */
async function findCompiler(): Promise<string | undefined> {
  for (const compiler of COMPILERS) {
    try {
      const { stdout } = await new Deno.Command(compiler, {
        args: ["-dumpmachine"],
      }).output();
      const machine = new TextDecoder().decode(stdout);
      if (compiler === "musl-gcc" || machine.includes("musl")) return compiler;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function hashSources(compiler: string): Promise<string> {
  const texts = await Promise.all(
    SOURCES.map((name) => Deno.readTextFile(sourcePath(name))),
  );
  const whole = [Deno.build.arch, compiler, ...FLAGS, ...texts].join("\0");
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(whole),
  );
  return new Uint8Array(digest).toHex().slice(0, 16);
}

function sourcePath(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
