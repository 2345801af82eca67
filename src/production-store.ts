// The ledger of the production profile, as its processes and the commands beside them open it. mongoose is loaded when one
// is opened, and only then: it costs a quarter of a second.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SluiceError } from "./core/errors.ts";
import type { ProductionPlaces } from "./settings/deployment.ts";
import type { MongoStore } from "./store/mongo/open.ts";

export type { MongoStore } from "./store/mongo/open.ts";

/**
 * @param data A directory of this machine: the audit head is mirrored there, outside the database.
 * @param indexes `check`: nothing is made in the database, for a mere look.
 */
export async function openProductionStore(
  places: ProductionPlaces,
  data: string,
  indexes: "make" | "check" = "make",
): Promise<MongoStore> {
  const { openMongoStore } = await import("./store/mongo/open.ts");
  await makeDirectory(data);
  const mirrorHeadTo = join(data, "audit-head.json");
  return openMongoStore({ uri: places.mongodb, database: places.prefix, mirrorHeadTo, indexes });
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch(() => {
    throw new SluiceError("store-unavailable", "the directory for the mirrored audit head cannot be made", {
      hint: "check the path given with --data and the rights of its parent directory",
    });
  });
}
