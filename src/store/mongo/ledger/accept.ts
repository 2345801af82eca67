// Accepting rows in MongoDB, in this order: a place in the lane, the row, the hint on the lane. Only then is it answered, so
// a crash in between is a notice that nobody acknowledged; when it comes again the row is known, and is hinted anew.
import type { NewRow } from "../../../exchange/ports.ts";
import type { Database } from "../database.ts";
import type { Lanes } from "./lanes.ts";
import { laneKind, type LaneDocument } from "./lane-document.ts";
import { newDocument, rowKind, type RowDocument } from "./row-document.ts";

const chunk = 500;

export async function acceptRows(
  database: Database,
  lanes: Lanes,
  rows: readonly NewRow[],
): Promise<readonly ("accepted" | "known")[]> {
  const answers: ("accepted" | "known")[] = [];
  for (let at = 0; at < rows.length; at += chunk) {
    answers.push(...(await acceptChunk(database, lanes, rows.slice(at, at + chunk))));
  }
  return answers;
}

async function acceptChunk(
  database: Database,
  lanes: Lanes,
  rows: readonly NewRow[],
): Promise<readonly ("accepted" | "known")[]> {
  const known = await knownRows(database, [...new Set(rows.map((row) => row.id))]);
  const fresh = new Map(rows.filter((row) => !known.has(row.id)).map((row) => [row.id, row]));
  const documents = await placed(lanes, [...fresh.values()]);
  const taken = await database.insertAll(rowKind, documents);
  const mine = documents.filter((document) => !taken.has(document._id));
  const theirs = taken.size === 0 ? new Map<string, RowDocument>() : await knownRows(database, [...taken]);
  const again = [...known.values(), ...theirs.values()].filter((document) => document.open);
  await lanes.hintNew(oneALane([...mine, ...again]));
  await followMoves(database, lanes, mine);
  const accepted = new Set(mine.map((document) => document._id));
  return rows.map((row) => (accepted.delete(row.id) ? "accepted" : "known"));
}

async function knownRows(database: Database, ids: readonly string[]): Promise<Map<string, RowDocument>> {
  if (ids.length === 0) return new Map();
  const found = await database
    .model(rowKind)
    .find({ _id: { $in: [...ids] } }, { lane: 1, acceptedAt: 1, channel: 1, priority: 1, open: 1 })
    .lean<RowDocument[]>();
  return new Map(found.map((document) => [document._id, document]));
}

/** Each lane's rows, in their order, at consecutive places of it. */
async function placed(lanes: Lanes, rows: readonly NewRow[]): Promise<readonly RowDocument[]> {
  const byLane = [...Map.groupBy(rows, (row) => row.lane)];
  const documents = new Map<string, RowDocument>();
  await Promise.all(
    byLane.map(async ([name, own]) => {
      const lane = await lanes.endOf(name);
      const from = await lanes.places(lane, own.length);
      own.forEach((row, index) => documents.set(row.id, newDocument(row, lane, from + index)));
    }),
  );
  return rows.flatMap((row) => documents.get(row.id) ?? []);
}

/** Of a lane's rows the first: it says since when and on which channel, a live one that the lane is live. */
function oneALane(documents: readonly RowDocument[]): readonly RowDocument[] {
  const byLane = new Map<string, RowDocument>();
  for (const document of documents) {
    const before = byLane.get(document.lane);
    if (!before) byLane.set(document.lane, document);
    else if (document.priority === "live") byLane.set(document.lane, { ...before, priority: "live" });
  }
  return [...byLane.values()];
}

/** A lane may have been merged into another between the look at it and the insert: its holder has not seen these rows. */
async function followMoves(database: Database, lanes: Lanes, documents: readonly RowDocument[]): Promise<void> {
  const names = [...new Set(documents.map((document) => document.lane))];
  if (names.length === 0) return;
  const moved = await database
    .model(laneKind)
    .find({ _id: { $in: names }, movedTo: { $type: "string" } }, { _id: 1 })
    .lean<LaneDocument[]>();
  for (const { _id: from } of moved) {
    const to = await lanes.endOf(from);
    for (const document of documents.filter((one) => one.lane === from)) {
      const seq = await lanes.places(to, 1);
      const update = { $set: { lane: to, seq, fence: 0 }, $inc: { rev: 1 } };
      await database.model(rowKind).updateOne({ _id: document._id, lane: from }, update);
      await lanes.hintNew([{ ...document, lane: to }]);
    }
  }
}
