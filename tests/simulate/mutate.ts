/**
 * Makes a mistake in a copy of the code, and lets the simulation look for it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Edit, Mutant } from "./mutants.ts";

const ROOT: string = new URL("../../", import.meta.url).pathname;

/** What the simulation needs of the repository. */
const NEEDED = [
  "deno.json",
  "deno.lock",
  "deploy/links",
  "netns/ip.ts",
  "pool",
  "tests/emulators",
  "tests/simulate",
];

/** Seeds that are tried; most mistakes are found by one of the first. */
const SEED_COUNT = 400;

/** What became of a mistake. */
export interface Found {
  /** Whether a promise was broken. */
  readonly isFound: boolean;
  /** The last lines that were printed. */
  readonly said: string;
}

/** A copy of the code, in which one mistake is made after another. */
export class Copy implements AsyncDisposable {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Copies the code.
   *
   * @returns The copy.
   */
  static async make(): Promise<Copy> {
    const dir = await Deno.makeTempDir({ prefix: "terway-mutants-" });
    for (const path of NEEDED) await copy(path, dir);
    return new Copy(dir);
  }

  /**
   * Makes a mistake, looks for it, and mends it.
   *
   * @param mutant The mistake.
   * @returns Whether it was found.
   */
  async try(mutant: Mutant): Promise<Found> {
    const before = new Map<string, string>();
    for (const edit of mutant.edits) {
      const path = join(this.#dir, edit.file);
      const text = await Deno.readTextFile(path);
      if (!before.has(path)) before.set(path, text);
      await Deno.writeTextFile(path, edited(text, edit));
    }
    try {
      return await this.#run(mutant.scenario);
    } finally {
      for (const [path, text] of before) await Deno.writeTextFile(path, text);
    }
  }

  /** Removes the copy. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #run(scenario: string | undefined): Promise<Found> {
    const words = scenario === undefined
      ? ["--count", `${SEED_COUNT}`, "--steps", "100", "--no-shrink"]
      : ["--crash-points", "--scenario", scenario];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "tests/simulate/main.ts", ...words],
      cwd: this.#dir,
    }).output();
    const decoder = new TextDecoder();
    const said = decoder.decode(stdout).trim();
    // A copy that can't run at all has found nothing.
    if (code !== 0 && code !== 1) throw new Error(decoder.decode(stderr));
    return { isFound: code === 1 && /broken: /.test(said), said };
  }
}

/**
 * Changes a text.
 *
 * @param text The text.
 * @param edit The change.
 * @returns The text after it.
 * @throws {Error} When what it replaces isn't there exactly once.
 */
export function edited(text: string, edit: Edit): string {
  const parts = text.split(edit.from);
  if (parts.length !== 2) {
    throw new Error(
      `Cannot change ${edit.file} as this must stand there once: it does ${
        parts.length - 1
      } times: ${edit.from}`,
    );
  }
  return parts.join(edit.to);
}

async function copy(path: string, dir: string): Promise<void> {
  const from = join(ROOT, path);
  const to = join(dir, path);
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(from, to);
    return;
  }
  for await (const { name } of Deno.readDir(from)) {
    await copy(join(path, name), dir);
  }
}
