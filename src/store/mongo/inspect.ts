// What the database says about itself, for the operator: version, topology, durability, indexes, clock, room.
import type { Clock } from "../../core/clock.ts";
import { translate, type Database } from "./database.ts";
import { missingIndexes } from "./indexes.ts";
import { kinds } from "./kinds.ts";
import { migrations, storedVersion } from "./schema.ts";

export interface Inspection {
  /** `8.0.4`. */
  readonly serverVersion: string;
  readonly topology: "standalone" | "replica set" | "sharded";
  /** As every write of the store asks for. */
  readonly writeConcern: string;
  /** `COLLECTION.INDEX`. */
  readonly missingIndexes: readonly string[];
  readonly schema: { readonly stored: number; readonly known: number };
  /** The database's clock minus this machine's, milliseconds, give or take half of the answer's time. Undefined: not told. */
  readonly clockDifferenceMs: number | undefined;
  /** Bytes free on the disk of the database. Undefined: not told. */
  readonly freeBytes: number | undefined;
}

/** Rejects with `store-unavailable`; changes nothing. */
export async function inspect(database: Database, clock: Clock): Promise<Inspection> {
  try {
    const admin = database.database.admin();
    const { version } = (await admin.command({ buildInfo: 1 })) as { readonly version: string };
    const before = clock.now();
    const hello = await admin.command({ hello: 1 });
    const middle = (before + clock.now()) / 2;
    const { localTime } = hello as { readonly localTime?: Date };
    return {
      serverVersion: version,
      topology: hello["msg"] === "isdbgrid" ? "sharded" : database.replicated ? "replica set" : "standalone",
      writeConcern: writeConcernOf(database),
      missingIndexes: await missingIndexes(database, kinds),
      schema: { stored: await storedVersion(database), known: migrations.length + 1 },
      clockDifferenceMs: localTime && Math.round(localTime.getTime() - middle),
      freeBytes: await freeBytes(database),
    };
  } catch (error) {
    throw translate(error);
  }
}

function writeConcernOf(database: Database): string {
  const concern = database.database.writeConcern;
  return `w: ${concern?.w ?? "default"}, j: ${concern?.journal === true}`;
}

async function freeBytes(database: Database): Promise<number | undefined> {
  const stats = await database.database.command({ dbStats: 1 });
  const { fsTotalSize, fsUsedSize } = stats as { readonly fsTotalSize?: number; readonly fsUsedSize?: number };
  return fsTotalSize === undefined || fsUsedSize === undefined ? undefined : fsTotalSize - fsUsedSize;
}
