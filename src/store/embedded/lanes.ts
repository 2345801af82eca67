// Lanes in SQLite: who holds one, where a merged one went on to, and which are due.
import type { Hold, LaneState, NewRow } from "../../exchange/ports.ts";
import { SluiceError } from "../../core/errors.ts";
import type { SqlRow } from "./database.ts";
import { integer, maybeText, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

/** Written as in the partial indexes of the schema: SQLite uses those only for the very same words. */
export const isOpen = "state IN ('queued', 'sending', 'applied')";

/**
 * What the sweep needs of a lane's head, kept on the lane in the transaction that changes the rows: it cannot lag, and the
 * sweep touches one index entry a lane. Read from the rows alone, every row behind a waiting head would be looked at.
 */
const deriveSql = `UPDATE lanes SET
  (due, since, channel) = (
    SELECT next, accepted_at, channel FROM rows WHERE rows.lane = lanes.lane AND ${isOpen} ORDER BY seq LIMIT 1),
  live = EXISTS (SELECT 1 FROM rows WHERE rows.lane = lanes.lane AND priority = 'live' AND ${isOpen})`;

/** After a change of a row's state between open and not, of its lane or of its `next`. */
export function deriveHead(tx: Transaction, lane: string): void {
  tx.db.run(`${deriveSql} WHERE lane = ?`, lane);
}

const columns = "lane, fence, beat, free, moved_to";

function laneState(row: SqlRow): LaneState {
  return {
    lane: text(row, "lane"),
    fence: integer(row, "fence"),
    beat: integer(row, "beat"),
    free: integer(row, "free") === 1,
    movedTo: maybeText(row, "moved_to"),
  };
}

export function peek(tx: Transaction, lane: string): LaneState | undefined {
  const row = tx.db.one(`SELECT ${columns} FROM lanes WHERE lane = ?`, lane);
  return row && laneState(row);
}

/** Seen as (0, 0), a lane that does not exist yet is made: so a lane without rows, such as a poll's, is taken. */
export function claim(tx: Transaction, lane: string, seen: { fence: number; beat: number }): Hold | undefined {
  if (seen.fence === 0 && seen.beat === 0) tx.db.run("INSERT OR IGNORE INTO lanes (lane) VALUES (?)", lane);
  const took = tx.db.run(
    "UPDATE lanes SET fence = fence + 1, beat = beat + 1, free = 0 WHERE lane = ? AND fence = ? AND beat = ?",
    lane,
    seen.fence,
    seen.beat,
  );
  return took === 1 ? { lane, fence: seen.fence + 1 } : undefined;
}

/** Whether the hold still stands: not claimed by another since, not released. */
export function stands(tx: Transaction, hold: Hold): boolean {
  const sql = "SELECT 1 FROM lanes WHERE lane = ? AND fence = ? AND free = 0";
  return tx.db.one(sql, hold.lane, hold.fence) !== undefined;
}

export function renew(tx: Transaction, hold: Hold): boolean {
  const sql = "UPDATE lanes SET beat = beat + 1 WHERE lane = ? AND fence = ? AND free = 0";
  return tx.db.run(sql, hold.lane, hold.fence) === 1;
}

export function release(tx: Transaction, hold: Hold): boolean {
  const sql = "UPDATE lanes SET free = 1, beat = beat + 1 WHERE lane = ? AND fence = ? AND free = 0";
  return tx.db.run(sql, hold.lane, hold.fence) === 1;
}

/** Also derives every head anew, so that a start rests on the rows alone. */
export function freeAll(tx: Transaction): number {
  tx.db.run(`${deriveSql} WHERE due IS NOT NULL OR lane IN (SELECT lane FROM rows WHERE ${isOpen})`);
  return tx.db.run("UPDATE lanes SET free = 1, beat = beat + 1 WHERE free = 0");
}

/** Sends the lane's later rows on to `to`. False when the hold is lost or `to` leads back to the lane itself. */
export function redirect(tx: Transaction, to: string, hold: Hold): boolean {
  if (!stands(tx, hold)) return false;
  const end = laneFor(tx, to);
  if (end === hold.lane) return false;
  return tx.db.run("UPDATE lanes SET moved_to = ? WHERE lane = ?", end, hold.lane) === 1;
}

/** The lane to which rows for `lane` go, made when it does not exist: `movedTo` is followed to its end. */
export function laneFor(tx: Transaction, lane: string): string {
  const visited = new Set<string>();
  for (let current = lane; !visited.has(current);) {
    visited.add(current);
    const row = tx.db.one("SELECT moved_to FROM lanes WHERE lane = ?", current);
    if (row === undefined) {
      tx.db.run("INSERT INTO lanes (lane) VALUES (?)", current);
      return current;
    }
    const next = maybeText(row, "moved_to");
    if (next === undefined) return current;
    current = next;
  }
  throw new SluiceError("internal", "the lanes' moves form a circle");
}

/** The next place at the end of the lane, which must exist. */
export function nextSeq(tx: Transaction, lane: string): number {
  return lastOf(tx.db.one("UPDATE lanes SET last = last + 1 WHERE lane = ? RETURNING last", lane));
}

/** The place of a new row, which becomes the head where no row is open. */
export function placeNew(tx: Transaction, lane: string, row: NewRow): number {
  const sql = `UPDATE lanes SET last = last + 1, live = max(live, ?), due = coalesce(due, 0),
    since = coalesce(since, ?), channel = coalesce(channel, ?) WHERE lane = ? RETURNING last`;
  return lastOf(tx.db.one(sql, row.priority === "live" ? 1 : 0, row.acceptedAt, row.channel, lane));
}

function lastOf(row: SqlRow | undefined): number {
  if (row === undefined) throw new SluiceError("internal", "a row was put into a lane that does not exist");
  return integer(row, "last");
}

export const dueSql = `SELECT lane FROM lanes
  WHERE free = 1 AND live = ? AND due <= ? AND channel NOT IN (SELECT value FROM json_each(?))
  ORDER BY due, since LIMIT ?`;

/** A lane counts as live when any open row in it is, so that news of a person does not wait behind their backfill. */
export function due(
  tx: Transaction,
  now: number,
  limit: number,
  skipChannels: readonly string[] = [],
): readonly string[] {
  const skip = JSON.stringify(skipChannels);
  const live = tx.db.all(dueSql, 1, now, skip, limit);
  const backfill = live.length < limit ? tx.db.all(dueSql, 0, now, skip, limit - live.length) : [];
  return [...live, ...backfill].map((row) => text(row, "lane"));
}

export function held(tx: Transaction): readonly LaneState[] {
  return tx.db.all(`SELECT ${columns} FROM lanes WHERE free = 0 ORDER BY lane`).map(laneState);
}
