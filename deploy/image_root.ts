/**
 * The root folder of an image, made of this machine's programs with the
 * libraries that each needs.
 *
 * @module
 */
import { dirname } from "node:path";
import { exists } from "./exists.ts";

/**
 * Copies programs or libraries to the same path under a root, with all the
 * libraries that they load.
 *
 * @param root The root.
 * @param paths Absolute paths of this machine; links are followed.
 */
export async function putWithLibraries(
  root: string,
  paths: readonly string[],
): Promise<void> {
  for (const path of paths) {
    await put(root, path);
    for (const library of await librariesOf(path)) await put(root, library);
  }
}

/**
 * Copies a file to the same path under a root.
 *
 * @param root The root.
 * @param path An absolute path of this machine; a link is followed.
 */
async function put(root: string, path: string): Promise<void> {
  const target = root + path;
  if (await exists(target)) return;
  await Deno.mkdir(dirname(target), { recursive: true });
  await Deno.copyFile(path, target);
}

/**
 * Finds the libraries that a program loads, by `ldd`.
 *
 * @param path The program.
 * @returns Their paths; a static program has none.
 */
export async function librariesOf(path: string): Promise<readonly string[]> {
  const { stdout } = await new Deno.Command("ldd", {
    args: [path],
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  return [...text.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)]
    .map(([, library = ""]) => library);
}

/**
 * Writes a file under a root.
 *
 * @param root The root.
 * @param path Its absolute path there.
 * @param file What is in it, and who may do what.
 */
export async function write(
  root: string,
  path: string,
  file: { readonly text: string; readonly mode?: number },
): Promise<void> {
  const { text, mode = 0o644 } = file;
  await Deno.mkdir(dirname(root + path), { recursive: true });
  await Deno.writeTextFile(root + path, text);
  await Deno.chmod(root + path, mode);
}
