// The SQLite file: how it is opened, brought to this version's schema and asked. Runs in the thread that owns the file.
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { SluiceError } from "../../core/errors.ts";
import { migrations } from "./schema.ts";

export type SqlRow = Readonly<Record<string, SQLOutputValue>>;

/** How long a write of another process is waited for, milliseconds. */
const busyMs = 5000;

/** A connection with its prepared statements, each compiled once. */
export class Database {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  one(sql: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): readonly SqlRow[] {
    return this.#statement(sql).all(...values);
  }

  /** Rows one by one; stop early with `break`. */
  each(sql: string, ...values: SQLInputValue[]): Iterable<SqlRow> {
    return this.#statement(sql).iterate(...values);
  }

  /** Answers how many rows changed; those that triggers changed are not counted. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  get inTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /**
   * Moves the WAL into the file and empties it, so that erased bytes are gone from both. False: another process is
   * reading, try again later.
   */
  emptyWal(): boolean {
    this.#connection.exec("PRAGMA busy_timeout = 0");
    try {
      return this.one("PRAGMA wal_checkpoint(TRUNCATE)")?.["busy"] === 0;
    } finally {
      this.#connection.exec(`PRAGMA busy_timeout = ${busyMs}`);
    }
  }

  close(): void {
    this.#connection.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Opens or makes the file (mode 0600). `maxPages` caps its size in pages of 4096 bytes.
 * Throws `store-newer` for a file that a later version of Sluice wrote.
 */
export function openDatabase(path: string, maxPages?: number): Database {
  closeSync(openSync(path, "a", 0o600)); // SQLite gives the WAL the same mode
  const connection = new DatabaseSync(path, { timeout: busyMs });
  try {
    refuseNewer(versionOf(connection));
    // FULL: an answered commit survives a power cut. secure_delete: what is deleted is overwritten.
    connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON");
    connection.exec("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536");
    if (maxPages !== undefined) connection.exec(`PRAGMA max_page_count = ${Math.trunc(maxPages)}`);
    migrate(connection);
    return new Database(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
}

function versionOf(connection: DatabaseSync): number {
  return Number(connection.prepare("PRAGMA user_version").get()?.["user_version"]);
}

function refuseNewer(version: number): void {
  if (version <= migrations.length) return;
  throw new SluiceError("store-newer", `the data has version ${version}, this Sluice knows ${migrations.length}`, {
    hint: "run the newer version of Sluice that wrote the data, or restore a backup made before it",
  });
}

function migrate(connection: DatabaseSync): void {
  if (versionOf(connection) === migrations.length) return;
  connection.exec("BEGIN IMMEDIATE");
  try {
    const version = versionOf(connection); // again, now that nobody else can move it
    refuseNewer(version);
    for (const step of migrations.slice(version)) connection.exec(step);
    connection.exec(`PRAGMA user_version = ${migrations.length}`);
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}
