// What processes beside this one must hear of, in SQLite: written in the transaction of the change itself, so the numbers
// are without a gap.
import type { Change } from "../../exchange/ports.ts";
import type { SqlRow } from "./database.ts";
import { integer, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

export function announce(tx: Transaction, kind: Change["kind"], ref: string): void {
  tx.db.run("INSERT INTO changes (n, kind, ref) SELECT coalesce(max(n), 0) + 1, ?, ? FROM changes", kind, ref);
}

export function head(tx: Transaction): number {
  return integer(tx.db.one("SELECT coalesce(max(n), 0) AS n FROM changes") ?? {}, "n");
}

export function since(tx: Transaction, n: number, limit: number): readonly Change[] {
  return tx.db.all("SELECT n, kind, ref FROM changes WHERE n > ? ORDER BY n LIMIT ?", n, limit).map(readChange);
}

function readChange(row: SqlRow): Change {
  return { n: integer(row, "n"), kind: text(row, "kind") as Change["kind"], ref: text(row, "ref") };
}
