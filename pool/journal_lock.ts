/**
 * Keeps a second daemon away from a journal.
 *
 * The lock (flock) is on a file beside the journal, so that `sqlite3` can read
 * the journal itself; the kernel gives it up when the process dies.
 *
 * @module
 */
import { PoolError } from "./error.ts";

/** A lock that this process has. */
export interface JournalLock {
  /** Gives it up. */
  release(): void;
}

/**
 * Takes the lock of a journal.
 *
 * Effects: makes `<path>.lock` and leaves it, with our process id in it.
 *
 * @param path The journal's path.
 * @returns The lock.
 * @throws {PoolError} `journal` when another process has it, or the file
 * can't be made.
 */
export function lockJournal(path: string): JournalLock {
  const lockPath = `${path}.lock`;
  const file = open(lockPath, path);
  const exclusive = true;
  if (!file.tryLockSync(exclusive)) {
    file.close();
    const pid = Deno.readTextFileSync(lockPath).trim();
    throw new PoolError(
      "journal",
      `Cannot open the journal ${path} as process ${pid} has it: two daemons can't share a node; stop that one first`,
    );
  }
  file.truncateSync();
  file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  return { release: () => file.close() };
}

function open(lockPath: string, path: string): Deno.FsFile {
  try {
    return Deno.openSync(lockPath, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
  } catch (cause) {
    throw new PoolError(
      "journal",
      `Cannot open the journal ${path} as its lock can't be made: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}
