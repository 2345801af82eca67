// The production profile's queue: BullMQ on Redis (or a server that speaks its protocol) through ioredis. Producers fail at
// once while the server is away, workers wait for it to come back.
import { Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { type OpenConnection, type QueueConnection, queueDefaults, unavailable, workerDefaults } from "./connection.ts";
import { clientOf, type RedisPlace } from "./redis-client.ts";
import { standingOf } from "./redis-standing.ts";

export interface RedisSettings extends Omit<RedisPlace, "url"> {
  /** Put before every key, so that deployments can share a server. */
  readonly prefix: string;
  /** Milliseconds until an unanswered connection attempt or producer command is given up. */
  readonly timeoutMs?: number;
}

/** @param url `redis:` or `rediss:` URL; it may hold a password and is never printed. */
export function redisConnection(url: string, { prefix, timeoutMs = 5000, ...tls }: RedisSettings): OpenConnection {
  const place = { url, ...tls };
  return async () => {
    const { version, warnings } = await standingOf(place, prefix, timeoutMs);
    const clients = new Clients(place, timeoutMs);
    try {
      await clients.ready();
    } catch {
      clients.end();
      throw unavailable("Redis", "it was there and went away: see its log");
    }
    const { producer, consumer } = clients;
    return {
      backend: "redis",
      version,
      warnings,
      queue: (name) => new Queue(name, { connection: producer, prefix, ...queueDefaults }),
      worker: (name, run, { concurrency, idlePollSeconds }) => {
        // A worker's connection owes no answer while it is idle, so a longer silence than that means a lost one.
        consumer.options.socketTimeout = idlePollSeconds * 1000 + timeoutMs;
        return new Worker(name, run, {
          connection: consumer,
          prefix,
          ...workerDefaults,
          concurrency,
          drainDelay: idlePollSeconds,
        });
      },
      leave: () => clients.leave(),
      close: () => {
        clients.end();
        return Promise.resolve();
      },
    } satisfies QueueConnection;
  };
}

class Clients {
  readonly producer: Redis;
  readonly consumer: Redis;
  /** The blocking connections that BullMQ makes for its workers. */
  readonly #blocking: Redis[] = [];
  readonly #timeoutMs: number;
  #leaving = false;

  constructor(place: RedisPlace, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    // Also asked for the blocking connections.
    const retryStrategy = (attempt: number): number | null => (this.#leaving ? null : Math.min(attempt * 100, 2000));
    const limits = { connectTimeout: timeoutMs, retryStrategy };
    // The row is in the ledger: the sweep wakes its lane later.
    const fast = { commandTimeout: timeoutMs, socketTimeout: timeoutMs, maxRetriesPerRequest: 0 };
    this.producer = clientOf(place, { ...limits, ...fast });
    this.consumer = clientOf(place, { ...limits, maxRetriesPerRequest: null });
    const duplicate = this.consumer.duplicate.bind(this.consumer);
    this.consumer.duplicate = (override) => {
      const copy = duplicate(override);
      this.#blocking.push(copy);
      return copy;
    };
  }

  async ready(): Promise<void> {
    await Promise.all([connectOnce(this.producer), connectOnce(this.consumer)]);
    this.producer.options.enableOfflineQueue = false;
  }

  /** BullMQ waits for ever for the end of a connection that is between two attempts; given up, it has ended. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await Promise.all(this.#all.map((redis) => upOrGivenUp(redis, this.#timeoutMs)));
  }

  end(): void {
    this.#leaving = true;
    for (const redis of this.#all) redis.disconnect();
  }

  get #all(): readonly Redis[] {
    return [this.producer, this.consumer, ...this.#blocking];
  }
}

/** No retries: a start on a server that is not there fails at once. */
async function connectOnce(redis: Redis): Promise<void> {
  const retry = redis.options.retryStrategy;
  redis.options.retryStrategy = () => null;
  await redis.connect();
  if (retry) redis.options.retryStrategy = retry;
}

/** One that is neither in time is given up here. */
function upOrGivenUp(redis: Redis, withinMs: number): Promise<void> {
  if (["ready", "end", "wait"].includes(redis.status)) return Promise.resolve();
  return new Promise((resolve) => {
    const patience = setTimeout(() => {
      redis.disconnect();
    }, withinMs);
    const settled = (): void => {
      clearTimeout(patience);
      resolve();
    };
    redis.once("ready", settled).once("end", settled);
  });
}
