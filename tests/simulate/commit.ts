/**
 * What chance follows from in CI: the commit, so that each tries other lives,
 * and the same commit always the same ones.
 *
 * @module
 */

/** A seed and where it is from. */
export interface CommitSeed {
  /** The commit's hash; `no commit` without git. */
  readonly name: string;
  /** Its first 32 bits. */
  readonly seed: number;
}

/** Without git, always the same. */
const FALLBACK: CommitSeed = { name: "no commit", seed: 2026 };

/**
 * Reads the commit.
 *
 * @returns The seed that it gives.
 */
export async function commitSeed(): Promise<CommitSeed> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["rev-parse", "HEAD"],
      cwd: new URL(".", import.meta.url),
      stderr: "null",
    }).output();
    const name = new TextDecoder().decode(stdout).trim();
    const seed = parseInt(name.slice(0, 8), 16);
    return success && Number.isSafeInteger(seed) ? { name, seed } : FALLBACK;
  } catch {
    return FALLBACK; // there is no git
  }
}

/** Set, nothing is left out: `deno task test --thorough` does so. */
export const THOROUGH = "TERWAY_TEST_THOROUGH";
