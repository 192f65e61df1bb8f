/**
 * The journal's tables. A change of them raises the version.
 *
 * @module
 */

/** Marks the file as ours: "terw". */
export const APPLICATION_ID = 0x74657277;

/** Written as `user_version`. */
export const SCHEMA_VERSION = 6;

/** Leases; an IPv6 address has one at most, too. */
const LEASE = `
CREATE TABLE lease (
  owner      TEXT PRIMARY KEY,
  eni_key    TEXT NOT NULL,
  eni_id     TEXT NOT NULL,
  ip         TEXT NOT NULL UNIQUE,
  recipe     TEXT NOT NULL,
  attachment TEXT NOT NULL CHECK (json_valid(attachment)),
  at_ms      INTEGER NOT NULL,
  ip6        TEXT,
  FOREIGN KEY (eni_key, ip) REFERENCES slot (eni_key, ip)
    DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (eni_key, ip6) REFERENCES slot (eni_key, ip)
    DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX lease_ip6 ON lease (ip6)`;

/** What makes a journal of a version one of the next. */
export const MIGRATIONS: Readonly<Record<number, string>> = {
  1: "ALTER TABLE eni ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1))",
  2: `
ALTER TABLE eni ADD COLUMN ip6_count INTEGER NOT NULL DEFAULT 0 CHECK (ip6_count >= 0);
ALTER TABLE eni ADD COLUMN subnet6 TEXT;
ALTER TABLE eni ADD COLUMN assign_family INTEGER NOT NULL DEFAULT 4 CHECK (assign_family IN (4, 6));
ALTER TABLE lease RENAME TO lease_2;
${LEASE};
INSERT INTO lease (owner, eni_key, eni_id, ip, recipe, attachment, at_ms)
  SELECT owner, eni_key, eni_id, ip, recipe, attachment, at_ms
  FROM lease_2 ORDER BY rowid;
DROP TABLE lease_2`,
  3: `
ALTER TABLE eni ADD COLUMN prefix_count INTEGER NOT NULL DEFAULT 0 CHECK (prefix_count >= 0);
ALTER TABLE eni ADD COLUMN prefixes TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(prefixes));
ALTER TABLE eni ADD COLUMN assign_prefixes INTEGER NOT NULL DEFAULT 0 CHECK (assign_prefixes IN (0, 1))`,
  4: "ALTER TABLE eni ADD COLUMN trunk INTEGER NOT NULL DEFAULT 0 CHECK (trunk IN (0, 1))",
  5: `
ALTER TABLE eni ADD COLUMN prefix6_count INTEGER NOT NULL DEFAULT 0 CHECK (prefix6_count >= 0)`,
};

/**
 * The tables. Their checks restate invariants, so that a wrong write fails
 * instead of being believed after a restart: an address has one lease at most,
 * and a card can't go while one of its addresses is leased.
 */
export const SCHEMA: string = `
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
  ip6_count       INTEGER NOT NULL DEFAULT 0 CHECK (ip6_count >= 0),
  subnet6         TEXT,
  assign_family   INTEGER NOT NULL DEFAULT 4 CHECK (assign_family IN (4, 6)),
  prefix_count    INTEGER NOT NULL DEFAULT 0 CHECK (prefix_count >= 0),
  prefixes        TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(prefixes)),
  assign_prefixes INTEGER NOT NULL DEFAULT 0 CHECK (assign_prefixes IN (0, 1)),
  trunk           INTEGER NOT NULL DEFAULT 0 CHECK (trunk IN (0, 1)),
  prefix6_count   INTEGER NOT NULL DEFAULT 0 CHECK (prefix6_count >= 0),
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
${LEASE}`;
