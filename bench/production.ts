// The servers of the production profile for a benchmark: those that MONGODB_URI and REDIS_URL name, else private ones.
import type { ProductionPlaces } from "../src/settings/deployment.ts";
import { BackendMissing, type RunningBackend } from "../test/backends/backend.ts";
import { dropDatabase, newDatabaseName } from "../test/backends/mongo-for-tests.ts";
import { startMongo } from "../test/backends/mongo.ts";
import { startRedis } from "../test/backends/redis.ts";

export interface ProductionServers {
  /** What they are, for people. */
  readonly description: string;
  /** A deployment of its own on them, dropped at the end. */
  places(): ProductionPlaces;
  close(): Promise<void>;
}

/** Undefined, with the reason told, where a server is missing. */
export async function startServers(tell: (text: string) => void): Promise<ProductionServers | undefined> {
  const started: RunningBackend[] = [];
  const close = async (): Promise<void> => {
    for (const backend of started.splice(0)) await backend.close();
  };
  try {
    const redis = await startRedis();
    started.push(redis);
    const mongo = await startMongo();
    started.push(mongo);
    const names: string[] = [];
    return {
      description: `${mongo.description}; ${redis.description}`,
      places() {
        const prefix = newDatabaseName().replaceAll("_", "-");
        names.push(prefix);
        return { mongodb: mongo.url, redis: redis.url, prefix };
      },
      close: async () => {
        for (const name of names) await dropDatabase(mongo.url, name);
        await close();
      },
    };
  } catch (error) {
    await close();
    if (!(error instanceof BackendMissing)) throw error;
    tell(`not measured, the production profile: ${error.message}`);
    return undefined;
  }
}
