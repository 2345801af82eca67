// What the stores and the queue say about themselves, for `sluice doctor`. Each is loaded only when it is asked for.
import { layout } from "./embedded.ts";
import type { RedisFacts } from "./queue/examine.ts";
import type { ProductionPlaces } from "./settings/deployment.ts";
import type { SqliteFacts } from "./store/embedded/examine.ts";
import type { MongoFacts } from "./store/mongo/examine.ts";

export type { MongoFacts, RedisFacts, SqliteFacts };

/** Undefined: there is no ledger in the data directory. */
export async function examineEmbedded(data: string): Promise<SqliteFacts | undefined> {
  const { examineSqlite } = await import("./store/embedded/examine.ts");
  return examineSqlite(layout(data).store);
}

export async function examineMongo({ mongodb, prefix }: ProductionPlaces): Promise<MongoFacts> {
  const { examineDatabase } = await import("./store/mongo/examine.ts");
  return examineDatabase({ uri: mongodb, database: prefix });
}

export async function examineRedis({ redis, redisTls }: ProductionPlaces): Promise<RedisFacts> {
  const examine = await import("./queue/examine.ts");
  return examine.examineRedis({ url: redis, ...redisTls });
}
