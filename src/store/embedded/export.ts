// The data file as a move to another store reads it: page by page, by one connection that lets nobody write meanwhile.
// Commands that would write wait and then fail, readers go on. The lock falls with this process, also on kill -9.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SluiceError } from "../../core/errors.ts";
import type { SqlRow } from "./database.ts";
import { asStoreError } from "./failure.ts";

/** A page ends after so many rows, or when it has grown to so many characters. */
export interface PageSize {
  readonly rows: number;
  readonly chars: number;
}

export class Export {
  readonly #connection: DatabaseSync;

  private constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  /**
   * @param directory Of the store; its file has this version's schema.
   * Throws `store-unavailable` while another process writes for more than 5 s.
   */
  static open(directory: string): Export {
    let connection: DatabaseSync | undefined;
    try {
      connection = new DatabaseSync(join(directory, "sluice.sqlite"), { timeout: 5000 });
      connection.exec("PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384; BEGIN IMMEDIATE");
      return new Export(connection);
    } catch (error) {
      connection?.close();
      throw asStoreError(error);
    }
  }

  /** Rows of `sql` in its order, each page as a list. The next page may be asked for after any time. */
  *pages(sql: string, size: PageSize): Generator<readonly SqlRow[]> {
    let page: SqlRow[] = [];
    let chars = 0;
    for (const row of this.rows(sql)) {
      page.push(row);
      for (const value of Object.values(row)) if (typeof value === "string") chars += value.length;
      if (page.length < size.rows && chars < size.chars) continue;
      yield page;
      page = [];
      chars = 0;
    }
    if (page.length > 0) yield page;
  }

  *rows(sql: string, ...values: readonly (string | number)[]): Generator<SqlRow> {
    try {
      yield* this.#connection.prepare(sql).iterate(...values);
    } catch (error) {
      throw error instanceof SluiceError ? error : asStoreError(error);
    }
  }

  /** How many rows the query gives. */
  count(sql: string): number {
    const [row] = this.rows(`SELECT count(*) AS n FROM (${sql})`);
    return Number(row?.["n"]);
  }

  /** Lets others write again. Nothing was changed. */
  close(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }
}
