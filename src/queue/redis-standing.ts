// Whether a Redis server will do, asked before anything else is: one that may evict keys, or does not say, is refused,
// since it would drop wake-ups and dedup keys at random; so is one on which this user may not write.
import type { Redis } from "ioredis";
import { SluiceError } from "../core/errors.ts";
import { ask, type RedisPlace } from "./redis-client.ts";

export interface RedisStanding {
  readonly version: string;
  /** What works, but not as it should. */
  readonly warnings: readonly string[];
}

/** Rejects with `queue-unavailable` (no answer, wrong password) or `config-invalid` (set up wrongly). */
export function standingOf(place: RedisPlace, prefix: string, timeoutMs: number): Promise<RedisStanding> {
  return ask(place, timeoutMs, async (redis) => {
    const info = fieldsOf(await permitted(redis.info(), "+info", "it cannot be asked whether it may evict keys"));
    refuseEviction(info.get("maxmemory_policy") ?? (await configuredPolicy(redis)));
    await writeOnce(redis, prefix);
    return { version: info.get("redis_version") ?? "unknown", warnings: durabilityOf(info.get("aof_enabled")) };
  });
}

/** What INFO answers: `name:value` lines. */
export function fieldsOf(info: string): ReadonlyMap<string, string> {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** Some hosted servers keep the policy out of INFO. One that does not have CONFIG says nothing. */
async function configuredPolicy(redis: Redis): Promise<string | undefined> {
  const asked = redis.config("GET", "maxmemory-policy").catch((error: unknown) => {
    if (isDenied(error)) throw error;
    return [];
  });
  const answer: unknown = await permitted(asked, "+config|get", "it does not say whether it may evict keys");
  const value: unknown = Array.isArray(answer) ? answer[1] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** @param policy `maxmemory-policy`; undefined: the server does not say. Throws `config-invalid`. */
export function refuseEviction(policy: string | undefined): void {
  if (policy === "noeviction") return;
  throw new SluiceError("config-invalid", `Redis may evict keys (maxmemory-policy ${policy ?? "unknown"})`, {
    hint: 'set "maxmemory-policy noeviction" in redis.conf, or run CONFIG SET maxmemory-policy noeviction',
  });
}

function durabilityOf(appendOnly: string | undefined): readonly string[] {
  if (appendOnly === "1") return [];
  const what = appendOnly === "0" ? "keeps no append-only file" : "does not say whether it keeps an append-only file";
  return [`Redis ${what}: without one, waking begins anew after its restart; set "appendonly yes" in redis.conf`];
}

/** By a script, as BullMQ does everything. */
async function writeOnce(redis: Redis, prefix: string): Promise<void> {
  const script = "return redis.call('SET', KEYS[1], '1', 'PX', 1)";
  const written = redis.eval(script, 1, `${prefix}:probe`).catch((error: unknown) => {
    if (!/READONLY/.test(String(error))) throw error;
    const hint = "let `production.redis` name the primary";
    throw new SluiceError("config-invalid", "Redis is a replica, which takes no wake-ups", { hint });
  });
  await permitted(written, `~${prefix}:*`, "its user may not write the queue's keys");
}

/** @param grant What the user lacks, as ACL SETUSER takes it. */
async function permitted<T>(asked: Promise<T>, grant: string, so: string): Promise<T> {
  return asked.catch((error: unknown) => {
    if (!isDenied(error)) throw error;
    throw new SluiceError("config-invalid", `Redis denies its user what Sluice needs: ${so}`, {
      hint: `ACL SETUSER NAME ${grant} (all that is needed: docs/redis.md)`,
    });
  });
}

function isDenied(error: unknown): boolean {
  return /NOPERM|ACL failure/.test(String(error));
}
