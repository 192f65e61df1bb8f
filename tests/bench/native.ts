/**
 * The benchmark's own small C programs, made where they are needed: what they
 * measure would drown in a larger runtime.
 *
 * @module
 */

import type { Package } from "../packages.ts";

/** What a part needs that compiles a program; gcc alone does too. */
export const C_COMPILER: Package = {
  name: "musl-tools",
  why: "a C compiler for what it measures with",
  probe: "cc",
};

/** Debian's musl-tools wraps gcc: a static program of a few kB. */
const COMPILERS = [
  ["musl-gcc", "-static"],
  ["cc"],
] as const;

/**
 * Compiles a program of this folder.
 *
 * @param name Its source's name, without `.c`.
 * @param dir Where the program is put.
 * @returns Its path.
 * @throws {Error} When there is no compiler, or it fails.
 */
export async function compileNative(
  name: string,
  dir: string,
): Promise<string> {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  const output = `${dir}/bench-${name}`;
  for (const [compiler, ...flags] of COMPILERS) {
    const args = ["-std=c11", "-O2", "-Wall", "-Wextra", ...flags];
    try {
      const { success, stderr } = await new Deno.Command(compiler, {
        args: [...args, "-o", output, source],
      }).output();
      if (success) return output;
      throw new Error(`${compiler}: ${new TextDecoder().decode(stderr)}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(
    "Cannot measure without a C compiler: install musl-tools (Debian) or gcc",
  );
}
