// Runs the store contract against the production store on MongoDB, each test in a database of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMongoStore } from "../../../src/store/mongo/open.ts";
import type { RunningBackend } from "../../backends/backend.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../../backends/mongo-for-tests.ts";
import { storeContract } from "./contract.ts";

describe("on MongoDB", () => {
  let mongo: RunningBackend | undefined;
  before(async function () {
    mongo = await mongoForTests(this);
  });
  after(() => mongo?.close());

  storeContract("production", async () => {
    const uri = mongo?.url ?? "";
    const database = newDatabaseName();
    const directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
    const store = await openMongoStore({ uri, database, mirrorHeadTo: join(directory, "audit-head.json") });
    return {
      store,
      close: async () => {
        await store.close();
        await dropDatabase(uri, database);
        rmSync(directory, { recursive: true });
      },
    };
  });
});
