// Looks into the gateway's SQLite file from outside, read-only and with a connection of its own for each look, so that
// neither a running nor a killed gateway notices: what is found here is durable, whatever the gateway believes.
import { existsSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { parseJson } from "../../src/core/json.ts";

export interface OpenRow {
  readonly id: string;
  readonly state: string;
  readonly next: number;
}

export class LedgerView {
  readonly #path: string;

  /** @param path The SQLite file; it need not be there yet. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Whether the audit log itself (not only its index) holds an entry under this key. */
  hasAudit(key: string): boolean {
    const sql = "SELECT entries FROM audit WHERE n IN (SELECT n FROM audit_keys WHERE key = ?)";
    return this.#all(sql, key).some(({ entries }) => keysOf(String(entries)).includes(key));
  }

  /** Rows that are not at their end. */
  open(): readonly OpenRow[] {
    const sql = "SELECT id, state, next FROM rows WHERE state IN ('queued', 'sending', 'applied')";
    return this.#all(sql).map((row) => ({
      id: String(row["id"]),
      state: String(row["state"]),
      next: Number(row["next"]),
    }));
  }

  /** Rows by state and cause, for a report. */
  states(): Readonly<Record<string, number>> {
    const sql = "SELECT channel, state, coalesce(grp, cause, '') AS why, count(*) AS n FROM rows GROUP BY 1, 2, 3";
    return Object.fromEntries(
      this.#all(sql).map((row) => [
        `${String(row["channel"])} ${String(row["state"])} ${String(row["why"])}`,
        Number(row["n"]),
      ]),
    );
  }

  /** When the last good poll of each type began, wall milliseconds. */
  polls(): ReadonlyMap<string, number> {
    const rows = this.#all("SELECT name, good_at FROM cursors");
    return new Map(rows.map((row) => [String(row["name"]), Number(row["good_at"])]));
  }

  /** When each of these rows ended; open ones are left out. */
  endedAt(ids: readonly string[]): ReadonlyMap<string, number> {
    const sql = "SELECT id, ended_at FROM rows WHERE ended_at > 0 AND id IN (SELECT value FROM json_each(?))";
    return new Map(this.#all(sql, JSON.stringify(ids)).map((row) => [String(row["id"]), Number(row["ended_at"])]));
  }

  /** What is on record about the outcome of each request, by request id; of entries under one key the first counts. */
  outcomes(): ReadonlyMap<string, string> {
    const entries = this.#all("SELECT entries FROM audit ORDER BY n").flatMap((row) =>
      entriesOf(String(row["entries"])),
    );
    const found = new Map<string, string>();
    for (const { key = "", header = "{}" } of entries) {
      const request = /^(.+)\.outcome$/.exec(key)?.[1];
      const { outcome } = parseJson(header) as { readonly outcome?: string };
      if (request !== undefined && outcome !== undefined && !found.has(request)) found.set(request, outcome);
    }
    return found;
  }

  /** All that is stored of the audit log, as text. */
  auditText(): string {
    return this.#all("SELECT entries FROM audit ORDER BY n")
      .map((row) => String(row["entries"]))
      .join("\n");
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

function keysOf(entries: string): readonly string[] {
  return entriesOf(entries).flatMap((one) => one.key ?? []);
}

function entriesOf(text: string): readonly { readonly key?: string; readonly header?: string }[] {
  const read = parseJson(text);
  return Array.isArray(read) ? (read as readonly { readonly key?: string; readonly header?: string }[]) : [];
}
