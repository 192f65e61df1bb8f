/**
 * Journals as older versions made them.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID } from "../journal_schema.ts";

/** The tables of version 2, word for word; version 1 lacks `adopted`. */
const SECOND = `
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

/** A card with two addresses, one of them leased. */
const ROWS = `
INSERT INTO meta (instance_id) VALUES ('i-1');
INSERT INTO eni (key, phase, since_ms, vswitch_id, subnet, ip_count,
    security_groups, eni_id, mac, zone, primary_ip, assign_token, assign_count)
  VALUES ('key-1', 'ready', 7, 'vsw-a', '10.0.0.0/16', 2, '["sg-a"]', 'eni-1',
    '00:16:3e:00:00:01', 'zone-a', '10.0.0.1', 'token-1', 3);
INSERT INTO slot (eni_key, ip, kind, at_ms)
  VALUES ('key-1', '10.0.0.1', 'leased', 0), ('key-1', '10.0.0.2', 'idle', 9);
INSERT INTO lease (owner, eni_key, eni_id, ip, recipe, attachment, at_ms)
  VALUES ('terway/c1/eth0', 'key-1', 'eni-1', '10.0.0.1', 'veth/1', '{}', 8)`;

/**
 * Writes a journal of instance `i-1` as an older version did.
 *
 * @param path A file, which must not exist or be empty.
 * @param version Which.
 */
export function writeOldJournal(path: string, version: 1 | 2): void {
  using database = new DatabaseSync(path);
  database.exec(
    `BEGIN; ${SECOND}; ${ROWS}; PRAGMA application_id = ${APPLICATION_ID};` +
      `PRAGMA user_version = ${version}; COMMIT`,
  );
  if (version === 1) database.exec("ALTER TABLE eni DROP COLUMN adopted");
}
