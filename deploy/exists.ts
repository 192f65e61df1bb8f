/**
 * Whether a file is there.
 *
 * @module
 */

/**
 * Looks for a file, folder or link, which may lead nowhere.
 *
 * @param path Its path.
 * @returns True when it is there.
 * @throws {Error} When nobody can tell, as a folder above it can't be read.
 */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
