// Lanes in MongoDB: taking one, proving that one still holds it, giving it back with a hint of what is due in it.
import type { Hold, LaneState } from "../../../exchange/ports.ts";
import { SluiceError } from "../../../core/errors.ts";
import type { Database } from "../database.ts";
import { laneKind, never, newLane, readLane, type LaneDocument } from "./lane-document.ts";
import { rowKind, type RowDocument } from "./row-document.ts";

export class Lanes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get #lanes() {
    return this.#database.model(laneKind);
  }

  async peek(lane: string): Promise<LaneState | undefined> {
    const stored = await this.#database.get(laneKind, lane);
    return stored && readLane(stored);
  }

  async claim(lane: string, seen: { readonly fence: number; readonly beat: number }): Promise<Hold | undefined> {
    const { fence, beat } = seen;
    const taken = { fence: fence + 1, beat: beat + 1, free: false };
    const { matchedCount } = await this.#lanes.updateOne({ _id: lane, fence, beat }, { $set: taken });
    if (matchedCount === 1) return { lane, fence: fence + 1 };
    if (fence !== 0 || beat !== 0) return undefined;
    const made = await this.#database.insert(laneKind, { ...newLane(lane), ...taken });
    return made ? { lane, fence: 1 } : undefined;
  }

  /** Not claimed by another since, not released. */
  async stands({ lane, fence }: Hold): Promise<boolean> {
    return (await this.#lanes.exists({ _id: lane, fence, free: false })) !== null;
  }

  async renew({ lane, fence }: Hold): Promise<boolean> {
    const renewed = await this.#lanes.updateOne({ _id: lane, fence, free: false }, { $inc: { beat: 1 } });
    return renewed.matchedCount === 1;
  }

  /**
   * The hint is derived from the rows as they are read after the count of hints: when somebody has hinted meanwhile, what
   * was read may be older than his row, and it is read again.
   */
  async release(hold: Hold): Promise<boolean> {
    const { lane: _id, fence } = hold;
    for (;;) {
      const before = await this.#lanes.findOne({ _id, fence, free: false }, { hints: 1 }).lean<LaneDocument>();
      if (!before) return false;
      const derived = await this.#derive(_id);
      const { matchedCount } = await this.#lanes.updateOne(
        { _id, fence, free: false, hints: before.hints },
        { $set: { ...derived, free: true }, $inc: { beat: 1 } },
      );
      if (matchedCount === 1) return true;
    }
  }

  async #derive(lane: string): Promise<Pick<LaneDocument, "due" | "since" | "channel" | "live">> {
    const head = await this.head(lane);
    if (!head) return { due: never, since: 0, channel: "", live: 0 };
    const { next: due, acceptedAt: since, channel } = head;
    const live = head.priority === "live" || (await this.#hasLive(lane));
    return { due, since, channel, live: live ? 1 : 0 };
  }

  async #hasLive(lane: string): Promise<boolean> {
    return (await this.#database.model(rowKind).exists({ lane, open: true, priority: "live" })) !== null;
  }

  /** The lowest open row, whoever holds the lane. */
  async head(lane: string): Promise<RowDocument | undefined> {
    const query = this.#database.model(rowKind).findOne({ lane, open: true }).sort({ seq: 1 });
    return (await query.lean<RowDocument>()) ?? undefined;
  }

  async held(): Promise<readonly LaneState[]> {
    const stored = await this.#lanes.find({ free: false }).sort({ _id: 1 }).lean<LaneDocument[]>();
    return stored.map(readLane);
  }

  /** The lane to which rows for `lane` go, made when it does not exist: `movedTo` is followed to its end. */
  async endOf(lane: string): Promise<string> {
    const visited = new Set<string>();
    for (let current = lane; !visited.has(current);) {
      visited.add(current);
      const stored = await this.#database.get(laneKind, current);
      if (!stored) await this.#database.insert(laneKind, newLane(current));
      const next = stored?.movedTo;
      if (next === undefined) return current;
      current = next;
    }
    throw new SluiceError("internal", "the lanes' moves form a circle");
  }

  /** The first of so many places at the end of a lane that exists. */
  async places(lane: string, count: number): Promise<number> {
    const update = { $inc: { last: count } };
    const stored = await this.#lanes
      .findOneAndUpdate({ _id: lane }, update, { returnDocument: "after", projection: { last: 1 } })
      .lean<LaneDocument>();
    if (!stored) throw new SluiceError("internal", "a row was put into a lane that does not exist");
    return stored.last - count + 1;
  }

  /** Something of these lanes became due that nobody who holds them has seen. Lanes that have it already are only counted. */
  async hintDue(
    hints: readonly { readonly lane: string; readonly since: number; readonly live: boolean }[],
  ): Promise<void> {
    const updates = hints.map(({ lane, since, live }) => ({
      updateOne: {
        filter: { _id: lane },
        update: { $set: { due: 0, since, channel: "" }, $inc: { hints: 1 }, $max: { live: live ? 1 : 0 } },
      },
    }));
    if (updates.length > 0) await this.#lanes.bulkWrite(updates, { ordered: false });
  }

  /** New rows at the end of their lanes: they are due where no other row is open, else they wait behind the head. */
  async hintNew(rows: readonly Pick<RowDocument, "lane" | "acceptedAt" | "channel" | "priority">[]): Promise<void> {
    const updates = rows.flatMap(({ lane, acceptedAt, channel, priority }) => [
      // First the count: a release that has read the rows before this one was there then fails, or has come before, and is
      // seen by the second write.
      {
        updateOne: {
          filter: { _id: lane },
          update: { $inc: { hints: 1 }, $max: { live: priority === "live" ? 1 : 0 } },
        },
      },
      {
        updateOne: {
          filter: { _id: lane, due: never },
          update: { $set: { due: 0, since: acceptedAt, channel } },
        },
      },
    ]);
    if (updates.length > 0) await this.#lanes.bulkWrite(updates, { ordered: true });
  }
}
