// Opens MongoDB stores in databases that go away after the test, and a second hand at their documents.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase, type Database } from "../../../src/store/mongo/database.ts";
import { openMongoStore, type MongoOptions, type MongoStore } from "../../../src/store/mongo/open.ts";
import type { RunningBackend } from "../../backends/backend.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../../backends/mongo-for-tests.ts";

export class Opened {
  readonly uri: string;
  readonly database = newDatabaseName();
  readonly directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
  readonly #stores: MongoStore[] = [];
  #outside: Database | undefined;

  constructor(uri: string) {
    this.uri = uri;
  }

  get mirrorHeadTo(): string {
    return join(this.directory, "audit-head.json");
  }

  /** As one more process would. */
  async store(options: Partial<MongoOptions> = {}): Promise<MongoStore> {
    const store = await openMongoStore({
      uri: this.uri,
      database: this.database,
      mirrorHeadTo: this.mirrorHeadTo,
      ...options,
    });
    this.#stores.push(store);
    return store;
  }

  /** For work on the documents as somebody from outside would do it. */
  async outside(): Promise<Database> {
    this.#outside ??= await openDatabase({ uri: this.uri, database: this.database });
    return this.#outside;
  }

  async close(): Promise<void> {
    // A test may have left a log that cannot be mirrored.
    for (const store of this.#stores) await store.close().catch(() => undefined);
    await this.#outside?.close();
    await dropDatabase(this.uri, this.database);
    rmSync(this.directory, { recursive: true });
  }
}

/** A database of its own for each test of the suite that calls this; gives that of the running test. */
export function databaseOfEachTest(): () => Opened {
  let server: RunningBackend | undefined;
  let opened: Opened | undefined;
  before(async function () {
    server = await mongoForTests(this);
  });
  after(() => server?.close());
  beforeEach(() => {
    opened = new Opened(server?.url ?? "");
  });
  afterEach(() => opened?.close());
  return () => {
    if (!opened) throw new Error("no test is running");
    return opened;
  };
}
