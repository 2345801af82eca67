// The production profile's queue: BullMQ on Redis (or a server that speaks its protocol) through ioredis. A server that may
// evict keys is refused, since it would drop wake-ups and dedup keys at random.
import { Queue, Worker } from "bullmq";
import { Redis, type RedisOptions } from "ioredis";
import { SluiceError } from "../core/errors.ts";
import { type OpenConnection, type QueueConnection, queueDefaults, unavailable, workerDefaults } from "./connection.ts";

export interface RedisSettings {
  /** Put before every key, so that deployments can share a server. */
  readonly prefix: string;
  /** Milliseconds until an unanswered connection attempt or producer command is given up. */
  readonly timeoutMs?: number;
}

/** @param url `redis:` or `rediss:` URL; it may hold a password and is never printed. */
export function redisConnection(url: string, { prefix, timeoutMs = 5000 }: RedisSettings): OpenConnection {
  return async () => {
    let leaving = false;
    // Also asked for the blocking connections that BullMQ duplicates from the consumer.
    const retryStrategy = (attempt: number): number | null => (leaving ? null : Math.min(attempt * 100, 2000));
    // Producers fail at once while the server is away: the row is in the ledger, the sweep wakes its lane later.
    const limits = { connectTimeout: timeoutMs, retryStrategy };
    const producer = client(url, { ...limits, commandTimeout: timeoutMs, maxRetriesPerRequest: 0 });
    // Workers wait for it to come back.
    const consumer = client(url, { ...limits, maxRetriesPerRequest: null });
    const blocking = duplicatesOf(consumer);
    const close = (): Promise<void> => {
      producer.disconnect();
      consumer.disconnect();
      return Promise.resolve();
    };
    try {
      await Promise.all([ready(producer), ready(consumer)]);
      const info = await producer.info();
      refuseEviction(info);
      producer.options.enableOfflineQueue = false;
      return {
        backend: "redis",
        version: field(info, "redis_version") ?? "unknown",
        queue: (name) => new Queue(name, { connection: producer, prefix, ...queueDefaults }),
        worker: (name, run, { concurrency, idlePollSeconds }) =>
          new Worker(name, run, {
            connection: consumer,
            prefix,
            ...workerDefaults,
            concurrency,
            drainDelay: idlePollSeconds,
          }),
        leave: async () => {
          leaving = true;
          await Promise.all([producer, consumer, ...blocking].map(upOrGivenUp));
        },
        close,
      } satisfies QueueConnection;
    } catch (error) {
      await close();
      if (error instanceof SluiceError) throw error;
      throw unavailable("Redis", "see that the server runs, that its address is right and that it takes the password");
    }
  };
}

type Limits = Pick<RedisOptions, "commandTimeout" | "connectTimeout" | "maxRetriesPerRequest" | "retryStrategy">;

function client(url: string, options: Limits): Redis {
  const redis = new Redis(url, { ...options, lazyConnect: true });
  // Without a listener ioredis prints each error; the commands that suffer from it reject.
  redis.on("error", () => undefined);
  return redis;
}

/** The blocking connections that BullMQ will make for its workers. */
function duplicatesOf(redis: Redis): Redis[] {
  const made: Redis[] = [];
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => {
    const copy = duplicate(override);
    made.push(copy);
    return copy;
  };
  return made;
}

/** BullMQ waits for ever for the end of a connection that is between two attempts; given up, it has ended. */
function upOrGivenUp(redis: Redis): Promise<void> {
  if (["ready", "end", "wait"].includes(redis.status)) return Promise.resolve();
  return new Promise((resolve) => {
    redis.once("ready", resolve).once("end", resolve);
  });
}

/** The first connection decides: no retries, so that a start with a wrong address fails at once. */
async function ready(redis: Redis): Promise<void> {
  const retry = redis.options.retryStrategy;
  redis.options.retryStrategy = () => null;
  await redis.connect();
  if (retry) redis.options.retryStrategy = retry;
}

/** @param info What the INFO command answers. */
export function refuseEviction(info: string): void {
  const policy = field(info, "maxmemory_policy");
  if (policy === "noeviction") return;
  throw new SluiceError("config-invalid", `Redis may evict keys (maxmemory-policy ${policy ?? "unknown"})`, {
    hint: 'set "maxmemory-policy noeviction" in redis.conf, or run CONFIG SET maxmemory-policy noeviction',
  });
}

function field(info: string, name: string): string | undefined {
  const line = info.split("\r\n").find((text) => text.startsWith(`${name}:`));
  return line?.slice(name.length + 1);
}
