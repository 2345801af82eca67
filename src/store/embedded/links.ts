// Which record is whose, and which records are one, in SQLite: every claim and every link with its history in one transaction.
import { canonicalJson } from "../../core/json.ts";
import { refKey } from "../../core/records.ts";
import type { RecordRef } from "../../core/records.ts";
import type { Link } from "../../exchange/ports.ts";
import type { SqlRow } from "./database.ts";
import { integer, json, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

function readLink(row: SqlRow): Link {
  const link = json(row, "link") as Link | undefined;
  if (link === undefined) throw new TypeError("a link without content");
  return link;
}

const linksOf = "FROM link_records r JOIN links l ON l.id = r.link WHERE r.system = ? AND r.type = ? AND r.record = ?";

export function pairOf(tx: Transaction, record: RecordRef, other: string): Link | undefined {
  const sql = `SELECT l.link ${linksOf} ORDER BY l.id`;
  const own = refKey(record);
  return tx.db
    .all(sql, record.system, record.type, record.id)
    .map(readLink)
    .find((link) => link.records.some((partner) => partner.system === other && refKey(partner) !== own));
}

export function get(tx: Transaction, id: string): Link | undefined {
  const row = tx.db.one("SELECT link FROM links WHERE id = ?", id);
  return row && readLink(row);
}

/** A claim goes before a link. */
export function personOf(tx: Transaction, record: RecordRef): string | undefined {
  const key = [record.system, record.type, record.id] as const;
  const row =
    tx.db.one("SELECT person FROM records WHERE system = ? AND type = ? AND record = ?", ...key) ??
    tx.db.one(`SELECT l.person ${linksOf} ORDER BY l.id LIMIT 1`, ...key);
  return row && text(row, "person");
}

export function recordsOf(tx: Transaction, person: string): readonly RecordRef[] {
  const sql = `SELECT system, type, record FROM records WHERE person = ?1
    UNION SELECT r.system, r.type, r.record FROM links l JOIN link_records r ON r.link = l.id WHERE l.person = ?1
    ORDER BY system, type, record`;
  const rows = tx.db.all(sql, person);
  return rows.map((row) => ({ system: text(row, "system"), type: text(row, "type"), id: text(row, "record") }));
}

type Claimed = { readonly person: string } | { readonly conflict: readonly string[] };

/** A conflict changes nothing. */
export function claim(tx: Transaction, records: readonly RecordRef[], person: string): Claimed {
  const owners = records.map((record) => personOf(tx, record));
  const persons = [...new Set(owners.filter((owner) => owner !== undefined))].sort();
  if (persons.length > 1) return { conflict: persons };
  const winner = persons[0] ?? person;
  const sql = "INSERT OR IGNORE INTO records (system, type, record, person) VALUES (?, ?, ?, ?)";
  for (const record of records) tx.db.run(sql, record.system, record.type, record.id, winner);
  return { person: winner };
}

/** Equal (fence, seq) is the same holder at the same row, who may write again; the same content again is no new history. */
export function put(tx: Transaction, link: Link, at: number): boolean {
  const row = tx.db.one("SELECT fence, seq, link FROM links WHERE id = ?", link.id);
  const content = canonicalJson(link);
  const lead = row ? link.fence - integer(row, "fence") || link.seq - integer(row, "seq") : 1;
  if (lead < 0) return false;
  if (row && text(row, "link") === content) return true;
  const values = [link.id, link.person, link.fence, link.seq, content] as const;
  tx.db.run("INSERT OR REPLACE INTO links (id, person, fence, seq, link) VALUES (?, ?, ?, ?, ?)", ...values);
  tx.db.run("INSERT INTO link_history (id, at, link) VALUES (?, ?, ?)", link.id, at, content);
  tx.db.run("DELETE FROM link_records WHERE link = ?", link.id);
  const sql = "INSERT OR IGNORE INTO link_records (system, type, record, link) VALUES (?, ?, ?, ?)";
  for (const record of link.records) tx.db.run(sql, record.system, record.type, record.id, link.id);
  return true;
}

/** Oldest first; the last one is the link as it stands. */
export function history(tx: Transaction, id: string): readonly (Link & { readonly at: number })[] {
  const rows = tx.db.all("SELECT at, link FROM link_history WHERE id = ? ORDER BY no", id);
  return rows.map((row) => ({ ...readLink(row), at: integer(row, "at") }));
}
