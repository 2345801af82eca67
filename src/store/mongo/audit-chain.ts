// The audit log in MongoDB: batches under consecutive `_id`s, which are the sequencer, and a document that names the head.
// The head may lag behind the last batch (a writer died between the two writes), but never lead.
import { emptyHead, isEntry } from "../../audit/batch.ts";
import type { AuditBatch, AuditEntry, AuditHead } from "../../audit/entry.ts";
import { SluiceError } from "../../core/errors.ts";
import { isJsonObject } from "../../core/json.ts";
import { kind, number, part, text, type Database } from "./database.ts";

interface BatchDocument {
  readonly _id: number;
  readonly batch: string;
  readonly prev: string;
  readonly hash: string;
  readonly entries: readonly AuditEntry[];
}

export const batchKind = kind<BatchDocument>(
  "audit",
  {
    _id: number,
    batch: text,
    prev: text,
    hash: text,
    entries: { type: [part<AuditEntry>({ key: text, header: text, sealed: text, commitment: text })], required: true },
  },
  [{ "entries.key": 1 }],
);

interface HeadDocument {
  readonly _id: string;
  readonly n: number;
  readonly hash: string;
}

export const headKind = kind<HeadDocument>("audit_head", { _id: text, n: number, hash: text });

export const auditKinds = [batchKind, headKind];

/** A batch without its entries. */
export type Link = Pick<BatchDocument, "_id" | "batch" | "hash">;

export const headId = "head";
/** Batches read at a time; each holds at most some MB (audit-writer.ts), most hold some kB. */
const pageSize = 50;
const linkPageSize = 500;
const patienceMs = 10_000;

export class AuditChain {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** At start: makes the head document of an empty log. In any other log it must be there. */
  async begin(): Promise<void> {
    if (await this.#database.get(headKind, headId)) return;
    if (await this.span(1)) return;
    await this.#database.insert(headKind, { _id: headId, ...emptyHead });
  }

  /** False: the number is taken. When it rejects, whether the batch is there is not known. */
  insert({ n, batch, prev, hash, entries }: AuditBatch): Promise<boolean> {
    return this.#database.insert(batchKind, { _id: n, batch, prev, hash, entries });
  }

  /**
   * Forward only; a head that is further already is left. Resolves when the majority has this head or a later one, and with
   * it every batch up to there.
   */
  async moveHead({ n, hash }: AuditHead): Promise<void> {
    await this.#database.model(headKind).updateOne({ _id: headId, n: { $lt: n } }, { $set: { n, hash } });
  }

  /** The last batch. Throws `audit-broken` when the log does not hold what its head names. */
  async tail(): Promise<AuditHead> {
    const head = await this.named();
    const span = await this.span(Math.max(head.n, 1));
    if (head.n > 0 && span?.first.hash !== head.hash) {
      throw broken(`it does not hold batch ${head.n} as its head has it`);
    }
    return span ? { n: span.last._id, hash: span.last.hash } : emptyHead;
  }

  /** What the head document says. On a replica set: what no change of the primary takes back. */
  async named(): Promise<AuditHead> {
    const query = this.#database.model(headKind).findById(headId).lean<HeadDocument>();
    const head = await (this.#database.replicated ? query.readConcern("majority") : query);
    if (!head && (await this.span(1))) throw broken("the head is missing");
    if (!head) return emptyHead;
    return { n: head.n, hash: head.hash };
  }

  /** Waits until no change of the primary takes the batch back any more. False: one has done so. */
  async isSettled(n: number): Promise<boolean> {
    return !this.#database.replicated || (await this.hashAt(n)) !== undefined;
  }

  /** The first and the last of the batches from `n` to the end of the log, which are without a gap. */
  async span(n: number): Promise<{ readonly first: Link; readonly last: Link } | undefined> {
    let first: Link | undefined;
    let last: Link | undefined;
    for (let next = n; ;) {
      const page = await this.#links(next);
      for (const link of page) {
        if (link._id !== next) throw broken(`batch ${next} is missing`);
        next += 1;
      }
      first ??= page[0];
      last = page.at(-1) ?? last;
      if (page.length < linkPageSize) return first && last && { first, last };
    }
  }

  /** From the primary, and on a replica set from one that still is it: a wrong no would let something be sent twice. */
  async has(key: string): Promise<boolean> {
    const query = this.#database.model(batchKind).findOne({ "entries.key": key }, { _id: 1 });
    return (await this.#certain(query).lean()) !== null;
  }

  /** Undefined: the batch is not there, for certain. */
  async hashAt(n: number): Promise<string | undefined> {
    if (n === 0) return emptyHead.hash;
    const query = this.#database.model(batchKind).findById(n, { hash: 1 });
    return (await this.#certain(query).lean<Pick<BatchDocument, "hash">>())?.hash;
  }

  /** Throws `audit-broken` at a batch that is not as it was written. Without `from` numbers below 1 are met too. */
  async *read(from?: number): AsyncGenerator<AuditBatch> {
    let next = from ?? (await this.#lowest());
    while (next !== undefined) {
      const page = await this.#page({ $gte: next, $lt: next + pageSize });
      for (const document of page) yield decode(document);
      next = page.length === pageSize ? next + pageSize : await this.#numberAfter(page.at(-1)?.["_id"], next);
    }
  }

  #links(from: number): Promise<Link[]> {
    const query = this.#database.model(batchKind).find({ _id: { $gte: from } }, { batch: 1, hash: 1 });
    const page = query.sort({ _id: 1 }).limit(linkPageSize).lean<Link[]>();
    return this.#database.replicated ? page.readConcern("majority") : page;
  }

  /** As the server has it, nothing cast or filled in. */
  #page(range: { readonly $gte: number; readonly $lt: number }): Promise<Readonly<Record<string, unknown>>[]> {
    const model = this.#database.model(batchKind);
    return model.find({ _id: range }).sort({ _id: 1 }).lean<Readonly<Record<string, unknown>>[]>();
  }

  /** Where to read on behind the end of a page that was not full: behind the gap, if there is one. */
  async #numberAfter(last: unknown, next: number): Promise<number | undefined> {
    const after = typeof last === "number" ? last : next - 1;
    const above = this.#database.model(batchKind).findOne({ _id: { $gt: after } }, { _id: 1 });
    return (await above.sort({ _id: 1 }).lean<Pick<Link, "_id">>())?._id;
  }

  async #lowest(): Promise<number | undefined> {
    const below = this.#database.model(batchKind).findOne({ _id: { $lt: 1 } }, { _id: 1 });
    const link = await below.sort({ _id: 1 }).lean<Pick<Link, "_id">>();
    return link ? link._id : 1;
  }

  #certain<Q extends { readConcern(level: "linearizable"): Q; maxTimeMS(ms: number): Q }>(query: Q): Q {
    return this.#database.replicated ? query.readConcern("linearizable").maxTimeMS(patienceMs) : query;
  }
}

const members = new Set(["_id", "batch", "prev", "hash", "entries"]);

function decode(document: Readonly<Record<string, unknown>>): AuditBatch {
  const { _id: n, batch, prev, hash, entries } = document;
  if (typeof n !== "number" || !Number.isSafeInteger(n)) throw broken("a batch has an impossible number");
  if (typeof batch !== "string" || typeof prev !== "string" || typeof hash !== "string") {
    throw broken(`batch ${n} holds a value of the wrong type`);
  }
  if (Object.keys(document).some((name) => !members.has(name))) throw broken(`batch ${n} holds something else too`);
  if (!Array.isArray(entries) || !entries.every((entry) => isJsonObject(entry) && isEntry(entry))) {
    throw broken(`the entries of batch ${n} are malformed`);
  }
  return { n, batch, prev, hash, entries };
}

export function broken(what: string): SluiceError {
  return new SluiceError("audit-broken", `the audit log is damaged: ${what}`, {
    hint: "keep a dump of the database as it is, run `sluice audit verify`, tell the privacy officer",
  });
}
