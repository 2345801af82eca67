// The ledger's part of a move: rows as they are, in whatever state, and lanes that are free. A row that was being sent is read
// back by whoever takes its lane next, as after any stop.
import { openStates } from "../../core/records.ts";
import type { SqlRow } from "../embedded/database.ts";
import { readRow } from "../embedded/rows.ts";
import { integer, maybeText, text } from "../embedded/transaction.ts";
import { observationKey, observationKind } from "../mongo/ledger.ts";
import { laneKind, never } from "../mongo/ledger/lane-document.ts";
import { rowKind } from "../mongo/ledger/row-document.ts";
import { part, type Part } from "./copy.ts";

/** Fence 0 on each row: no holder of the old side is left that could still write, and each new one has a higher. */
const rows = part(rowKind, "SELECT * FROM rows", (stored) => {
  const { id, intent: _, applied, problem, cause, blob, ...row } = readRow(stored);
  const [intentText, group] = [maybeText(stored, "intent"), maybeText(stored, "grp")];
  return {
    _id: id,
    ...row,
    open: openStates.includes(row.state),
    ...(intentText !== undefined && { intent: intentText }),
    ...(applied && { applied: JSON.stringify(applied) }),
    ...(problem && { problem: JSON.stringify(problem) }),
    ...(cause !== undefined && { cause }),
    ...(group !== undefined && { group }),
    ...(blob !== undefined && { blob }),
    fence: 0,
    rev: 1,
  };
});

/** What SQLite derives of a lane's head in each transaction is exact, so it can stand as the hint. */
const lanes = part(laneKind, "SELECT * FROM lanes", (row) => {
  const movedTo = maybeText(row, "moved_to");
  return {
    _id: text(row, "lane"),
    fence: integer(row, "fence"),
    beat: integer(row, "beat"),
    free: true,
    ...(movedTo !== undefined && { movedTo }),
    last: integer(row, "last"),
    due: maybeInteger(row, "due") ?? never,
    since: maybeInteger(row, "since") ?? 0,
    channel: maybeText(row, "channel") ?? "",
    live: integer(row, "live"),
    hints: 0,
  };
});

const observations = part(observationKind, "SELECT * FROM observations", (row) => {
  const source = { system: text(row, "system"), type: text(row, "type"), id: text(row, "record") };
  return { _id: observationKey(text(row, "channel"), source), n: integer(row, "n"), hash: text(row, "hash") };
});

function maybeInteger(row: SqlRow, column: string): number | undefined {
  return row[column] === null ? undefined : integer(row, column);
}

export const ledgerParts: readonly Part[] = [lanes, rows, observations];
