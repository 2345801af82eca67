// Looking rows up in MongoDB: by any filter of the port, in (acceptedAt, id) order, a page at a time.
import type { Row, RowFilter } from "../../../exchange/ports.ts";
import type { RowState } from "../../../core/records.ts";
import type { Database } from "../database.ts";
import { readRow, rowKind, type RowDocument } from "./row-document.ts";

type Condition = Readonly<Record<string, unknown>>;

export async function findRows(database: Database, filter: RowFilter): Promise<readonly Row[]> {
  return (await findDocuments(database, filter)).map(readRow);
}

/** @param among Only rows in one of these states. */
export async function findDocuments(
  database: Database,
  filter: RowFilter,
  among?: readonly RowState[],
): Promise<readonly RowDocument[]> {
  const where = conditionOf(filter, among);
  if (where === undefined || filter.limit === 0) return [];
  const order = filter.newestFirst ? -1 : 1;
  const query = database.model(rowKind).find(where).sort({ acceptedAt: order, _id: order });
  return (filter.limit === undefined ? query : query.limit(Math.max(1, Math.trunc(filter.limit)))).lean<
    RowDocument[]
  >();
}

/** Undefined: no row can match. */
export function conditionOf(filter: RowFilter, among?: readonly RowState[]): Condition | undefined {
  const states = filter.states?.filter((state) => among?.includes(state) ?? true) ?? among;
  if (states?.length === 0) return undefined;
  const { source, after } = filter;
  const before = filter.newestFirst ? "$lt" : "$gt";
  const parts: readonly [string, unknown][] = [
    ["_id", filter.id],
    ["state", states && { $in: [...states] }],
    ["channel", filter.channel],
    ["source.system", source?.system],
    ["source.type", source?.type],
    ["source.id", source?.id],
    ["lane", filter.lane],
    ["group", filter.group],
    ["open", filter.dueBefore === undefined ? undefined : true],
    ["next", filter.dueBefore === undefined ? undefined : { $lte: filter.dueBefore }],
    [
      "$or",
      after && [
        { acceptedAt: { [before]: after.acceptedAt } },
        { acceptedAt: after.acceptedAt, _id: { [before]: after.id } },
      ],
    ],
  ];
  return Object.fromEntries(parts.filter(([, value]) => value !== undefined));
}

export type Count = { channel: string; state: RowState; cause: string | undefined; count: number };

export async function countRows(database: Database): Promise<readonly Count[]> {
  const found = await database.model(rowKind).aggregate<{
    readonly _id: {
      readonly channel: string;
      readonly state: RowState;
      readonly cause?: string;
      readonly group?: string;
    };
    readonly count: number;
  }>([
    {
      $group: {
        _id: { channel: "$channel", state: "$state", cause: "$cause", group: "$group" },
        count: { $sum: 1 },
      },
    },
  ]);
  const counts = new Map<string, Count>();
  for (const { _id: by, count } of found) {
    const cause = (by.state === "quarantined" ? by.group : by.cause) ?? undefined;
    const key = JSON.stringify([by.channel, by.state, cause]);
    const before = counts.get(key)?.count ?? 0;
    counts.set(key, { channel: by.channel, state: by.state, cause, count: before + count });
  }
  return [...counts.values()];
}
