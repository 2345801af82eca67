// Batches of a feed in SQLite: rows that travel together. Each carries the id of the row at their head, from `begin` until
// that attempt certainly was not applied or the row has ended, so that none of them leaves a second time on its own.
import type { Hold, Intent } from "../../exchange/ports.ts";
import { erase } from "./blobs.ts";
import { json, maybeText, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";
import type { SqlRow } from "./database.ts";
import { isOpen } from "./lanes.ts";

const among = "id IN (SELECT value FROM json_each(?))";

/** Rows of a batch that is being sent are left alone, as the row at its head is. */
export const notUnderWay = ` AND NOT (batch IS NOT NULL AND EXISTS (
  SELECT 1 FROM rows AS head WHERE head.id = rows.batch AND head.state IN ('sending', 'applied')))`;

/** Whether a new batch can be made of these rows: all but its head are queued in the lane and in no other batch. */
export function canGather(tx: Transaction, head: string, members: readonly string[], hold: Hold): boolean {
  const sql = `SELECT count(*) AS n FROM rows
    WHERE ${among} AND lane = ? AND (id = ? OR (state = 'queued' AND batch IS NULL))`;
  return tx.db.one(sql, JSON.stringify(members), hold.lane, head)?.["n"] === new Set(members).size;
}

/** Marks the members, ended ones apart; each but the head, whose attempt `begin` sets, is given its next attempt. */
export function gather(tx: Transaction, head: string, members: readonly string[], hold: Hold): void {
  const sql = `UPDATE rows SET batch = ?1, attempt = attempt + (id <> ?1)
    WHERE id IN (SELECT value FROM json_each(?2)) AND lane = ?3 AND ${isOpen}`;
  tx.db.run(sql, head, JSON.stringify(members), hold.lane);
}

/** After an attempt that was not applied: the batch is forgotten with its bytes, unless an earlier attempt may have been. */
export function dissolve(tx: Transaction, head: string): void {
  const row = tx.db.one("SELECT intent, blob FROM rows WHERE id = ?", head);
  const intent = row && (json(row, "intent") as Intent | undefined);
  if (row === undefined || intent?.members === undefined || intent.again) return;
  const blob = maybeText(row, "blob");
  tx.db.run("UPDATE rows SET intent = NULL, blob = NULL WHERE id = ?", head);
  tx.db.run("UPDATE rows SET batch = NULL WHERE batch = ?", head);
  if (blob !== undefined) erase(tx, blob);
}

/** The rows, and those in the given states that are in a batch with one of them. */
export function withBatches(tx: Transaction, rows: readonly SqlRow[], states: string): readonly SqlRow[] {
  const all = new Map(rows.map((row) => [text(row, "id"), row]));
  for (const batch of new Set(rows.map((row) => maybeText(row, "batch")))) {
    if (batch === undefined) continue;
    const sql = `SELECT * FROM rows WHERE batch = ? AND ${states}`;
    for (const row of tx.db.all(sql, batch)) all.set(text(row, "id"), row);
  }
  return [...all.values()];
}
