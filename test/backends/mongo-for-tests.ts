// The MongoDB of a test file: the one that `npm test` started, else one started here. Where there can be none, the file's
// tests are reported as not run (with CI=true they fail): never passed over in silence.
import { randomBytes } from "node:crypto";
import { mongo } from "mongoose";
import { startOrSkip, type RunningBackend } from "./backend.ts";
import { startMongo } from "./mongo.ts";

/** To be awaited in a `before` hook; skips its suite when there is no MongoDB. */
export async function mongoForTests(hook: Mocha.Context): Promise<RunningBackend> {
  const running = process.env["SLUICE_TEST_MONGODB_URI"];
  if (running) return { url: running, description: "started by npm test", close: () => Promise.resolve() };
  hook.timeout(300_000);
  return startOrSkip(hook, startMongo);
}

/** A database name that nobody else uses. */
export function newDatabaseName(): string {
  return `sluice_test_${randomBytes(6).toString("hex")}`;
}

export async function dropDatabase(url: string, name: string): Promise<void> {
  const client = new mongo.MongoClient(url);
  try {
    await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}
