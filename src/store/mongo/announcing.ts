// Documents that other processes hold in memory. Each is announced after it is durable and before the verb answers; a mark
// on it says that this is still owed, so that a process that dies in between leaves it to the next call, or to anybody.
import type { Change } from "../../exchange/ports.ts";
import type { ChangeLog } from "./changes.ts";
import { change, type Versioned } from "./changing.ts";
import type { Database, Index, Kind } from "./database.ts";

export interface Announced extends Versioned {
  /** The change that is owed. */
  readonly owes?: string;
}

/** What every kind of such document has. */
export const owesField = { owes: String } as const;
export const owesIndex: Index = { owes: 1 };

/** A kind of document that is announced, and as what. */
export interface Announcing {
  readonly collection: string;
  readonly change: Change["kind"];
}

type Debt = Pick<Announced, "_id" | "rev" | "owes">;
const mostAtOnce = 100;

export class Announcements {
  readonly #database: Database;
  readonly #changes: ChangeLog;
  /** Debts seen at the last look. */
  #seen = new Set<string>();

  constructor(database: Database, changes: ChangeLog) {
    this.#database = database;
    this.#changes = changes;
  }

  /**
   * Moves the document as `decide` says (changing.ts) and announces it. When there is nothing to move, an announcement that
   * is still owed is made. True: this call moved it.
   *
   * @param ref What the change names; undefined = nobody needs to hear of it.
   */
  async change<T extends Announced>(
    of: Kind<T>,
    as: Change["kind"],
    id: string,
    ref: string | undefined,
    decide: (now: T | undefined) => Omit<T, "_id" | "rev" | "owes"> | undefined,
  ): Promise<boolean> {
    const { document, written } = await change<T>(this.#database, of, id, (now) => {
      const content = decide(now);
      if (content === undefined) return undefined;
      const owes = ref ?? now?.owes;
      return { ...content, ...(owes === undefined ? {} : { owes }) } as Omit<T, "_id" | "rev">;
    });
    if (document) await this.pay({ collection: of.collection, change: as }, document);
    return written;
  }

  /** Announces it, then takes the mark off, unless the document has changed again: then it is owed again. */
  async pay({ collection, change }: Announcing, { _id, rev, owes }: Debt): Promise<void> {
    if (owes === undefined) return;
    await this.#changes.announce(change, owes);
    await this.#database.raw(collection).updateOne({ _id, rev }, { $unset: { owes: 1 } });
  }

  /** Pays what others owe since the last look: who is alive has paid by then. What is announced twice does no harm. */
  async payForOthers(kinds: readonly Announcing[]): Promise<void> {
    const seen = new Set<string>();
    for (const kind of kinds) {
      const owing = this.#database.raw(kind.collection).find({ owes: { $gt: "" } }, { limit: mostAtOnce });
      for (const debt of (await owing.toArray()) as unknown as Debt[]) {
        const name = `${kind.collection}/${debt._id}/${debt.rev}`;
        if (this.#seen.has(name)) await this.pay(kind, debt);
        else seen.add(name);
      }
    }
    this.#seen = seen;
  }
}
