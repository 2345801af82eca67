// Batches of a feed in MongoDB: rows that travel together carry the id of the row at their head. The head knows its members
// by its intent, so what a crash leaves half marked is taken back by whoever runs the head next.
import type { Blobs, Hold } from "../../../exchange/ports.ts";
import { openStates, type RowState } from "../../../core/records.ts";
import type { Database } from "../database.ts";
import type { HeldRows } from "./held-rows.ts";
import { intentOf, rowKind, type RowDocument } from "./row-document.ts";

const alone = { $exists: false } as const;

/** Whether a new batch can be made of these rows: all but its head are queued in the lane and in no other batch. */
export async function canGather(
  database: Database,
  head: string,
  members: readonly string[],
  hold: Hold,
): Promise<boolean> {
  const free = await database.model(rowKind).countDocuments({
    _id: { $in: [...members] },
    lane: hold.lane,
    $or: [{ _id: head }, { state: "queued", batch: alone }],
  });
  return free === new Set(members).size;
}

/** Marks the members but the head, and gives each its next attempt. Answers how many it marked. */
export function gather(
  rows: HeldRows,
  head: string,
  members: readonly string[],
  again: boolean,
  hold: Hold,
): Promise<number> {
  const others = members.filter((id) => id !== head);
  const free = again ? { state: { $in: [...openStates] } } : { state: "queued", batch: alone };
  return rows.changeAll({ _id: { $in: others }, ...free }, hold, { set: { batch: head }, inc: { attempt: 1 } });
}

/** What `dissolve` takes from the head. */
export const headFields = ["intent", "blob", "batch"] as const;

/** Whether an attempt that was not applied ends the batch of this head: no earlier one may have been. */
export function dissolves(head: RowDocument): boolean {
  const intent = intentOf(head);
  return intent?.members !== undefined && !intent.again;
}

/**
 * Sets the members free and erases the bytes; the head itself has been written. Stamps every member, so that an older holder
 * who stands between two writes of his marks none of them any more.
 */
export async function dissolve(rows: HeldRows, blobs: Blobs, head: RowDocument, hold: Hold): Promise<void> {
  const members = (intentOf(head)?.members ?? []).filter((id) => id !== head._id);
  const of = { _id: { $in: members }, $or: [{ batch: head._id }, { batch: alone }] };
  await rows.changeAll(of, hold, { unset: ["batch"] });
  if (head.blob !== undefined) await blobs.erase(head.blob);
}

/**
 * A crash may have come between the head of a batch that was dissolved and its members. Such a member stands alone: the head
 * has no intent any more that names it. Undefined: the hold is lost.
 */
export async function freed(
  database: Database,
  rows: HeldRows,
  row: RowDocument,
  hold: Hold,
): Promise<RowDocument | undefined> {
  if (row.batch === undefined || row.batch === row._id) return row;
  const head = await database.get(rowKind, row.batch);
  if (!head || intentOf(head)?.members?.includes(row._id)) return row;
  if (!(await rows.change(row._id, hold, { states: ["queued"] }, { unset: ["batch"] }))) return undefined;
  const { batch: _, ...alone } = row;
  return alone;
}

/** The rows, and those in the given states that are in a batch with one of them. */
export async function withBatches(
  database: Database,
  found: readonly RowDocument[],
  states: readonly RowState[],
): Promise<readonly RowDocument[]> {
  const batches = [...new Set(found.flatMap((row) => row.batch ?? []))];
  if (batches.length === 0) return found;
  const others = await database
    .model(rowKind)
    .find({ batch: { $in: batches }, state: { $in: [...states] } })
    .lean<RowDocument[]>();
  return [...new Map([...found, ...others].map((row) => [row._id, row])).values()];
}

/** Of these batches those that are being sent: their rows are left alone. */
export async function underWay(database: Database, batches: readonly string[]): Promise<ReadonlySet<string>> {
  if (batches.length === 0) return new Set();
  const heads = await database
    .model(rowKind)
    .find({ _id: { $in: [...batches] }, state: { $in: ["sending", "applied"] } }, { _id: 1 })
    .lean<RowDocument[]>();
  return new Set(heads.map((head) => head._id));
}
