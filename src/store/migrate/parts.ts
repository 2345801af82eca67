// What the two stores hold in common, part by part: a query of SQLite, and the documents that its rows become.
import { isEntry } from "../../audit/batch.ts";
import { SluiceError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { refKey } from "../../core/records.ts";
import type { RecordRef } from "../../core/records.ts";
import type { Change, Link } from "../../exchange/ports.ts";
import type { SqlRow } from "../embedded/database.ts";
import { integer, maybeText, text } from "../embedded/transaction.ts";
import { batchKind, headId, headKind } from "../mongo/audit-chain.ts";
import { changeKind, markId, markKind } from "../mongo/changes.ts";
import { consentKey, consentKind } from "../mongo/facts.ts";
import { historyKind, linkKind, recordKey, recordKind } from "../mongo/links.ts";
import { cursorKind, registerKind, systemKind } from "../mongo/registers.ts";
import { blobKind, personKeyKind, pseudonymKey, pseudonymKind } from "../mongo/sealed.ts";
import { activationId, activationKind, configurationKind, decidedKind } from "../mongo/versions.ts";
import { part, type Part } from "./copy.ts";
import { ledgerParts } from "./ledger-parts.ts";

/** Of a document that is moved by compare-and-swap from now on. */
const firstRev = 1;

function refOf(row: SqlRow, columns: readonly [string, string, string]): RecordRef {
  const [system, type, id] = columns;
  return { system: text(row, system), type: text(row, type), id: text(row, id) };
}

const records = part(recordKind, "SELECT system, type, record, person FROM records", (row) => {
  const ref = refOf(row, ["system", "type", "record"]);
  return { _id: recordKey(ref), ...ref, person: text(row, "person"), claim: "migrated" };
});

/** SQLite keeps the link as it stands as the last of its history, MongoDB only what it was before. */
const historySql = `SELECT id, at, link, rev FROM (
  SELECT id, at, link, row_number() OVER one AS rev, lead(no) OVER one AS later
  FROM link_history WINDOW one AS (PARTITION BY id ORDER BY no)) WHERE later IS NOT NULL`;

const history = part(historyKind, historySql, (row) => {
  const [id, rev] = [text(row, "id"), integer(row, "rev")];
  return { _id: `${id}/${rev}`, id, rev, at: integer(row, "at"), link: text(row, "link") };
});

const linkSql = `SELECT id, person, fence, seq, link,
  (SELECT count(*) FROM link_history h WHERE h.id = links.id) AS rev,
  (SELECT at FROM link_history h WHERE h.id = links.id ORDER BY no DESC LIMIT 1) AS at FROM links`;

const links = part(linkKind, linkSql, (row) => {
  const link = text(row, "link");
  return {
    _id: text(row, "id"),
    rev: integer(row, "rev"),
    person: text(row, "person"),
    records: (parseJson(link) as Link).records.map(recordKey),
    fence: integer(row, "fence"),
    seq: integer(row, "seq"),
    at: integer(row, "at"),
    link,
  };
});

const consents = part(consentKind, "SELECT * FROM consents", (row) => {
  const [system, id] = [text(row, "system"), text(row, "id")];
  const subject = refOf(row, ["subject_system", "subject_type", "subject_id"]);
  return {
    _id: consentKey(system, id),
    rev: firstRev,
    system,
    id,
    version: text(row, "version"),
    subject,
    of: refKey(subject),
    sealed: text(row, "sealed"),
    gone: integer(row, "gone") === 1,
  };
});

const registers = part(registerKind, "SELECT name, version, value FROM registers", (row) => {
  return { _id: text(row, "name"), rev: integer(row, "version"), value: text(row, "value") };
});

const systems = part(systemKind, "SELECT * FROM systems", (row) => {
  const identity = maybeText(row, "identity");
  const isPaused = row["paused_since"] !== null;
  return {
    _id: text(row, "system"),
    rev: firstRev,
    ...(identity !== undefined && { identity }),
    ...(isPaused && {
      paused: { since: integer(row, "paused_since"), cause: text(row, "paused_cause"), fix: text(row, "paused_fix") },
    }),
  };
});

/** Moved under fence 0: each hold of its lane has a higher one. */
const cursors = part(cursorKind, "SELECT name, value, good_at FROM cursors", (row) => {
  return {
    _id: text(row, "name"),
    rev: firstRev,
    value: text(row, "value"),
    goodAt: integer(row, "good_at"),
    fence: 0,
  };
});

const blobs = part(blobKind, "SELECT id, sealed FROM blobs", (row) => {
  return { _id: text(row, "id"), sealed: text(row, "sealed") };
});

const personKeys = part(personKeyKind, "SELECT person, wrapped FROM person_keys", (row) => {
  return { _id: text(row, "person"), kept: text(row, "wrapped") };
});

const pseudonyms = part(pseudonymKind, "SELECT recipient, record, pseudonym FROM pseudonyms", (row) => {
  return { _id: pseudonymKey(text(row, "recipient"), text(row, "record")), kept: text(row, "pseudonym") };
});

const configurations = part(configurationKind, "SELECT hash, configuration FROM configurations", (row) => {
  return { _id: text(row, "hash"), configuration: text(row, "configuration") };
});

const activations = part(activationKind, "SELECT no, hash, at, reason FROM activations", (row) => ({
  _id: activationId(integer(row, "no")),
  rev: firstRev,
  hash: text(row, "hash"),
  at: integer(row, "at"),
  reason: text(row, "reason"),
}));

const decidedUnder = part(decidedKind, "SELECT channel, version FROM decided_under", (row) => {
  return { _id: text(row, "channel"), rev: firstRev, version: text(row, "version") };
});

const changes = part(changeKind, "SELECT n, kind, ref FROM changes ORDER BY n", (row) => {
  return { _id: integer(row, "n"), kind: text(row, "kind") as Change["kind"], ref: text(row, "ref") };
});

const changesMark = part(markKind, "SELECT coalesce(max(n), 0) AS n FROM changes", (row) => {
  return { _id: markId, n: integer(row, "n") };
});

const batches = part(batchKind, "SELECT n, batch, prev, hash, entries FROM audit ORDER BY n", (row) => {
  const entries = parseJson(text(row, "entries"), Number.MAX_SAFE_INTEGER);
  if (!Array.isArray(entries) || !entries.every(isEntry)) {
    throw new SluiceError("audit-broken", `the entries of batch ${integer(row, "n")} are malformed`);
  }
  return {
    _id: integer(row, "n"),
    batch: text(row, "batch"),
    prev: text(row, "prev"),
    hash: text(row, "hash"),
    entries,
  };
});

/** Behind the batches: it may lag, never lead. */
const head = part(headKind, "SELECT n, hash FROM audit_head", (row) => {
  return { _id: headId, n: integer(row, "n"), hash: text(row, "hash") };
});

/** What rows rest on goes before them, the log's head after its batches. */
export const parts: readonly Part[] = [
  batches,
  head,
  configurations,
  activations,
  decidedUnder,
  personKeys,
  pseudonyms,
  blobs,
  consents,
  systems,
  cursors,
  registers,
  records,
  history,
  links,
  ...ledgerParts,
  changes,
  changesMark,
];
