// What a Redis server says about itself, for whoever looks for what is wrong with it. Nothing is written to it.
import { systemClock, type Clock } from "../core/clock.ts";
import { ask, type RedisPlace } from "./redis-client.ts";
import { fieldsOf } from "./redis-standing.ts";

export interface RedisFacts {
  readonly version: string;
  /** `maxmemory-policy`; undefined: the server does not tell. */
  readonly evictionPolicy: string | undefined;
  readonly appendOnly: boolean;
  /** The append-only file or the snapshot could not be written when it was last tried. */
  readonly lastWriteFailed: boolean;
  readonly usedBytes: number;
  /** 0 = no limit of its own. */
  readonly limitBytes: number;
  /** `master`, or what a replica says. */
  readonly role: string;
  readonly encrypted: boolean;
  /** Its clock minus ours, milliseconds; half of the round trip is taken off. */
  readonly clockAheadMs: number;
}

/** Rejects with `queue-unavailable`, or `config-invalid` for an address that is none. */
export async function examineRedis(
  { timeoutMs = 5000, ...place }: RedisPlace & { readonly timeoutMs?: number },
  clock: Clock = systemClock,
): Promise<RedisFacts> {
  return ask(place, timeoutMs, async (redis) => {
    const info = fieldsOf(await redis.info());
    const before = clock.now();
    const [seconds, microseconds] = await redis.time();
    const here = (before + clock.now()) / 2;
    return {
      ...factsOf(info),
      encrypted: redis.options.tls !== undefined,
      clockAheadMs: Math.round(Number(seconds) * 1000 + Number(microseconds) / 1000 - here),
    };
  });
}

function factsOf(info: ReadonlyMap<string, string>): Omit<RedisFacts, "encrypted" | "clockAheadMs"> {
  const failed = ["aof_last_write_status", "rdb_last_bgsave_status"].some((name) => (info.get(name) ?? "ok") !== "ok");
  return {
    version: info.get("redis_version") ?? "unknown",
    evictionPolicy: info.get("maxmemory_policy"),
    appendOnly: info.get("aof_enabled") === "1",
    lastWriteFailed: failed,
    usedBytes: Number(info.get("used_memory") ?? 0),
    limitBytes: Number(info.get("maxmemory") ?? 0),
    role: info.get("role") ?? "unknown",
  };
}
