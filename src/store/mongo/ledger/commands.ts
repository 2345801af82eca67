// What people do to rows without holding their lanes, in MongoDB: retry and cancel, a page at a time, each row by
// compare-and-swap on its revision, so that a row which its holder has just taken up is left alone.
import type { Blobs, RowFilter } from "../../../exchange/ports.ts";
import type { RowState } from "../../../core/records.ts";
import type { Database } from "../database.ts";
import { underWay, withBatches } from "./batches.ts";
import { findDocuments } from "./find.ts";
import type { Lanes } from "./lanes.ts";
import { rowKind, type RowDocument } from "./row-document.ts";

const pageSize = 500;

export class Commands {
  readonly #database: Database;
  readonly #lanes: Lanes;
  readonly #blobs: Blobs;

  constructor(database: Database, lanes: Lanes, blobs: Blobs) {
    this.#database = database;
    this.#lanes = lanes;
    this.#blobs = blobs;
  }

  retry(filter: RowFilter): Promise<number> {
    const set = { state: "queued", open: true, failures: 0, next: 0 } as const;
    const update = { $set: set, $unset: { cause: 1, group: 1, problem: 1 }, $inc: { rev: 1 } } as const;
    return this.#inPages(filter, ["quarantined"], (row) => this.#swap(row, update));
  }

  cancelWhere(filter: RowFilter, cause: string, at: number): Promise<number> {
    const set = { state: "cancelled", open: false, cause, endedAt: at, next: 0, waitingSince: 0 } as const;
    const unset = { blob: 1, batch: 1, group: 1, problem: 1 } as const;
    const update = { $set: set, $unset: unset, $inc: { rev: 1 } } as const;
    return this.#inPages(filter, ["queued", "quarantined"], async (row) => {
      if (!(await this.#swap(row, update))) return false;
      if (row.blob !== undefined) await this.#blobs.erase(row.blob);
      return true;
    });
  }

  async #swap(row: RowDocument, update: Readonly<Record<string, unknown>>): Promise<boolean> {
    const { _id, rev, state } = row;
    const { matchedCount } = await this.#database.model(rowKind).updateOne({ _id, rev, state }, update);
    return matchedCount === 1;
  }

  /** Pages begin anew after each, since what was changed no longer matches; what cannot be changed is passed over. */
  async #inPages(
    filter: RowFilter,
    among: readonly RowState[],
    change: (row: RowDocument) => Promise<boolean>,
  ): Promise<number> {
    const most = filter.limit ?? Infinity;
    let { after } = filter;
    let changed = 0;
    while (changed < most) {
      const limit = Math.min(pageSize, most - changed);
      const page = await findDocuments(this.#database, { ...filter, limit, ...(after && { after }) }, among);
      const last = page.at(-1);
      if (!last) break;
      changed += await this.#changePage(page, among, change);
      after = { acceptedAt: last.acceptedAt, id: last._id };
    }
    return changed;
  }

  async #changePage(
    page: readonly RowDocument[],
    among: readonly RowState[],
    change: (row: RowDocument) => Promise<boolean>,
  ): Promise<number> {
    const all = await withBatches(this.#database, page, among);
    const sent = await underWay(this.#database, [...new Set(all.flatMap((row) => row.batch ?? []))]);
    const free = all.filter((row) => row.batch === undefined || !sent.has(row.batch));
    // The head of a batch first: once it is changed, the batch cannot get under way between two of its members.
    const done: RowDocument[] = [];
    for (const heads of [true, false]) {
      const some = free.filter((row) => (row.batch === row._id) === heads);
      const results = await Promise.all(some.map(async (row) => ((await change(row)) ? [row] : [])));
      done.push(...results.flat());
    }
    const hints = done.map((row) => ({ lane: row.lane, since: row.acceptedAt, live: row.priority === "live" }));
    await this.#lanes.hintDue([...new Map(hints.map((hint) => [hint.lane, hint])).values()]);
    return done.length;
  }
}
