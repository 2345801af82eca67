// Changing a row as the holder of its lane. There is no transaction over the lane and the row, so each row carries the fence
// of the last holder that wrote it or saw it at the head, and each write is conditional on it:
// - with the same fence on it, the row is the holder's: a later holder stamps the head before he does anything, and from then
//   on an older one finds another fence;
// - with a lower one, the row was never this holder's: the lane is asked first, and the write raises the fence. A later
//   holder who takes the lane between the two has read nothing yet; if he has stamped the row, the write fails.
import type { Hold } from "../../../exchange/ports.ts";
import type { RowState } from "../../../core/records.ts";
import type { Database } from "../database.ts";
import type { Lanes } from "./lanes.ts";
import { rowKind, type RowDocument } from "./row-document.ts";

export type RowUpdate = {
  readonly set?: Partial<RowDocument>;
  readonly unset?: readonly (keyof RowDocument)[];
  readonly inc?: Partial<Record<"attempt" | "failures", number>>;
};

export interface When {
  readonly states: readonly RowState[];
  /** Attempt numbers never go back. */
  readonly attemptUpTo?: number;
}

export class HeldRows {
  readonly #database: Database;
  readonly #lanes: Lanes;

  constructor(database: Database, lanes: Lanes) {
    this.#database = database;
    this.#lanes = lanes;
  }

  get #rows() {
    return this.#database.model(rowKind);
  }

  /** False: the hold is lost, or the row is not in the lane or not in one of the states; nothing was changed. */
  async change(id: string, hold: Hold, when: When, update: RowUpdate): Promise<boolean> {
    const condition = {
      _id: id,
      lane: hold.lane,
      state: { $in: [...when.states] },
      ...(when.attemptUpTo === undefined ? {} : { attempt: { $lte: when.attemptUpTo } }),
    };
    if (await this.#write({ ...condition, fence: hold.fence }, hold, update)) return true;
    if (!(await this.#lanes.stands(hold))) return false;
    return this.#write({ ...condition, fence: { $lt: hold.fence } }, hold, update);
  }

  async #write(condition: Readonly<Record<string, unknown>>, hold: Hold, update: RowUpdate): Promise<boolean> {
    const { matchedCount } = await this.#rows.updateOne(condition, written(hold, update));
    return matchedCount === 1;
  }

  /** Many rows of a held lane at once, those of a later holder left out. Answers how many. */
  async changeAll(condition: Readonly<Record<string, unknown>>, hold: Hold, update: RowUpdate): Promise<number> {
    const own = { ...condition, lane: hold.lane, fence: { $lte: hold.fence } };
    const { matchedCount } = await this.#rows.updateMany(own, written(hold, update));
    return matchedCount;
  }

  /** The row, if the holder may write it: what he then puts on record is not in vain. */
  async mine(id: string, hold: Hold, states: readonly RowState[]): Promise<RowDocument | undefined> {
    const row = await this.#database.get(rowKind, id);
    if (!row || row.lane !== hold.lane || row.fence > hold.fence || !states.includes(row.state)) return undefined;
    return row.fence === hold.fence || (await this.#lanes.stands(hold)) ? row : undefined;
  }

  /** The lowest open row, stamped. Undefined: there is none, or the hold is lost. */
  async head(hold: Hold): Promise<RowDocument | undefined> {
    for (;;) {
      if (!(await this.#lanes.stands(hold))) return undefined;
      const head = await this.#lanes.head(hold.lane);
      if (!head || head.fence === hold.fence) return head;
      const { _id, lane, rev } = head;
      // Somebody who holds no lane (a cancellation) may have written it meanwhile: then another is at the head.
      const stamp = { $set: { fence: hold.fence }, $inc: { rev: 1 } };
      const { matchedCount } = await this.#rows.updateOne(
        { _id, lane, rev, open: true, fence: { $lt: hold.fence } },
        stamp,
      );
      if (matchedCount === 1) return { ...head, fence: hold.fence, rev: rev + 1 };
    }
  }
}

function written(hold: Hold, { set = {}, unset = [], inc = {} }: RowUpdate) {
  return {
    $set: { fence: hold.fence, ...set },
    $inc: { ...inc, rev: 1 },
    ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map((field) => [field, 1])) }),
  };
}
