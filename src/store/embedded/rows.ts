// Ledger rows as columns of SQLite, and the ways to look them up.
import { openStates } from "../../core/records.ts";
import type { NoticeKind, RecordRef, RowState } from "../../core/records.ts";
import type { Intent, NewRow, Priority, Problem, Row, RowFilter } from "../../exchange/ports.ts";
import type { SqlRow } from "./database.ts";
import { integer, json, maybeText, text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

export function readRow(row: SqlRow): Row {
  return {
    id: text(row, "id"),
    lane: text(row, "lane"),
    seq: integer(row, "seq"),
    channel: text(row, "channel"),
    source: { system: text(row, "system"), type: text(row, "type"), id: text(row, "record") },
    kind: text(row, "kind") as NoticeKind,
    mark: text(row, "mark"),
    priority: text(row, "priority") as Priority,
    acceptedAt: integer(row, "accepted_at"),
    configuration: text(row, "configuration"),
    state: text(row, "state") as RowState,
    next: integer(row, "next"),
    attempt: integer(row, "attempt"),
    failures: integer(row, "failures"),
    waitingSince: integer(row, "waiting_since"),
    intent: json(row, "intent") as Intent | undefined,
    applied: json(row, "applied") as NonNullable<Row["applied"]> | undefined,
    cause: maybeText(row, "cause"),
    problem: json(row, "problem") as Problem | undefined,
    endedAt: integer(row, "ended_at"),
    blob: maybeText(row, "blob"),
    ...(row["batch"] === null ? {} : { batch: text(row, "batch") }),
  };
}

const insertSql = `INSERT INTO rows
  (id, lane, seq, channel, system, type, record, kind, mark, priority, accepted_at, configuration)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

export function insertRow(tx: Transaction, row: NewRow, lane: string, seq: number): void {
  const { system, type, id } = row.source;
  const place = [row.id, lane, seq, row.channel, system, type, id] as const;
  const notice = [row.kind, row.mark, row.priority, row.acceptedAt, row.configuration] as const;
  tx.db.run(insertSql, ...place, ...notice);
}

export function get(tx: Transaction, id: string): Row | undefined {
  const row = tx.db.one("SELECT * FROM rows WHERE id = ?", id);
  return row && readRow(row);
}

export function find(tx: Transaction, filter: RowFilter): readonly Row[] {
  const query = findQuery("*", filter);
  return query ? tx.db.all(query.sql, ...query.values).map(readRow) : [];
}

export interface Query {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

const everyState: readonly RowState[] = [
  ...openStates,
  ...(["done", "unchanged", "superseded", "denied", "cancelled", "not-a-visit", "quarantined"] as const),
];

/**
 * The rows that match, in (acceptedAt, id) order. A record, a group or a lane is found by its own index; anything else is
 * one walk along an ordered index for each state, so that a page costs a page however many rows there are.
 * `also` is a condition more, beginning with AND.
 */
export function findQuery(columns: string, filter: RowFilter, also = ""): Query | undefined {
  const states = statesOf(filter);
  if (states.length === 0) return undefined;
  const where = conditions(filter, also);
  const order = filter.newestFirst ? "ORDER BY accepted_at DESC, id DESC" : "ORDER BY accepted_at, id";
  const limit = filter.limit === undefined ? "" : ` LIMIT ${Math.max(0, Math.trunc(filter.limit))}`;
  if (
    filter.id !== undefined ||
    filter.source?.id !== undefined ||
    filter.group !== undefined ||
    filter.lane !== undefined
  ) {
    const list = states.map(() => "?").join(", ");
    const sql = `SELECT ${columns} FROM rows WHERE +state IN (${list})${where.sql} ${order}${limit}`;
    return { sql, values: [...states, ...where.values] };
  }
  const part = `SELECT * FROM (SELECT rowid AS no, * FROM rows WHERE state = ?${where.sql} ${order}${limit})`;
  return {
    sql: `SELECT ${columns} FROM (${states.map(() => part).join(" UNION ALL ")}) ${order}${limit}`,
    values: states.flatMap((state) => [state, ...where.values]),
  };
}

function statesOf(filter: RowFilter): readonly RowState[] {
  const asked = new Set(filter.states ?? everyState);
  return (filter.dueBefore === undefined ? everyState : openStates).filter((state) => asked.has(state));
}

function conditions(filter: RowFilter, also: string): Query {
  const parts: string[] = [];
  const values: (string | number)[] = [];
  const equal = (column: string, value: string | undefined): void => {
    if (value === undefined) return;
    parts.push(`${column} = ?`);
    values.push(value);
  };
  equal("id", filter.id);
  equal("record", filter.source?.id);
  equal("system", filter.source?.system);
  equal("type", filter.source?.type);
  equal("grp", filter.group);
  equal("lane", filter.lane);
  equal("channel", filter.channel);
  if (filter.dueBefore !== undefined) {
    parts.push("next <= ?");
    values.push(filter.dueBefore);
  }
  if (filter.after) {
    parts.push(`(accepted_at, id) ${filter.newestFirst ? "<" : ">"} (?, ?)`);
    values.push(filter.after.acceptedAt, filter.after.id);
  }
  return { sql: parts.map((part) => ` AND ${part}`).join("") + also, values };
}

type Count = { channel: string; state: RowState; cause: string | undefined; count: number };

export function counts(tx: Transaction): readonly Count[] {
  const label = "CASE state WHEN 'quarantined' THEN grp ELSE cause END";
  const sql = `SELECT channel, state, ${label} AS label, count(*) AS count FROM rows GROUP BY channel, state, label`;
  return tx.db.all(sql).map((row) => ({
    channel: text(row, "channel"),
    state: text(row, "state") as RowState,
    cause: maybeText(row, "label"),
    count: integer(row, "count"),
  }));
}

type Seen = { n: number; hash: string };

export function observation(tx: Transaction, channel: string, source: RecordRef): Seen | undefined {
  const sql = "SELECT n, hash FROM observations WHERE channel = ? AND system = ? AND type = ? AND record = ?";
  const row = tx.db.one(sql, channel, source.system, source.type, source.id);
  return row && { n: integer(row, "n"), hash: text(row, "hash") };
}

export function observe(tx: Transaction, channel: string, source: RecordRef, seen: Seen): void {
  const sql = "INSERT OR REPLACE INTO observations (channel, system, type, record, n, hash) VALUES (?, ?, ?, ?, ?, ?)";
  tx.db.run(sql, channel, source.system, source.type, source.id, seen.n, seen.hash);
}
