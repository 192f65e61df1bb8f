/**
 * The pool's memory on disk: `node:sqlite` in WAL mode, every commit synced.
 *
 * It knows records and transactions, nothing of what they mean. People may
 * read it while the daemon runs (`sqlite3 -readonly`); a second daemon may
 * not: it is kept out by a lock on a file beside it.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { PoolError } from "./error.ts";
import { type JournalLock, lockJournal } from "./journal_lock.ts";
import {
  APPLICATION_ID,
  MIGRATIONS,
  SCHEMA,
  SCHEMA_VERSION,
} from "./journal_schema.ts";
import { readSnapshot, type Row, writer } from "./journal_rows.ts";
import type { Change, Snapshot } from "./record.ts";

/** The pool's memory. */
export interface Journal extends Disposable {
  /**
   * Reads everything.
   *
   * @throws {PoolError} `journal` when it can't be read.
   */
  load(): Snapshot;
  /**
   * Writes all of a change or nothing of it; on disk when it returns.
   *
   * @throws {PoolError} `journal` when it can't be written.
   */
  commit(change: Change): void;
  /** Writes what is outstanding, closes the file and gives up the lock. */
  close(): void;
}

/**
 * Opens a node's journal, or begins one.
 *
 * Effects: makes the file (mode 0600), and `.lock`, `-wal` and `-shm` beside
 * it. The folder must exist.
 *
 * @param path A file, or `:memory:`.
 * @param options The cloud's id of the instance that the journal is of.
 * @returns The journal.
 * @throws {PoolError} `journal` when another process has it, it is no journal,
 * of another version, of another instance or damaged, or the disk refuses.
 */
export function openJournal(
  path: string,
  options: { readonly instanceId: string },
): Journal {
  const lock = path === ":memory:" ? undefined : lockJournal(path);
  try {
    const database = openDatabase(path, options.instanceId);
    return new SqliteJournal(path, database, lock);
  } catch (error) {
    lock?.release();
    throw refusal(path, "open", error);
  }
}

class SqliteJournal implements Journal {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #lock: JournalLock | undefined;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #write: (change: Change) => void;
  #open = true;

  constructor(
    path: string,
    database: DatabaseSync,
    lock: JournalLock | undefined,
  ) {
    this.#path = path;
    this.#database = database;
    this.#lock = lock;
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#write = writer(database);
  }

  load(): Snapshot {
    try {
      return readSnapshot(this.#database);
    } catch (error) {
      throw refusal(this.#path, "read", error);
    }
  }

  commit(change: Change): void {
    try {
      this.#begin.run();
      this.#write(change);
      this.#commit.run();
    } catch (error) {
      this.#rollback();
      throw refusal(this.#path, "write", error);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#database.close();
    } finally {
      this.#lock?.release();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #rollback(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself on a full disk; there is nothing left to undo.
    }
  }
}

function openDatabase(path: string, instanceId: string): DatabaseSync {
  const isNew = path === ":memory:" || !hasContent(path);
  if (!isNew) checkHeader(path);
  const database = new DatabaseSync(path);
  try {
    // `synchronous` FULL: a lease that was told to a runtime must survive a power cut.
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" +
        "PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000;" +
        "PRAGMA journal_size_limit = 4194304",
    );
    if (pragma(database, "user_version") === 0 && isEmpty(database)) {
      begin(database, instanceId);
    }
    migrate(database);
    check(path, database, instanceId);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function begin(database: DatabaseSync, instanceId: string): void {
  database.exec(
    `BEGIN IMMEDIATE; ${SCHEMA}; PRAGMA application_id = ${APPLICATION_ID};` +
      `PRAGMA user_version = ${SCHEMA_VERSION}`,
  );
  database.prepare("INSERT INTO meta (instance_id) VALUES (?)").run(instanceId);
  database.exec("COMMIT");
}

/** Brings a journal of an older terway up to this version, step by step. */
function migrate(database: DatabaseSync): void {
  if (pragma(database, "application_id") !== APPLICATION_ID) return;
  for (;;) {
    const version = Number(pragma(database, "user_version"));
    const change = MIGRATIONS[version];
    if (change === undefined) return;
    database.exec(
      `BEGIN IMMEDIATE; ${change}; PRAGMA user_version = ${
        version + 1
      }; COMMIT`,
    );
  }
}

function check(path: string, database: DatabaseSync, instanceId: string): void {
  if (pragma(database, "application_id") !== APPLICATION_ID) {
    throw refused(path, "it is a database of another program");
  }
  const version = pragma(database, "user_version");
  if (version !== SCHEMA_VERSION) {
    throw refused(
      path,
      `its schema is version ${version} and this terway knows version ${SCHEMA_VERSION}: run the version that wrote it, or drain the node with that first`,
    );
  }
  const [damage] = database.prepare("PRAGMA quick_check(1)").all() as Row[];
  if (damage?.quick_check !== "ok") {
    throw refused(path, `it is damaged (${damage?.quick_check}): ${REBUILD}`);
  }
  const [meta] = database.prepare("SELECT instance_id FROM meta")
    .all() as Row[];
  if (meta?.instance_id !== instanceId) {
    throw refused(
      path,
      `it is of instance ${meta?.instance_id} and this is ${instanceId}: move it away if the disk was copied from there`,
    );
  }
}

function hasContent(path: string): boolean {
  // Made here and not by SQLite, so that nobody else may read who runs where.
  using file = Deno.openSync(path, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  return file.statSync().size > 0;
}

/** Source: sqlite.org/fileformat.html, 1.3.1, "Magic Header String". */
const MAGIC = "SQLite format 3\0";

function checkHeader(path: string): void {
  using file = Deno.openSync(path);
  const head = new Uint8Array(MAGIC.length);
  const count = file.readSync(head) ?? 0;
  if (new TextDecoder().decode(head.subarray(0, count)) !== MAGIC) {
    throw refused(path, `it is no SQLite database: ${REBUILD}`);
  }
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").all()
    .length === 0;
}

function pragma(database: DatabaseSync, name: string): unknown {
  const row = database.prepare(`PRAGMA ${name}`).get() as Row | undefined;
  return row?.[name];
}

function refused(path: string, cause: string): PoolError {
  return new PoolError(
    "journal",
    `Cannot open the journal ${path} as ${cause}`,
  );
}

/** What a person can do about a journal that can't be read. */
const REBUILD =
  "move it away, with its -wal and -shm, and the next daemon rebuilds it from cloud, kernel and pods";

/** What to do about SQLite's primary result codes. Source: sqlite.org/rescode.html. */
const REMEDIES: Readonly<Record<number, string>> = {
  5: "another program is writing to it",
  8: "it may only be read",
  10: "the disk fails",
  11: `it is damaged: ${REBUILD}`,
  13: "the disk is full: free some space",
  14: "its folder is missing or may not be written to",
  26: `it is no SQLite database: ${REBUILD}`,
};

function refusal(path: string, verb: string, cause: unknown): PoolError {
  if (cause instanceof PoolError) return cause;
  const code = (cause as { errcode?: number }).errcode;
  const text = (cause as Error).message;
  const remedy = code === undefined ? undefined : REMEDIES[code & 0xff];
  return new PoolError(
    "journal",
    `Cannot ${verb} the journal ${path} as ${
      remedy === undefined ? text : `${remedy} (${text})`
    }`,
    { cause },
  );
}
