// Which lanes are due, in MongoDB: by the hints, so that a sweep reads no more than it answers; and, since a crash may leave
// a hint unwritten, each sweep also looks at the next page of the open rows themselves and mends what it finds.
import type { Database } from "../database.ts";
import { laneKind, type LaneDocument } from "./lane-document.ts";
import type { Lanes } from "./lanes.ts";
import { rowKind, type RowDocument } from "./row-document.ts";

/** Rows a sweep looks at besides. */
const pageSize = 200;

export class DueLanes {
  readonly #database: Database;
  readonly #lanes: Lanes;
  /** Where the next page begins. */
  #after = "";

  constructor(database: Database, lanes: Lanes) {
    this.#database = database;
    this.#lanes = lanes;
  }

  async due(now: number, limit: number, skipChannels: readonly string[]): Promise<readonly string[]> {
    await this.#mendNextPage(now);
    const live = await this.#some(1, now, limit, skipChannels);
    const backfill = live.length < limit ? await this.#some(0, now, limit - live.length, skipChannels) : [];
    return [...live, ...backfill];
  }

  /** The query of a sweep, for its plan. */
  static filter(live: 0 | 1, now: number, skipChannels: readonly string[]) {
    const skip = skipChannels.length > 0 ? { channel: { $nin: [...skipChannels] } } : {};
    return { free: true, live, due: { $lte: now }, ...skip };
  }

  async #some(live: 0 | 1, now: number, limit: number, skip: readonly string[]): Promise<readonly string[]> {
    if (limit <= 0) return [];
    const query = this.#database.model(laneKind).find(DueLanes.filter(live, now, skip), { _id: 1 });
    const found = await query.sort({ due: 1, since: 1 }).limit(limit).lean<LaneDocument[]>();
    return found.map((lane) => lane._id);
  }

  async #mendNextPage(now: number): Promise<void> {
    const rows = this.#database.model(rowKind);
    const query = rows.find({ open: true, _id: { $gt: this.#after } }, { lane: 1, next: 1 });
    const page = await query.sort({ _id: 1 }).limit(pageSize).lean<RowDocument[]>();
    this.#after = page.length < pageSize ? "" : (page.at(-1)?._id ?? "");
    const lanes = [...new Set(page.filter((row) => row.next <= now).map((row) => row.lane))];
    if (lanes.length === 0) return;
    const asleep = await this.#database
      .model(laneKind)
      .find({ _id: { $in: lanes }, free: true, due: { $gt: now } }, { _id: 1 })
      .lean<LaneDocument[]>();
    for (const { _id: lane } of asleep) {
      const head = await this.#lanes.head(lane);
      if (!head || head.next > now) continue;
      await this.#lanes.hintDue([{ lane, since: head.acceptedAt, live: head.priority === "live" }]);
    }
  }
}
