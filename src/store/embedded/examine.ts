// What the data file says about itself, for whoever looks for what is wrong with it. It is opened as the store opens it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openDatabase, type Database } from "./database.ts";
import { asStoreError } from "./failure.ts";
import { movedTo, type Moved } from "./moved.ts";
import { migrations } from "./schema.ts";

export interface SqliteFacts {
  /** Of SQLite. */
  readonly version: string;
  /** What is wrong with the file, as SQLite names it; undefined: it is whole. */
  readonly damage: string | undefined;
  /** `wal`, unless the file system cannot do that. */
  readonly journalMode: string;
  /** Each commit is flushed to the disk. */
  readonly synchronous: boolean;
  /** Version of the tables. */
  readonly schema: number;
  readonly bytes: number;
  readonly moved: Moved | undefined;
}

/**
 * Reads the whole file once. Undefined: there is none. Throws `store-unavailable` or `store-newer` when it cannot be opened.
 *
 * @param directory Of the store.
 */
export function examineSqlite(directory: string): SqliteFacts | undefined {
  const path = join(directory, "sluice.sqlite");
  if (!existsSync(path)) return undefined;
  let db: Database | undefined;
  try {
    db = openDatabase(path);
    const ask = (pragma: string): unknown => Object.values(db?.one(`PRAGMA ${pragma}`) ?? {})[0];
    const found = ask("quick_check(1)");
    return {
      version: process.versions.sqlite ?? "unknown",
      damage: found === "ok" ? undefined : String(found),
      journalMode: String(ask("journal_mode")),
      synchronous: Number(ask("synchronous")) >= 2,
      schema: migrations.length,
      bytes: Number(ask("page_count")) * Number(ask("page_size")),
      moved: movedTo(directory),
    };
  } catch (error) {
    throw asStoreError(error);
  } finally {
    db?.close();
  }
}
