// The ledger's state changes in SQLite. Each is one conditional UPDATE under the lane's fence; what must become durable with
// it (audit entries, the lane's beat, an erased blob) is written in the same transaction.
import type { AuditEntry } from "../../audit/entry.ts";
import { SluiceError } from "../../core/errors.ts";
import { endedStates } from "../../core/records.ts";
import type { RowState } from "../../core/records.ts";
import type { Hold, Intent, NewRow, Problem, Row, RowFilter } from "../../exchange/ports.ts";
import { canGather, dissolve, gather, notUnderWay, withBatches } from "./batches.ts";
import { erase, put } from "./blobs.ts";
import { deriveHead, isOpen, laneFor, nextSeq, placeNew, renew, stands } from "./lanes.ts";
import { findQuery, insertRow, readRow } from "./rows.ts";
import { maybeText, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

const isWaiting = "state IN ('queued', 'quarantined')";

export function accept(tx: Transaction, rows: readonly NewRow[]): readonly ("accepted" | "known")[] {
  return rows.map((row) => {
    if (tx.db.one("SELECT 1 FROM rows WHERE id = ?", row.id)) return "known";
    const lane = laneFor(tx, row.lane);
    insertRow(tx, row, lane, placeNew(tx, lane, row));
    return "accepted";
  });
}

export const headSql = `SELECT * FROM rows WHERE lane = ? AND ${isOpen} ORDER BY seq LIMIT 1`;

export function head(tx: Transaction, hold: Hold): Row | undefined {
  if (!stands(tx, hold)) return undefined;
  const row = tx.db.one(headSql, hold.lane);
  if (row === undefined) return undefined;
  if (row["fence"] !== hold.fence) tx.db.run("UPDATE rows SET fence = ? WHERE id = ?", hold.fence, text(row, "id"));
  return readRow(row);
}

/** Changes one row of the held lane if its state is one of those that `when` says. */
function change(
  tx: Transaction,
  row: string,
  hold: Hold,
  when: string,
  set: string,
  ...values: readonly (string | number | null)[]
): boolean {
  if (!stands(tx, hold)) return false;
  return tx.db.run(`UPDATE rows SET ${set} WHERE id = ? AND lane = ? AND ${when}`, ...values, row, hold.lane) === 1;
}

export function move(tx: Transaction, row: string, to: string, hold: Hold): boolean {
  if (!stands(tx, hold) || !tx.db.one("SELECT 1 FROM rows WHERE id = ? AND lane = ?", row, hold.lane)) return false;
  place(tx, row, to);
  deriveHead(tx, hold.lane);
  return true;
}

function place(tx: Transaction, row: string, to: string): void {
  const lane = laneFor(tx, to);
  tx.db.run("UPDATE rows SET lane = ?, seq = ?, fence = 0 WHERE id = ?", lane, nextSeq(tx, lane), row);
  deriveHead(tx, lane);
}

/** From `sending`: recovery found that something is left to write. Attempt numbers never go back, so no audit key repeats. */
export function begin(
  tx: Transaction,
  row: string,
  intent: Intent,
  entries: readonly AuditEntry[],
  hold: Hold,
  bytes?: string,
): boolean {
  const { members, blob } = intent;
  if (members && !intent.again && !canGather(tx, row, members, hold)) return false;
  const when = "state IN ('queued', 'sending') AND attempt <= ?2";
  const set =
    "state = 'sending', intent = ?1, attempt = ?2, blob = coalesce(?3, blob), cause = NULL, waiting_since = 0";
  if (!change(tx, row, hold, when, set, JSON.stringify(intent), intent.n, blob ?? null)) return false;
  if (members) gather(tx, row, members, hold);
  if (blob !== undefined && bytes !== undefined) put(tx, blob, bytes);
  renew(tx, hold);
  tx.record(entries);
  return true;
}

/** The intent stays: its link id is kept over all attempts. A batch is formed anew, if no earlier attempt may have been applied. */
export function unsend(tx: Transaction, row: string, entries: readonly AuditEntry[], hold: Hold): boolean {
  if (!change(tx, row, hold, "state = 'sending'", "state = 'queued'")) return false;
  dissolve(tx, row);
  tx.record(entries);
  return true;
}

export function settle(tx: Transaction, row: string, applied: NonNullable<Row["applied"]>, hold: Hold): boolean {
  return change(tx, row, hold, "state = 'sending'", "state = 'applied', applied = ?", JSON.stringify(applied));
}

export interface Wait {
  readonly next: number;
  readonly cause: string;
  readonly failed: boolean;
  readonly waiting: boolean;
  /** Wall time of the process that defers. */
  readonly at: number;
}

export function defer(tx: Transaction, row: string, wait: Wait, entries: readonly AuditEntry[], hold: Hold): boolean {
  const since = wait.waiting ? "CASE waiting_since WHEN 0 THEN ? ELSE waiting_since END" : "? * 0";
  const set = `next = ?, cause = ?, failures = failures + ?, waiting_since = ${since}`;
  if (!change(tx, row, hold, isOpen, set, wait.next, wait.cause, wait.failed ? 1 : 0, wait.at)) return false;
  deriveHead(tx, hold.lane);
  tx.record(entries);
  return true;
}

/** `+state`: by the lane's index. By that of the states every waiting row would be read. */
export const hastenSql = "SELECT id FROM rows WHERE lane = ? AND +state = 'queued' AND cause = ? AND next > 0";

export function hasten(tx: Transaction, lane: string, cause: string): number {
  const rows = tx.db.all(hastenSql, lane, cause);
  for (const row of rows) tx.db.run("UPDATE rows SET next = 0 WHERE id = ?", text(row, "id"));
  if (rows.length > 0) deriveHead(tx, lane);
  return rows.length;
}

export function quarantine(
  tx: Transaction,
  row: string,
  cause: string,
  problem: Problem,
  entries: readonly AuditEntry[],
  hold: Hold,
  attempt?: "not-applied",
): boolean {
  const set = "state = 'quarantined', cause = ?, grp = ?, problem = ?, next = 0, waiting_since = 0";
  const values = [cause, problem.group, JSON.stringify(problem)] as const;
  if (!change(tx, row, hold, isOpen, set, ...values)) return false;
  const together = `batch = (SELECT batch FROM rows WHERE id = ?) AND ${isOpen}`;
  tx.db.run(`UPDATE rows SET ${set} WHERE ${together}`, ...values, row);
  if (attempt === "not-applied") dissolve(tx, row);
  deriveHead(tx, hold.lane);
  tx.record(entries);
  return true;
}

export interface End {
  readonly state: RowState;
  readonly cause: string | undefined;
  readonly at: number;
  readonly lane?: string;
}

export function finish(tx: Transaction, row: string, end: End, entries: readonly AuditEntry[], hold: Hold): boolean {
  if (!endedStates.includes(end.state)) throw new SluiceError("internal", `a row cannot end as ${end.state}`);
  if (!stands(tx, hold)) return false;
  const found = tx.db.one(`SELECT id, blob FROM rows WHERE id = ? AND lane = ? AND ${isOpen}`, row, hold.lane);
  if (found === undefined) return false;
  endRow(tx, row, maybeText(found, "blob"), end);
  if (end.lane !== undefined) place(tx, row, end.lane);
  deriveHead(tx, hold.lane);
  tx.record(entries);
  return true;
}

function endRow(tx: Transaction, row: string, blob: string | undefined, end: End): void {
  const set =
    "state = ?, cause = ?, ended_at = ?, next = 0, waiting_since = 0, blob = NULL, batch = NULL, grp = NULL, problem = NULL";
  tx.db.run(`UPDATE rows SET ${set} WHERE id = ?`, end.state, end.cause ?? null, end.at, row);
  if (blob !== undefined) erase(tx, blob);
}

export const supersedeSql = `SELECT id, blob FROM rows
  WHERE record = ? AND system = ? AND type = ? AND channel = ? AND lane = ? AND seq < ? AND ${isWaiting}
  AND batch IS NULL`;

/** The row's place is read anew: only rows of the held lane are compared, the numbers of two lanes say nothing. */
export function supersede(tx: Transaction, row: Row, at: number, hold: Hold): number {
  if (!stands(tx, hold)) return 0;
  const own = tx.db.one("SELECT seq FROM rows WHERE id = ? AND lane = ?", row.id, hold.lane);
  if (own === undefined) return 0;
  const { system, type, id } = row.source;
  const older = tx.db.all(supersedeSql, id, system, type, row.channel, hold.lane, own["seq"] ?? 0);
  const end: End = { state: "superseded", cause: undefined, at };
  for (const found of older) endRow(tx, text(found, "id"), maybeText(found, "blob"), end);
  if (older.length > 0) deriveHead(tx, hold.lane);
  return older.length;
}

export function retry(tx: Transaction, filter: RowFilter): number {
  const set = "state = 'queued', failures = 0, next = 0, cause = NULL, grp = NULL, problem = NULL";
  const rows = matching(tx, filter, ["quarantined"]);
  for (const row of rows) tx.db.run(`UPDATE rows SET ${set} WHERE id = ?`, row.id);
  deriveHeads(tx, rows);
  return rows.length;
}

export function cancelWhere(tx: Transaction, filter: RowFilter, cause: string, at: number): number {
  const rows = matching(tx, filter, ["queued", "quarantined"]);
  for (const row of rows) endRow(tx, row.id, row.blob, { state: "cancelled", cause, at });
  deriveHeads(tx, rows);
  return rows.length;
}

interface Match {
  readonly id: string;
  readonly lane: string;
  readonly blob: string | undefined;
}

function deriveHeads(tx: Transaction, rows: readonly Match[]): void {
  for (const lane of new Set(rows.map((row) => row.lane))) deriveHead(tx, lane);
}

function matching(tx: Transaction, filter: RowFilter, among: readonly RowState[]): readonly Match[] {
  const states = among.filter((state) => filter.states?.includes(state) ?? true);
  const query = findQuery("*", { ...filter, states }, notUnderWay);
  if (query === undefined) return [];
  const rows = tx.db.all(query.sql, ...query.values);
  const inState = `state IN (${states.map((state) => `'${state}'`).join(", ")})`;
  return withBatches(tx, rows, inState).map((row) => ({
    id: text(row, "id"),
    lane: text(row, "lane"),
    blob: maybeText(row, "blob"),
  }));
}
