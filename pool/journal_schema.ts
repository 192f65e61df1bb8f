/**
 * The journal's tables. A change of them raises the version.
 *
 * @module
 */

/** Marks the file as ours: "terw". */
export const APPLICATION_ID = 0x74657277;

/** Written as `user_version`. */
export const SCHEMA_VERSION = 2;

/** What makes a journal of a version one of the next. */
export const MIGRATIONS: Readonly<Record<number, string>> = {
  1: "ALTER TABLE eni ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1))",
};

/**
 * The tables. Their checks restate invariants, so that a wrong write fails
 * instead of being believed after a restart: an address has one lease at most,
 * and a card can't go while one of its addresses is leased.
 */
export const SCHEMA = `
CREATE TABLE meta (
  only_row    INTEGER PRIMARY KEY CHECK (only_row = 1) DEFAULT 1,
  instance_id TEXT NOT NULL
) STRICT;
CREATE TABLE eni (
  number          INTEGER PRIMARY KEY,
  key             TEXT NOT NULL UNIQUE,
  phase           TEXT NOT NULL CHECK (phase IN (
    'creating', 'seeking', 'created', 'attaching', 'preparing', 'ready',
    'retiring', 'retired', 'detaching', 'deleting')),
  since_ms        INTEGER NOT NULL,
  vswitch_id      TEXT NOT NULL,
  subnet          TEXT NOT NULL,
  ip_count        INTEGER NOT NULL CHECK (ip_count > 0),
  security_groups TEXT NOT NULL CHECK (json_valid(security_groups)),
  eni_id          TEXT UNIQUE,
  mac             TEXT,
  zone            TEXT,
  primary_ip      TEXT,
  assign_token    TEXT,
  assign_count    INTEGER,
  adopted         INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1)),
  CHECK ((eni_id IS NULL) = (phase IN ('creating', 'seeking'))),
  CHECK ((eni_id IS NULL) = (mac IS NULL)),
  CHECK ((eni_id IS NULL) = (zone IS NULL)),
  CHECK ((eni_id IS NULL) = (primary_ip IS NULL)),
  CHECK ((assign_token IS NULL) = (assign_count IS NULL))
) STRICT;
CREATE TABLE slot (
  number  INTEGER PRIMARY KEY,
  eni_key TEXT NOT NULL REFERENCES eni (key) ON DELETE CASCADE
          DEFERRABLE INITIALLY DEFERRED,
  ip      TEXT NOT NULL,
  kind    TEXT NOT NULL CHECK (kind IN (
    'idle', 'leased', 'cooling', 'unassigning', 'quarantined')),
  at_ms   INTEGER NOT NULL,
  UNIQUE (eni_key, ip)
) STRICT;
CREATE TABLE lease (
  owner      TEXT PRIMARY KEY,
  eni_key    TEXT NOT NULL,
  eni_id     TEXT NOT NULL,
  ip         TEXT NOT NULL UNIQUE,
  recipe     TEXT NOT NULL,
  attachment TEXT NOT NULL CHECK (json_valid(attachment)),
  at_ms      INTEGER NOT NULL,
  FOREIGN KEY (eni_key, ip) REFERENCES slot (eni_key, ip)
    DEFERRABLE INITIALLY DEFERRED
) STRICT`;
