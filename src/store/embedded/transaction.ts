// What an operation of the store is given: the statements of the running transaction, and the list of audit entries that
// are to become durable in the same commit. Also how column values are read back, strictly.
import type { SQLOutputValue } from "node:sqlite";
import { isEntry } from "../../audit/batch.ts";
import type { AuditEntry } from "../../audit/entry.ts";
import { SluiceError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import type { Database, SqlRow } from "./database.ts";

export class Transaction {
  readonly db: Database;
  /** Entries of all requests of this commit, in order: they become one batch. */
  readonly entries: AuditEntry[] = [];
  /** Something was deleted whose bytes must leave the WAL too. */
  erased = false;

  constructor(db: Database) {
    this.db = db;
  }

  /** Checked here, while it is still one request's fault and not the whole commit's. */
  record(entries: readonly AuditEntry[]): void {
    if (!entries.every(isEntry)) throw new SluiceError("internal", "an audit entry is malformed");
    for (const entry of entries) this.entries.push(entry);
  }
}

export function text(row: SqlRow, column: string): string {
  const value = row[column];
  return typeof value === "string" ? value : malformed(column);
}

export function maybeText(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column);
}

export function integer(row: SqlRow, column: string): number {
  const value: SQLOutputValue | undefined = row[column];
  return typeof value === "number" ? value : malformed(column);
}

/** A JSON column as this store wrote it; undefined where it is empty. */
export function json(row: SqlRow, column: string): unknown {
  const value = maybeText(row, column);
  return value === undefined ? undefined : parseJson(value);
}

function malformed(column: string): never {
  throw new SluiceError("internal", `the stored value of ${column} has the wrong type`, {
    hint: "the data file was changed from outside: run `sluice audit verify` and restore a backup",
  });
}
