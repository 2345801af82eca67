// Looks into the gateway's SQLite file, read-only and with a connection of its own for each look, so that neither a running
// nor a killed gateway notices.
import { existsSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { parseJson } from "../../src/core/json.ts";
import { outcomesIn, type LedgerView, type OpenRow } from "./ledger-view.ts";

export class SqliteView implements LedgerView {
  readonly #path: string;

  /** @param path The SQLite file; it need not be there yet. */
  constructor(path: string) {
    this.#path = path;
  }

  async hasAudit(key: string): Promise<boolean> {
    const sql = "SELECT entries FROM audit WHERE n IN (SELECT n FROM audit_keys WHERE key = ?)";
    return this.#all(sql, key).some(({ entries }) => entriesOf(String(entries)).some((one) => one.key === key));
  }

  async open(): Promise<readonly OpenRow[]> {
    const sql = "SELECT id, channel, state, next FROM rows WHERE state IN ('queued', 'sending', 'applied')";
    return this.#all(sql).map((row) => ({
      id: String(row["id"]),
      channel: String(row["channel"]),
      state: String(row["state"]),
      next: Number(row["next"]),
    }));
  }

  async states(): Promise<Readonly<Record<string, number>>> {
    const sql = "SELECT channel, state, coalesce(grp, cause, '') AS why, count(*) AS n FROM rows GROUP BY 1, 2, 3";
    return Object.fromEntries(
      this.#all(sql).map((row) => [
        `${String(row["channel"])} ${String(row["state"])} ${String(row["why"])}`,
        Number(row["n"]),
      ]),
    );
  }

  async statesOf(rows: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#statesBy("id", rows);
  }

  async statesOfMarks(marks: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#statesBy("mark", marks);
  }

  async polls(): Promise<ReadonlyMap<string, number>> {
    const rows = this.#all("SELECT name, good_at FROM cursors");
    return new Map(rows.map((row) => [String(row["name"]), Number(row["good_at"])]));
  }

  async outcomes(): Promise<ReadonlyMap<string, string>> {
    return outcomesIn(
      this.#all("SELECT entries FROM audit ORDER BY n").flatMap((row) => entriesOf(String(row["entries"]))),
    );
  }

  /** All that is stored of the audit log, as text. */
  auditText(): string {
    return this.#all("SELECT entries FROM audit ORDER BY n")
      .map((row) => String(row["entries"]))
      .join("\n");
  }

  async close(): Promise<void> {
    // Nothing stays open between two looks.
  }

  #statesBy(column: "id" | "mark", values: readonly string[]): ReadonlyMap<string, string> {
    const sql = `SELECT ${column} AS name, state FROM rows WHERE ${column} IN (SELECT value FROM json_each(?))`;
    return new Map(this.#all(sql, JSON.stringify(values)).map((row) => [String(row["name"]), String(row["state"])]));
  }

  #all(sql: string, ...values: SQLInputValue[]): readonly Record<string, unknown>[] {
    if (!existsSync(this.#path)) return [];
    const connection = new DatabaseSync(this.#path, { readOnly: true, timeout: 5_000 });
    try {
      return connection.prepare(sql).all(...values);
    } finally {
      connection.close();
    }
  }
}

function entriesOf(text: string): readonly { readonly key?: string; readonly header?: string }[] {
  const read = parseJson(text);
  return Array.isArray(read) ? (read as readonly { readonly key?: string; readonly header?: string }[]) : [];
}
