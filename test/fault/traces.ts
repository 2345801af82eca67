// Looks for planted strings where no health information may be: files, a Redis server, any text.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";

/** Which of the strings are in the bytes. */
export function canariesIn(bytes: Buffer | string, canaries: readonly string[]): readonly string[] {
  const haystack = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  return canaries.filter((canary) => haystack.includes(canary));
}

/** Files below `place` (or the file itself) that hold one of the strings, or have one in their name. */
export function filesWith(place: string, canaries: readonly string[]): readonly string[] {
  const files = statSync(place).isDirectory()
    ? readdirSync(place, { recursive: true, encoding: "utf8" }).map((name) => join(place, name))
    : [place];
  return files
    .filter((file) => statSync(file).isFile())
    .filter((file) => canariesIn(file, canaries).length > 0 || canariesIn(readFileSync(file), canaries).length > 0);
}

/** All that Redis holds under a prefix, as text: names, hashes, lists, sets, streams. */
export async function redisText(url: string, prefix: string): Promise<string> {
  const redis = new Redis(url);
  try {
    const keys = await redis.keys(`${prefix}:*`);
    const values = await Promise.all(keys.map(async (key) => [key, await contentOf(redis, key)]));
    return JSON.stringify(values);
  } finally {
    redis.disconnect();
  }
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case "hash":
      return redis.hgetall(key);
    case "list":
      return redis.lrange(key, 0, -1);
    case "zset":
      return redis.zrange(key, "0", "-1");
    case "set":
      return redis.smembers(key);
    case "stream":
      return redis.xrange(key, "-", "+");
    default:
      return redis.get(key);
  }
}

/** Everything under the prefix is gone, as after FLUSHALL; the server may be somebody's own, so nothing else is touched. */
export async function flush(url: string, prefix: string): Promise<number> {
  const redis = new Redis(url);
  try {
    const keys = await redis.keys(`${prefix}:*`);
    return keys.length === 0 ? 0 : await redis.del(...keys);
  } finally {
    redis.disconnect();
  }
}
