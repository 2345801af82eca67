// Consents as the sources gave them, by subject, in SQLite.
import type { RecordRef } from "../../core/records.ts";
import type { ConsentFact } from "../../exchange/ports.ts";
import { announce } from "./changes.ts";
import type { SqlRow } from "./database.ts";
import { integer, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

function readFact(row: SqlRow): ConsentFact {
  return {
    system: text(row, "system"),
    id: text(row, "id"),
    version: text(row, "version"),
    subject: { system: text(row, "subject_system"), type: text(row, "subject_type"), id: text(row, "subject_id") },
    sealed: text(row, "sealed"),
    gone: integer(row, "gone") === 1,
  };
}

const known = `SELECT 1 FROM consents WHERE system = ? AND id = ? AND version = ? AND gone = ?
  AND subject_system = ? AND subject_type = ? AND subject_id = ?`;

/** A removal or another subject under a known version is news: sources delete without a new version. */
export function putConsent(tx: Transaction, fact: ConsentFact): boolean {
  const { system, type, id } = fact.subject;
  const gone = fact.gone ? 1 : 0;
  if (tx.db.one(known, fact.system, fact.id, fact.version, gone, system, type, id)) return false;
  const sql = `INSERT OR REPLACE INTO consents
    (system, id, version, subject_system, subject_type, subject_id, sealed, gone) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
  tx.db.run(sql, fact.system, fact.id, fact.version, system, type, id, fact.sealed, gone);
  announce(tx, "consent", `${fact.system}/${fact.id}`);
  return true;
}

export function consent(tx: Transaction, system: string, id: string): ConsentFact | undefined {
  const row = tx.db.one("SELECT * FROM consents WHERE system = ? AND id = ?", system, id);
  return row && readFact(row);
}

export function consentsOf(tx: Transaction, subjects: readonly RecordRef[]): readonly ConsentFact[] {
  const sql = `SELECT * FROM consents WHERE subject_system = ? AND subject_type = ? AND subject_id = ? ORDER BY system, id`;
  return subjects.flatMap((subject) => tx.db.all(sql, subject.system, subject.type, subject.id).map(readFact));
}

/** The next page in (system, id) order. */
export function page(tx: Transaction, after: { system: string; id: string }, limit: number): readonly ConsentFact[] {
  const sql = "SELECT * FROM consents WHERE (system, id) > (?, ?) ORDER BY system, id LIMIT ?";
  return tx.db.all(sql, after.system, after.id, limit).map(readFact);
}
