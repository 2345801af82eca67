// A ledger row as a document of MongoDB, and back. What is written is checked against the schema, what is read against the
// states and kinds that there are.
import { SluiceError } from "../../../core/errors.ts";
import { parseJson } from "../../../core/json.ts";
import { endedStates, openStates, type NoticeKind, type RecordRef, type RowState } from "../../../core/records.ts";
import type { Intent, NewRow, Priority, Problem, Row } from "../../../exchange/ports.ts";
import { flag, kind, number, part, text, type Keyed } from "../database.ts";

export interface RowDocument extends Keyed {
  readonly _id: string;
  readonly lane: string;
  readonly seq: number;
  readonly channel: string;
  readonly source: RecordRef;
  readonly kind: NoticeKind;
  readonly mark: string;
  readonly priority: Priority;
  readonly acceptedAt: number;
  readonly configuration: string;
  readonly state: RowState;
  /** queued, sending or applied; changed together with the state. */
  readonly open: boolean;
  readonly next: number;
  readonly attempt: number;
  readonly failures: number;
  readonly waitingSince: number;
  readonly endedAt: number;
  /** JSON, as `problem` and `applied`: their inner names are nobody's to query. */
  readonly intent?: string;
  readonly applied?: string;
  readonly cause?: string;
  readonly group?: string;
  readonly problem?: string;
  readonly blob?: string;
  readonly batch?: string;
  /** Of the last holder that wrote the row or saw it at the head: an older one writes nothing any more. */
  readonly fence: number;
  /** One more with each write: people's commands compare it. */
  readonly rev: number;
}

const states = [...openStates, ...endedStates, "quarantined"] as const;
const kinds = ["change", "delete", "undelete", "merge", "again", "command"] as const;

export const rowKind = kind<RowDocument>(
  "rows",
  {
    _id: text,
    lane: text,
    seq: number,
    channel: text,
    source: { type: part<RecordRef>({ system: text, type: text, id: text }), required: true },
    kind: { ...text, enum: kinds },
    mark: text,
    priority: { ...text, enum: ["live", "backfill"] },
    acceptedAt: number,
    configuration: text,
    state: { ...text, enum: states },
    open: flag,
    next: number,
    attempt: number,
    failures: number,
    waitingSince: number,
    endedAt: number,
    intent: String,
    applied: String,
    cause: String,
    group: String,
    problem: String,
    blob: String,
    batch: String,
    fence: number,
    rev: number,
  },
  [
    { lane: 1, open: 1, seq: 1 },
    { lane: 1, acceptedAt: 1, _id: 1 },
    { "source.id": 1, acceptedAt: 1, _id: 1 },
    { state: 1, acceptedAt: 1, _id: 1 },
    { channel: 1, state: 1, acceptedAt: 1, _id: 1 },
    { group: 1, acceptedAt: 1, _id: 1 },
    { batch: 1 },
    { open: 1, _id: 1 },
  ],
);

export function newDocument(row: NewRow, lane: string, seq: number): RowDocument {
  const { id, source, channel, mark, priority, acceptedAt, configuration } = row;
  return {
    _id: id,
    lane,
    seq,
    channel,
    source: { system: source.system, type: source.type, id: source.id },
    kind: row.kind,
    mark,
    priority,
    acceptedAt,
    configuration,
    state: "queued",
    open: true,
    next: 0,
    attempt: 0,
    failures: 0,
    waitingSince: 0,
    endedAt: 0,
    fence: 0,
    rev: 1,
  };
}

export function readRow(stored: RowDocument): Row {
  if (!states.includes(stored.state)) malformed("state");
  if (!kinds.includes(stored.kind)) malformed("kind");
  return {
    id: stored._id,
    lane: stored.lane,
    seq: stored.seq,
    channel: stored.channel,
    source: { system: stored.source.system, type: stored.source.type, id: stored.source.id },
    kind: stored.kind,
    mark: stored.mark,
    priority: stored.priority,
    acceptedAt: stored.acceptedAt,
    configuration: stored.configuration,
    state: stored.state,
    next: stored.next,
    attempt: stored.attempt,
    failures: stored.failures,
    waitingSince: stored.waitingSince,
    intent: intentOf(stored),
    applied: json(stored.applied) as NonNullable<Row["applied"]> | undefined,
    cause: stored.cause,
    problem: json(stored.problem) as Problem | undefined,
    endedAt: stored.endedAt,
    blob: stored.blob,
    ...(stored.batch === undefined ? {} : { batch: stored.batch }),
  };
}

export function intentOf(stored: Pick<RowDocument, "intent">): Intent | undefined {
  return json(stored.intent) as Intent | undefined;
}

function json(value: string | undefined): unknown {
  return value === undefined ? undefined : parseJson(value);
}

function malformed(field: string): never {
  throw new SluiceError("internal", `the stored value of ${field} is none that there is`, {
    hint: "the database was changed from outside: run `sluice audit verify` and restore a backup",
  });
}
