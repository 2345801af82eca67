// What a database says about itself, for whoever looks for what is wrong with it. Nothing is written to it.
import { systemClock, type Clock } from "../../core/clock.ts";
import { arrivalId, arrivalKind } from "./arrival.ts";
import { openDatabase, translate, type DatabaseOptions } from "./database.ts";
import { inspect, type Inspection } from "./inspect.ts";

export interface MongoFacts extends Inspection {
  /** Members of the replica set that hold data or could; 1 for a server that stands alone. */
  readonly members: number;
  readonly encrypted: boolean;
  /** A move into this database has begun and is not complete. */
  readonly halfArrived: boolean;
}

/** Rejects with `store-unavailable` or, for an address that is none, `config-invalid`. */
export async function examineDatabase(options: DatabaseOptions, clock: Clock = systemClock): Promise<MongoFacts> {
  const database = await openDatabase(options);
  try {
    const inspection = await inspect(database, clock);
    const hello = await database.database.admin().command({ hello: 1 });
    const hosts: unknown = hello["hosts"];
    const arrival = await database.get(arrivalKind, arrivalId);
    return {
      ...inspection,
      members: Array.isArray(hosts) ? hosts.length : 1,
      encrypted: database.connection.getClient().options.tls,
      halfArrived: arrival !== undefined && !arrival.complete,
    };
  } catch (error) {
    throw translate(error);
  } finally {
    await database.close().catch(() => undefined);
  }
}
