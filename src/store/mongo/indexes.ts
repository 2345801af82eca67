// The collections and indexes that the store relies on: made where they are missing, and refused where the database has
// others in their place. They are data of each kind of document (`kind` in database.ts).
import { SluiceError } from "../../core/errors.ts";
import type { Database, Index, Kind } from "./database.ts";

/** A kind of document, as far as this file is concerned. */
export type Indexed = Pick<Kind<never>, "collection" | "indexes">;

/** What the server says about an index. */
interface Found {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly [option: string]: unknown;
}

/** What an index must not have: it would refuse, leave out or remove documents. */
const foreign = ["unique", "sparse", "partialFilterExpression", "expireAfterSeconds", "collation"];

/** Several processes may do it at once. Throws `config-invalid` when another index is in the way. */
export async function makeIndexes(database: Database, kinds: readonly Indexed[]): Promise<void> {
  const there = await collections(database);
  for (const { collection, indexes } of kinds) {
    if (!there.has(collection)) await makeCollection(database, collection);
    const missing = indexes.length === 0 ? [] : missingIn(collection, indexes, await found(database, collection));
    if (missing.length === 0) continue;
    const wanted = missing.map((key) => ({ key: { ...key }, name: nameOf(key) }));
    await database.raw(collection).createIndexes(wanted);
  }
}

/** Names of what `makeIndexes` would make, as `COLLECTION.INDEX`; changes nothing. */
export async function missingIndexes(database: Database, kinds: readonly Indexed[]): Promise<readonly string[]> {
  const there = await collections(database);
  const missing: string[] = [];
  for (const { collection, indexes } of kinds) {
    const existing = there.has(collection) ? await found(database, collection) : [];
    missing.push(...missingIn(collection, indexes, existing).map((key) => `${collection}.${nameOf(key)}`));
  }
  return missing;
}

async function collections(database: Database): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const { name } of database.database.listCollections({}, { nameOnly: true })) names.add(name);
  return names;
}

async function makeCollection(database: Database, name: string): Promise<void> {
  try {
    await database.database.createCollection(name);
  } catch (error) {
    if (!(await collections(database)).has(name)) throw error; // else another process was quicker
  }
}

async function found(database: Database, collection: string): Promise<readonly Found[]> {
  return (await database.raw(collection).indexes()) as unknown as readonly Found[];
}

function missingIn(collection: string, wanted: readonly Index[], existing: readonly Found[]): readonly Index[] {
  return wanted.filter((key) => {
    const same = existing.find((index) => sameKey(index.key, key));
    const inTheWay = same ? isForeign(same) : existing.some((index) => index.name === nameOf(key));
    if (inTheWay) throw conflict(collection, same?.name ?? nameOf(key));
    return same === undefined;
  });
}

function sameKey(key: Readonly<Record<string, unknown>>, wanted: Index): boolean {
  return JSON.stringify(Object.entries(key)) === JSON.stringify(Object.entries(wanted));
}

function isForeign(index: Found): boolean {
  return foreign.some((option) => index[option] !== undefined && index[option] !== false);
}

/** As MongoDB itself would name it. */
function nameOf(key: Index): string {
  return Object.entries(key).flat().join("_");
}

function conflict(collection: string, name: string): SluiceError {
  return new SluiceError("config-invalid", `the index ${name} of ${collection} is not the one that Sluice needs`, {
    hint: `in the database of Sluice: db.${collection}.dropIndex("${name}"); then start again, it is made anew`,
  });
}
