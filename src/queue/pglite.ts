// The embedded profile's queue: BullMQ's PostgreSQL back end over PGlite in a directory of its own. What an earlier process
// left there has no owner any more and is thrown away at start (a job it was running would block its lane's next wake-up
// until BullMQ declares it stalled); a directory that cannot be opened is made anew. The sweep wakes whatever is due.
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { createPostgresBackend, Queue, runMigrations, Worker } from "bullmq";
import { SluiceError } from "../core/errors.ts";
import { type OpenConnection, type QueueConnection, queueDefaults, unavailable, workerDefaults } from "./connection.ts";
import { PglitePool } from "./pglite-pool.ts";

export interface PgliteOptions {
  /**
   * A file that holds a dump of a migrated directory, made when it is missing: a new directory then takes 0.4 s to make
   * instead of 3 s. It must be a file that nobody else can write.
   */
  readonly template?: string;
}

const schema = "bullmq";
/** Names that PostgreSQL gives to what is in its directory; with any other name in it, a directory is not ours to empty. */
const ownNames = /^(PG_VERSION|base|global|pg_[\w.]+|postgresql[\w.]*|postmaster\.\w+)$/;

/** `dir` belongs to this queue alone, and to one process at a time: the caller holds the lock on the data directory. */
export function pgliteConnection(dir: string, options: PgliteOptions = {}): OpenConnection {
  return async () => {
    const db = await openOrRemake(dir, options.template);
    const pool = new PglitePool(db);
    const version = await db.query<{ server_version: string }>("SHOW server_version");
    return {
      backend: "pglite",
      version: version.rows[0]?.server_version ?? "unknown",
      warnings: [],
      queue: (name) => new Queue(name, { connection: pool, ...queueDefaults }, createPostgresBackend),
      worker: (name, run, { concurrency, idlePollSeconds }) =>
        new Worker(
          name,
          run,
          { connection: pool, ...workerDefaults, concurrency, drainDelay: idlePollSeconds },
          createPostgresBackend,
        ),
      leave: () => Promise.resolve(),
      close: async () => {
        await pool.quiet();
        await db.close();
      },
    } satisfies QueueConnection;
  };
}

async function openOrRemake(dir: string, template: string | undefined): Promise<PGlite> {
  try {
    return await openMigrated(dir, template);
  } catch {
    await emptyOwnDirectory(dir);
  }
  try {
    return await openMigrated(dir, undefined);
  } catch {
    throw unavailable("PGlite", "see that the data directory can be written and its disk has 100 MB to spare");
  }
}

async function openMigrated(dir: string, template: string | undefined): Promise<PGlite> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const isNew = (await readdir(dir)).length === 0;
  const dump = isNew && template ? await readDump(template) : undefined;
  const db = await PGlite.create({ dataDir: dir, ...(dump ? { loadDataDir: dump } : {}) });
  try {
    await migrate(db);
    if (isNew && template && !dump) await writeDump(db, template);
    return db;
  } catch (error) {
    await db.close().catch(() => undefined);
    throw error;
  }
}

/** Also proves that the directory can be read and written: reads the schema's version, deletes every table's rows. */
async function migrate(db: PGlite): Promise<void> {
  const client = await new PglitePool(db).connect();
  await runMigrations(client, schema);
  client.release();
  const tables = await db.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migration'",
    [schema],
  );
  await db.exec(`TRUNCATE ${tables.rows.map((table) => table.name).join(", ")}`);
  await db.exec(`SET search_path TO ${schema}, public`);
}

async function emptyOwnDirectory(dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => {
    throw unavailable("PGlite", "see that the data directory can be read and is a directory");
  });
  if (!names.every((name) => ownNames.test(name))) {
    throw new SluiceError("config-invalid", "the queue's directory holds files that are not the queue's", {
      hint: "give --data a directory of its own, or move the foreign files away",
    });
  }
  await rm(dir, { recursive: true, force: true });
}

async function readDump(template: string): Promise<Blob | undefined> {
  const bytes = await readFile(template).catch(() => undefined);
  return bytes && new Blob([new Uint8Array(bytes)], { type: "application/x-tar" });
}

/** Written beside and moved into place, so that nobody reads half of it. */
async function writeDump(db: PGlite, template: string): Promise<void> {
  const dump = await db.dumpDataDir("none");
  const partial = `${template}.${process.pid}`;
  await mkdir(dirname(template), { recursive: true });
  await writeFile(partial, new Uint8Array(await dump.arrayBuffer()), { mode: 0o600 });
  await rename(partial, template);
}
