/**
 * What happened to the pods of a node, for whoever asks later: a ring on disk,
 * bounded by pods and by deeds a pod.
 *
 * Deliberately not the journal: nothing depends on it, so it is written late
 * and not synced, it may be deleted at any time, and one that can't be read or
 * written costs its lines and no pod.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** A pod's interface, as far as a history has to know it. */
export interface Subject {
  /** `network/containerId/ifName`. */
  readonly ownerKey: string;
  /** `namespace/name` of the pod, when the runtime said it. */
  readonly pod?: string;
  /** The path of its namespace. */
  readonly netns?: string;
}

/** Something that happened, once or several times in a row. */
export interface Deed {
  /** What, such as `leased` or `CHECK`. */
  readonly what: string;
  /** More of it, for people. */
  readonly detail: string;
  /** When it happened first. */
  readonly firstMs: number;
  /** When it happened last. */
  readonly lastMs: number;
  /** How often. */
  readonly count: number;
}

/** A ring of what happened. */
export interface History extends Disposable {
  /**
   * Notes something, at this moment. Never throws.
   *
   * @param subject Whom it happened to; the pod needs to be told once.
   * @param what What, in a word.
   * @param detail More of it.
   */
  note(subject: Subject, what: string, detail?: string): void;
  /**
   * Gives an owner's deeds.
   *
   * @param ownerKey Whose.
   * @returns In order; empty when nothing is known.
   */
  deeds(ownerKey: string): readonly Deed[];
  /**
   * Gives whom anything is known of.
   *
   * @returns The subjects, the latest first.
   */
  subjects(): readonly Subject[];
}

/** How much is kept, and when it is written. */
export interface HistoryOptions {
  /** Tells the time. */
  readonly nowMs: () => number;
  /** Told of the first failure, and of a failure after things went well. */
  readonly onFailure: (error: unknown) => void;
  /**
   * How many subjects are remembered; the oldest goes first.
   *
   * @default {512}
   */
  readonly subjectLimit?: number;
  /**
   * How many deeds of one subject are remembered.
   *
   * @default {32}
   */
  readonly deedLimit?: number;
}

/** A pod's deeds come in groups: they are written together. */
const FLUSH_MS = 1_000;

/** More of a text tells a reader nothing. */
const DETAIL_LIMIT = 500;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS subject (
  owner   TEXT PRIMARY KEY,
  pod     TEXT,
  netns   TEXT,
  last_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS subject_by_time ON subject (last_ms);
CREATE TABLE IF NOT EXISTS deed (
  number   INTEGER PRIMARY KEY,
  owner    TEXT NOT NULL REFERENCES subject (owner) ON DELETE CASCADE,
  what     TEXT NOT NULL,
  detail   TEXT NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL,
  count    INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS deed_by_owner ON deed (owner, number)`;

/**
 * Opens a node's history, or begins one. A file that is no history is moved
 * aside to `….broken`.
 *
 * Effects: makes the file (mode 0600), and `-wal` and `-shm` beside it.
 *
 * @param path A file, or `:memory:`.
 * @param options See {@linkcode HistoryOptions}.
 * @returns The history; one in memory when there can be none on disk.
 */
export function openHistory(path: string, options: HistoryOptions): History {
  for (const attempt of ["read", "anew"]) {
    try {
      return new SqliteHistory(openDatabase(path), options);
    } catch (error) {
      options.onFailure(error);
      if (attempt === "read") setAside(path);
    }
  }
  return new SqliteHistory(openDatabase(":memory:"), options);
}

interface Noted extends Subject {
  readonly what: string;
  readonly detail: string;
  readonly atMs: number;
}

class SqliteHistory implements History {
  readonly #database: DatabaseSync;
  readonly #options: Required<HistoryOptions>;
  readonly #statements: Statements;
  #noted: Noted[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasFailed = false;

  constructor(database: DatabaseSync, options: HistoryOptions) {
    this.#database = database;
    this.#options = { subjectLimit: 512, deedLimit: 32, ...options };
    this.#statements = prepare(database);
  }

  note(subject: Subject, what: string, detail = ""): void {
    this.#noted.push({
      ...subject,
      what,
      detail: detail.slice(0, DETAIL_LIMIT),
      atMs: this.#options.nowMs(),
    });
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
    // A process that ends writes it by itself.
    Deno.unrefTimer(this.#timer);
    if (this.#noted.length >= 1024) this.#flush();
  }

  deeds(ownerKey: string): readonly Deed[] {
    return this.#read(() =>
      this.#statements.deeds.all(ownerKey).map((row) => ({
        what: String(row["what"]),
        detail: String(row["detail"]),
        firstMs: Number(row["first_ms"]),
        lastMs: Number(row["last_ms"]),
        count: Number(row["count"]),
      }))
    );
  }

  subjects(): readonly Subject[] {
    return this.#read(() =>
      this.#statements.subjects.all().map((row) => ({
        ownerKey: String(row["owner"]),
        ...row["pod"] !== null && { pod: String(row["pod"]) },
        ...row["netns"] !== null && { netns: String(row["netns"]) },
      }))
    );
  }

  [Symbol.dispose](): void {
    this.#flush();
    this.#database.close();
  }

  #read<T>(read: () => readonly T[]): readonly T[] {
    this.#flush();
    try {
      return read();
    } catch (error) {
      this.#failed(error);
      return [];
    }
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const noted = this.#noted;
    this.#noted = [];
    if (noted.length === 0) return;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const one of noted) this.#write(one);
      this.#statements.trimSubjects.run(this.#options.subjectLimit);
      this.#database.exec("COMMIT");
      this.#hasFailed = false;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      this.#failed(error);
    }
  }

  #write({ ownerKey, pod, netns, what, detail, atMs }: Noted): void {
    const { putSubject, last, repeat, putDeed, trimDeeds } = this.#statements;
    putSubject.run(ownerKey, pod ?? null, netns ?? null, atMs);
    const before = last.get(ownerKey);
    if (before?.["what"] === what && before["detail"] === detail) {
      repeat.run(atMs, before["number"] ?? 0);
      return;
    }
    putDeed.run(ownerKey, what, detail, atMs, atMs);
    trimDeeds.run(ownerKey, ownerKey, this.#options.deedLimit);
  }

  #failed(error: unknown): void {
    if (!this.#hasFailed) this.#options.onFailure(error);
    this.#hasFailed = true;
  }
}

type Statements = Readonly<
  Record<
    | "putSubject"
    | "putDeed"
    | "repeat"
    | "last"
    | "trimDeeds"
    | "trimSubjects"
    | "deeds"
    | "subjects",
    StatementSync
  >
>;

function prepare(database: DatabaseSync): Statements {
  return {
    putSubject: database.prepare(
      `INSERT INTO subject (owner, pod, netns, last_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (owner) DO UPDATE SET pod = ifnull(excluded.pod, pod),
         netns = ifnull(excluded.netns, netns), last_ms = excluded.last_ms`,
    ),
    putDeed: database.prepare(
      `INSERT INTO deed (owner, what, detail, first_ms, last_ms, count)
       VALUES (?, ?, ?, ?, ?, 1)`,
    ),
    repeat: database.prepare(
      "UPDATE deed SET last_ms = ?, count = count + 1 WHERE number = ?",
    ),
    last: database.prepare(
      "SELECT * FROM deed WHERE owner = ? ORDER BY number DESC LIMIT 1",
    ),
    trimDeeds: database.prepare(
      `DELETE FROM deed WHERE owner = ? AND number NOT IN (
         SELECT number FROM deed WHERE owner = ?
         ORDER BY number DESC LIMIT ?)`,
    ),
    trimSubjects: database.prepare(
      `DELETE FROM subject WHERE owner IN (
         SELECT owner FROM subject ORDER BY last_ms DESC LIMIT -1 OFFSET ?)`,
    ),
    deeds: database.prepare(
      "SELECT * FROM deed WHERE owner = ? ORDER BY number",
    ),
    subjects: database.prepare("SELECT * FROM subject ORDER BY last_ms DESC"),
  };
}

function openDatabase(path: string): DatabaseSync {
  if (path !== ":memory:") {
    // Made here and not by SQLite, so that nobody else may read who ran where.
    Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
  }
  const database = new DatabaseSync(path);
  try {
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" +
        "PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 200;" +
        `PRAGMA journal_size_limit = 1048576; ${SCHEMA}`,
    );
    // The columns, too, are as they are here.
    prepare(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function setAside(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      Deno.renameSync(path + suffix, `${path}.broken${suffix}`);
    } catch {
      // It isn't there, or can't be moved: memory has to do then.
    }
  }
}
