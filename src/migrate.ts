// Moves the deployment of a data directory to the production profile's store, under the lock of the directory, so that no
// gateway runs on it. mongoose is loaded only for this.
import { systemClock } from "./core/clock.ts";
import type { Keys } from "./core/configuration.ts";
import { layout } from "./embedded.ts";
import { putOnRecord } from "./exchange/administer.ts";
import { compareKeys } from "./exchange/key-check.ts";
import type { ProductionPlaces } from "./settings/deployment.ts";
import { acquireLock } from "./store/embedded/lock.ts";
import type { Move, Progress } from "./store/migrate/move.ts";

export type { Move, Progress };

export interface MigrateOptions {
  readonly data: string;
  readonly places: ProductionPlaces;
  readonly keys: Keys;
  /** `operator:NAME`, who goes on record. */
  readonly actor: string;
  readonly progress?: (progress: Progress) => void;
}

/** Throws `data-locked` while a gateway runs, `key-missing` for keys that are not the data's, and what `moveStore` throws. */
export async function migrateToProduction(options: MigrateOptions): Promise<Move> {
  const { data, places, keys, actor, progress } = options;
  const lock = acquireLock(data);
  try {
    const { moveStore } = await import("./store/migrate/move.ts");
    return await moveStore({
      directory: layout(data).store,
      uri: places.mongodb,
      database: places.prefix,
      clock: systemClock,
      check: (store) => compareKeys(store.blobs, keys),
      putOnRecord: (store) =>
        putOnRecord(store, { actor, action: "migrate --to production", reason: `to the database ${places.prefix}` }),
      ...(progress && { progress }),
    });
  } finally {
    lock.release();
  }
}
