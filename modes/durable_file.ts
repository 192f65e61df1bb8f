/**
 * Files that must be on the disk before something else is done.
 *
 * @module
 */

/**
 * Writes a new file to the disk; whoever wants it whole or not at all names a
 * draft, and renames it.
 *
 * @param path The file, which mustn't be there.
 * @param bytes What is in it.
 * @param mode Who may do what, whatever the umask.
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  mode: number,
): Promise<void> {
  using file = await Deno.open(path, {
    ...{ write: true, createNew: true, mode: mode & 0o600 },
  });
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
  // Past the umask, which is the caller's.
  await Deno.chmod(path, mode);
  await file.sync();
}

/**
 * Sees to it that names in a folder are on the disk.
 *
 * @param path The folder.
 */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}

/**
 * Removes a file; that there is none is as good.
 *
 * @param path The file.
 */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Gives the folder that a file is in.
 *
 * @param path An absolute path.
 * @returns The folder.
 */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
