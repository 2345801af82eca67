// The tables of the embedded store and how a file of an older version is brought forward. All are STRICT: SQLite itself
// refuses a value of the wrong type.

const open = "state IN ('queued', 'sending', 'applied')";

const ledger = `
-- due, since, channel and live are derived from the lane's rows in the transaction that changes them (lanes.ts).
CREATE TABLE lanes (
  lane TEXT NOT NULL UNIQUE,
  last INTEGER NOT NULL DEFAULT 0,   -- last seq given out
  fence INTEGER NOT NULL DEFAULT 0,
  beat INTEGER NOT NULL DEFAULT 0,
  free INTEGER NOT NULL DEFAULT 1,
  moved_to TEXT,
  due INTEGER,                       -- next of the head, the lowest open row; NULL = none is open
  since INTEGER,                     -- when the head was accepted
  channel TEXT,                      -- the head's channel
  live INTEGER NOT NULL DEFAULT 0    -- an open row of priority live is there, at any place
) STRICT;
CREATE INDEX lanes_due ON lanes (live, due, since, channel, lane) WHERE free = 1 AND due IS NOT NULL;
CREATE INDEX lanes_held ON lanes (lane) WHERE free = 0;

CREATE TABLE rows (
  id TEXT NOT NULL UNIQUE,
  lane TEXT NOT NULL,
  seq INTEGER NOT NULL,
  channel TEXT NOT NULL,
  system TEXT NOT NULL,
  type TEXT NOT NULL,
  record TEXT NOT NULL,
  kind TEXT NOT NULL,
  mark TEXT NOT NULL,
  priority TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  configuration TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued',
  next INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  waiting_since INTEGER NOT NULL DEFAULT 0,
  intent TEXT,                       -- JSON
  applied TEXT,                      -- JSON
  cause TEXT,
  grp TEXT,                          -- the problem's group
  problem TEXT,                      -- JSON
  ended_at INTEGER NOT NULL DEFAULT 0,
  blob TEXT,
  fence INTEGER NOT NULL DEFAULT 0   -- of the last holder that saw the row at the head
) STRICT;
CREATE UNIQUE INDEX rows_open ON rows (lane, seq) WHERE ${open};
CREATE INDEX rows_live ON rows (lane, priority) WHERE ${open};
CREATE INDEX rows_lane ON rows (lane, accepted_at, id);
CREATE INDEX rows_source ON rows (record, system, type, accepted_at, id);
CREATE INDEX rows_state ON rows (state, accepted_at, id);
CREATE INDEX rows_channel ON rows (channel, state, accepted_at, id, cause, grp);
CREATE INDEX rows_group ON rows (grp, accepted_at, id) WHERE grp IS NOT NULL;

CREATE TABLE observations (
  channel TEXT NOT NULL, system TEXT NOT NULL, type TEXT NOT NULL, record TEXT NOT NULL,
  n INTEGER NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (channel, system, type, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (id TEXT PRIMARY KEY, sealed TEXT NOT NULL) STRICT;`;

/** audit_keys is an index of our own over `audit.entries`: nothing that it holds is evidence, and verifying skips it. */
const audit = `
CREATE TABLE audit (
  n INTEGER PRIMARY KEY, batch TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, entries TEXT NOT NULL
) STRICT;
CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
INSERT INTO audit_head (one, n, hash) VALUES (1, 0, '');
CREATE TABLE audit_keys (key TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (key, n)) STRICT, WITHOUT ROWID;`;

const identity = `
CREATE TABLE records (
  system TEXT NOT NULL, type TEXT NOT NULL, record TEXT NOT NULL, person TEXT NOT NULL,
  PRIMARY KEY (system, type, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_person ON records (person);
CREATE TABLE links (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, fence INTEGER NOT NULL, seq INTEGER NOT NULL, link TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX links_person ON links (person);
CREATE TABLE link_records (
  system TEXT NOT NULL, type TEXT NOT NULL, record TEXT NOT NULL, link TEXT NOT NULL,
  PRIMARY KEY (system, type, record, link)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_records_link ON link_records (link);
CREATE TABLE link_history (
  no INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, link TEXT NOT NULL
) STRICT;
CREATE INDEX link_history_id ON link_history (id, no);`;

const registers = `
CREATE TABLE consents (
  system TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL,
  subject_system TEXT NOT NULL, subject_type TEXT NOT NULL, subject_id TEXT NOT NULL,
  sealed TEXT NOT NULL, gone INTEGER NOT NULL,
  PRIMARY KEY (system, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_subject ON consents (subject_system, subject_type, subject_id);
CREATE TABLE cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL, good_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE systems (
  system TEXT PRIMARY KEY, identity TEXT, paused_since INTEGER, paused_cause TEXT, paused_fix TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE configurations (hash TEXT PRIMARY KEY, configuration TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE activations (no INTEGER PRIMARY KEY, hash TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE person_keys (person TEXT PRIMARY KEY, wrapped TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pseudonyms (
  recipient TEXT NOT NULL, record TEXT NOT NULL, pseudonym TEXT NOT NULL, PRIMARY KEY (recipient, record)
) STRICT, WITHOUT ROWID;`;

/** Which rows of a feed travel together: the id of the row at their head. */
const batches = `
ALTER TABLE rows ADD COLUMN batch TEXT;
CREATE INDEX rows_batch ON rows (batch) WHERE batch IS NOT NULL;`;

/** What a channel's notices were last decided under; it was kept among the blobs. */
const decisions = `
CREATE TABLE decided_under (channel TEXT PRIMARY KEY, version TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO decided_under (channel, version)
  SELECT substr(id, length('decided-under:') + 1), sealed FROM blobs WHERE id LIKE 'decided-under:%';
DELETE FROM blobs WHERE id LIKE 'decided-under:%';`;

/** What other processes must hear of, and the states that they move by compare-and-swap. */
const shared = `
CREATE TABLE changes (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, ref TEXT NOT NULL) STRICT;
CREATE TABLE registers (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`;

/** Element i brings a file from version i (`PRAGMA user_version`) to i + 1. Never change one that was released. */
export const migrations: readonly string[] = [ledger + audit + identity + registers, batches, decisions, shared];
