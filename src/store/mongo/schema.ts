// Which version the stored documents have, and how those of an older version are brought forward. Each step may be done twice
// and by several processes at once, so no process has to claim it, and one that dies in a step leaves nothing to clean up.
import { SluiceError } from "../../core/errors.ts";
import { kind, number, text, type Database, type Keyed } from "./database.ts";

interface SchemaDocument extends Keyed {
  readonly _id: string;
  readonly version: number;
}

const schemaKind = kind<SchemaDocument>("schema", { _id: text, version: number });

export const schemaKinds = [schemaKind];

/**
 * Changes documents of one version to the next. Must be idempotent, and must find by itself which documents are still to be
 * changed: another process may be in the same step.
 */
export type Migration = (database: Database) => Promise<void>;

/** Element i brings a database from version i + 1 to i + 2. Never change one that was released. */
export const migrations: readonly Migration[] = [];

const id = "schema";

/** Throws `store-newer` for a database that a later version of Sluice wrote. */
export async function migrate(database: Database, steps: readonly Migration[] = migrations): Promise<void> {
  const known = steps.length + 1;
  await database.insert(schemaKind, { _id: id, version: known });
  for (;;) {
    const version = await storedVersion(database);
    refuseNewer(version, known);
    const step = steps[version - 1];
    if (!step) return;
    await step(database);
    // Whoever is done first moves it; the others find it moved.
    await database.model(schemaKind).updateOne({ _id: id, version }, { $set: { version: version + 1 } });
  }
}

/** Throws `store-newer` when a later version of Sluice has come since this process started. */
export async function checkVersion(database: Database, steps: readonly Migration[] = migrations): Promise<void> {
  refuseNewer(await storedVersion(database), steps.length + 1);
}

/** 0: there is no store yet. */
export async function storedVersion(database: Database): Promise<number> {
  return (await database.get(schemaKind, id))?.version ?? 0;
}

function refuseNewer(version: number, known: number): void {
  if (version <= known) return;
  throw new SluiceError("store-newer", `the data has version ${version}, this Sluice knows ${known}`, {
    hint: "run the newer version of Sluice that wrote the data, or restore a backup made before it",
  });
}
