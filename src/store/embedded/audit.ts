// The audit chain in SQLite: all entries of one group commit become one batch, and the head moves, in that same commit.
// A row that does not decode to exactly what was written is refused, since every byte of it counts.
import { emptyHead, headOf, isEntry, sealBatch } from "../../audit/batch.ts";
import type { AuditBatch, AuditEntry, AuditHead } from "../../audit/entry.ts";
import { SluiceError } from "../../core/errors.ts";
import { newId, systemRandom } from "../../core/ids.ts";
import { parseJson } from "../../core/json.ts";
import type { SqlRow } from "./database.ts";
import { integer, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

/** Characters of entries after which a page ends. */
const pageChars = 2 * 1024 * 1024;

export function append(tx: Transaction, entries: readonly AuditEntry[]): void {
  tx.record(entries);
}

/** Before the commit: seals what was recorded in it. Throws `audit-broken` when the log does not end where its head says. */
export function seal(tx: Transaction): void {
  if (tx.entries.length === 0) return;
  const batch = sealBatch(head(tx), newId(systemRandom), tx.entries);
  const sql = "INSERT OR IGNORE INTO audit (n, batch, prev, hash, entries) VALUES (?, ?, ?, ?, ?)";
  const content = JSON.stringify(batch.entries.map(plain));
  if (tx.db.run(sql, batch.n, batch.batch, batch.prev, batch.hash, content) !== 1) {
    throw broken(`batch ${batch.n} is there already, but the head names batch ${batch.n - 1}`);
  }
  const { n, hash } = headOf(batch);
  tx.db.run("UPDATE audit_head SET n = ?, hash = ? WHERE one = 1", n, hash);
  for (const { key } of batch.entries) tx.db.run("INSERT OR IGNORE INTO audit_keys (key, n) VALUES (?, ?)", key, n);
}

export function has(tx: Transaction, key: string): boolean {
  return tx.db.one("SELECT 1 FROM audit_keys WHERE key = ?", key) !== undefined;
}

export function head(tx: Transaction): AuditHead {
  const row = tx.db.one("SELECT n, hash FROM audit_head WHERE one = 1");
  if (row === undefined) throw broken("the head is missing");
  return { n: integer(row, "n"), hash: text(row, "hash") };
}

/** The hash of batch n; undefined when it is not there. */
export function hashAt(tx: Transaction, n: number): string | undefined {
  if (n === 0) return emptyHead.hash;
  const row = tx.db.one("SELECT hash FROM audit WHERE n = ?", n);
  return row && text(row, "hash");
}

export interface AuditPage {
  readonly batches: readonly AuditBatch[];
  /** Why the row after these cannot be read. */
  readonly broken?: string;
  readonly more: boolean;
}

/** Batches above `after` in order, as many as fit one page; undefined = from the lowest number there is. */
export function page(tx: Transaction, after: number | undefined): AuditPage {
  const where = after === undefined ? "" : "WHERE n > ?";
  // CAST to text keeps a number beyond 2^53 readable.
  const sql = `SELECT CAST(n AS TEXT) AS n, batch, prev, hash, entries FROM audit ${where} ORDER BY audit.n`;
  const batches: AuditBatch[] = [];
  let size = 0;
  for (const row of tx.db.each(sql, ...(after === undefined ? [] : [after]))) {
    const batch = decode(row);
    if (typeof batch === "string") return { batches, broken: batch, more: false };
    batches.push(batch);
    size += text(row, "entries").length;
    if (size > pageChars) return { batches, more: true };
  }
  return { batches, more: false };
}

function decode(row: SqlRow): AuditBatch | string {
  const n = Number(row["n"]);
  const { batch, prev, hash, entries: content } = row;
  if (!Number.isSafeInteger(n)) return "a batch has an impossible number";
  if (
    typeof batch !== "string" ||
    typeof prev !== "string" ||
    typeof hash !== "string" ||
    typeof content !== "string"
  ) {
    return `batch ${n} holds a value of the wrong type`;
  }
  const entries = decodeEntries(content);
  return entries ? { n, batch, prev, hash, entries } : `the entries of batch ${n} are malformed`;
}

function decodeEntries(content: string): readonly AuditEntry[] | undefined {
  let value: unknown;
  try {
    value = parseJson(content, Number.MAX_SAFE_INTEGER);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || !value.every(isEntry)) return undefined;
  // Written anew it must be the same text: so a byte that decoding forgives (a repeated member, another escape) is seen.
  return JSON.stringify(value.map(plain)) === content ? value : undefined;
}

function plain({ key, header, sealed, commitment }: AuditEntry): AuditEntry {
  return { key, header, sealed, commitment };
}

export function broken(what: string): SluiceError {
  return new SluiceError("audit-broken", `the audit log is damaged: ${what}`, {
    hint: "keep a copy of the data directory as it is, run `sluice audit verify`, tell the privacy officer",
  });
}
