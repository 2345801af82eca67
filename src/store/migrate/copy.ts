// One kind of document from SQLite to MongoDB. What is there already is compared, never written over: so a copy that was
// broken off goes on where it was, and a database that holds something else is found out.
import { SluiceError } from "../../core/errors.ts";
import type { SqlRow } from "../embedded/database.ts";
import type { Export, PageSize } from "../embedded/export.ts";
import { isDuplicate, type Database, type Keyed, type Kind } from "../mongo/database.ts";
import { Content, textOf } from "./content.ts";

type Plain = Record<string, unknown> & Keyed;

/** A query of SQLite, and what its rows become. */
export interface Part {
  readonly collection: string;
  readonly sql: string;
  /** As they are stored: each has the shape that the store keeps. */
  documents(rows: readonly SqlRow[], to: Database): Promise<readonly Plain[]>;
}

export function part<T extends Keyed>(of: Kind<T>, sql: string, document: (row: SqlRow) => T): Part {
  return {
    collection: of.collection,
    sql,
    documents: (rows, to) => {
      const model = to.model(of);
      return Promise.all(
        rows.map(async (row) => {
          const checked = new model(document(row));
          await checked.validate();
          return checked.toObject() as unknown as Plain;
        }),
      );
    },
  };
}

export interface Sides {
  readonly from: Export;
  readonly to: Database;
  readonly size: PageSize;
}

/** @param done Told how many documents more are there. */
export async function copyPart(
  part: Part,
  { from, to, size }: Sides,
  done: (documents: number) => void,
): Promise<void> {
  for (const rows of from.pages(part.sql, size)) {
    await copyPage(part.collection, await part.documents(rows, to), to);
    done(rows.length);
  }
}

async function copyPage(collection: string, page: readonly Plain[], to: Database): Promise<void> {
  const there = new Map<unknown, string>();
  const ids = page.map(({ _id }) => _id);
  for await (const found of to.raw(collection).find({ _id: { $in: ids } })) there.set(found._id, textOf(found));
  const missing = page.filter((document) => {
    const text = there.get(document._id);
    if (text !== undefined && text !== textOf(document)) {
      throw foreign(`${collection} holds another document ${document._id} than the data directory`);
    }
    return text === undefined;
  });
  if (missing.length === 0) return;
  try {
    await to.raw(collection).insertMany(missing, { ordered: false });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    throw foreign("somebody else writes to it at the same time");
  }
}

export interface Compared {
  readonly collection: string;
  readonly documents: number;
  /** Of all documents, on both sides. */
  readonly hash: string;
}

/**
 * Reads both sides to their ends. Throws `data-foreign` when they do not hold the same.
 *
 * @param done Told how many documents more were read on both sides.
 */
export async function comparePart(
  part: Part,
  { from, to, size }: Sides,
  done: (documents: number) => void,
): Promise<Compared> {
  const { collection, sql } = part;
  const [source, target] = [new Content(), new Content()];
  for (const rows of from.pages(sql, size)) {
    for (const document of await part.documents(rows, to)) source.add(textOf(document));
  }
  for await (const document of to.raw(collection).find({}, { batchSize: size.rows })) {
    target.add(textOf(document));
    done(1);
  }
  if (source.count !== target.count) {
    throw foreign(`${collection} holds ${target.count} documents, of the data directory come ${source.count}`);
  }
  if (source.hash !== target.hash) throw foreign(`${collection} does not hold what was copied to it`);
  return { collection, documents: source.count, hash: source.hash };
}

export function foreign(what: string): SluiceError {
  return new SluiceError("data-foreign", `the database is no copy of this data directory: ${what}`, {
    hint:
      "one side was changed since the copy began, or the database is another deployment's. If nothing in it is needed, " +
      "drop it; else set another `production.prefix`. Then run the same command again",
  });
}
