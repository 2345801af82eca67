// What processes beside this one must hear of, in MongoDB: under consecutive `_id`s, each claimed by insert after the one
// before it was seen, so who has read up to n has missed nothing. Nobody reads a change that could still be taken back.
import type { Change, Changes } from "../../exchange/ports.ts";
import { kind, number, text, type Database } from "./database.ts";

interface ChangeDocument {
  readonly _id: number;
  readonly kind: Change["kind"];
  readonly ref: string;
}

export const changeKind = kind<ChangeDocument>("changes", {
  _id: number,
  kind: { type: String, required: true, enum: ["consent", "system", "configuration", "register"] },
  ref: text,
});

interface MarkDocument {
  readonly _id: string;
  readonly n: number;
}

/** A number that was reached: where a process that starts begins to look for the end. */
export const markKind = kind<MarkDocument>("changes_mark", { _id: text, n: number });

export const changeKinds = [changeKind, markKind];

export const markId = "mark";
const markEvery = 100;
const pageSize = 1000;
const patienceMs = 10_000;

export class ChangeLog implements Changes {
  readonly #database: Database;
  #known = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  /** At start. */
  async begin(): Promise<void> {
    await this.#database.insert(markKind, { _id: markId, n: 0 });
    this.#known = (await this.#database.get(markKind, markId))?.n ?? 0;
  }

  /** Resolves when it is durable. One at a time, so that this process does not race itself for the numbers. */
  announce(kind: Change["kind"], ref: string): Promise<void> {
    const told = this.#turn.then(() => this.#announce(kind, ref));
    this.#turn = told.catch(() => undefined);
    return told;
  }

  async #announce(kind: Change["kind"], ref: string): Promise<void> {
    // The number after the last one known is taken only if another process was quicker.
    for (let n = this.#known + 1; ; n = (await this.#end()) + 1) {
      if (!(await this.#database.insert(changeKind, { _id: n, kind, ref }))) {
        // Waits until no change of the primary takes that number back: a gap would hide all later changes from everybody.
        await this.#isThere(n);
        continue;
      }
      this.#known = n;
      if (n % markEvery !== 0) return;
      await this.#database.model(markKind).updateOne({ _id: markId, n: { $lt: n } }, { $set: { n } });
      return;
    }
  }

  head(): Promise<number> {
    return this.#end();
  }

  async since(n: number, limit: number): Promise<readonly Change[]> {
    if (!(await this.#isThere(n + 1))) return [];
    const changes = await this.#window(n, Math.min(limit, pageSize));
    return changes.map(({ _id, kind, ref }) => ({ n: _id, kind, ref }));
  }

  async #end(): Promise<number> {
    let end = this.#known;
    for (;;) {
      const page = await this.#window(end, pageSize);
      end = page.at(-1)?._id ?? end;
      if (page.length < pageSize) break;
    }
    this.#known = end;
    return end;
  }

  /** The numbers are without a gap, so a range of them is a page. Only what no change of the primary takes back. */
  async #window(after: number, size: number): Promise<readonly ChangeDocument[]> {
    const query = this.#database.model(changeKind).find({ _id: { $gt: after, $lte: after + size } });
    const sorted = query.sort({ _id: 1 }).lean<ChangeDocument[]>();
    return this.#database.replicated ? sorted.readConcern("majority") : sorted;
  }

  /** On a replica set asked of a primary that still is it: an old one, cut off, would say that nothing has changed. */
  async #isThere(n: number): Promise<boolean> {
    const query = this.#database.model(changeKind).findById(n, { _id: 1 });
    const certain = this.#database.replicated ? query.readConcern("linearizable").maxTimeMS(patienceMs) : query;
    return (await certain.lean()) !== null;
  }
}
