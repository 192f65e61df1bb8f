/**
 * The fabric's own small C programs, made where they are needed.
 *
 * @module
 */

/**
 * Compiles a program of this folder.
 *
 * @param name Its source's name, without `.c`.
 * @param dir Where the program is put.
 * @returns Its path.
 * @throws {Error} When there is no compiler (Debian: musl-tools), or it fails.
 */
export function compileHere(name: string, dir: string): string {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  const path = `${dir}/${name}`;
  const { success, stderr } = new Deno.Command("musl-gcc", {
    args: ["-O1", "-Wall", "-Wextra", "-static", "-o", path, source],
  }).outputSync();
  if (success) return path;
  throw new Error(`musl-gcc: ${new TextDecoder().decode(stderr)}`);
}
