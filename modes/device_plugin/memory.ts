/**
 * What was promised last, kept for the next process: pods that the kubelet
 * takes up between its start and the daemon's first answer would be refused.
 *
 * The file lies beside the daemon's socket, in a folder that a reboot empties.
 *
 * @module
 */

/** A promise, and whose it is. */
export interface Promised {
  /** The node's name. */
  readonly nodeName: string;
  /** How many ENIs. */
  readonly count: number;
}

/** More ENIs than any type has: a file that says more isn't ours. */
const COUNT_LIMIT = 1_000;

/**
 * Reads what was promised.
 *
 * @param path The file.
 * @param nodeName Whose promise.
 * @returns How many ENIs; undefined when there is no such promise.
 */
export async function recall(
  path: string,
  nodeName: string,
): Promise<number | undefined> {
  try {
    const { count, ...whose } = JSON.parse(await Deno.readTextFile(path));
    const isOurs = whose.nodeName === nodeName && Number.isInteger(count) &&
      count >= 0 && count <= COUNT_LIMIT;
    return isOurs ? count : undefined;
  } catch {
    // None is there, or it was cut short: the daemon will tell.
    return undefined;
  }
}

/**
 * Writes what is promised; the file is whole or as it was.
 *
 * @param path The file.
 * @param promised The promise.
 */
export async function remember(
  path: string,
  promised: Promised,
): Promise<void> {
  const draft = `${path}.draft`;
  await Deno.writeTextFile(draft, JSON.stringify(promised) + "\n", {
    mode: 0o600,
  });
  await Deno.rename(draft, path);
}
