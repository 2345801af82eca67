// What a Redis server says about itself, for whoever looks for what is wrong with it. Nothing is written to it.
import { Redis } from "ioredis";
import { systemClock, type Clock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";

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

export interface RedisPlace {
  /** May hold a password; it is in no error. */
  readonly url: string;
  /** PEM of the authority that signed its certificate, when it is a private one. */
  readonly ca?: string;
  readonly timeoutMs?: number;
}

/** Rejects with `queue-unavailable`. */
export async function examineRedis(place: RedisPlace, clock: Clock = systemClock): Promise<RedisFacts> {
  const { url, ca, timeoutMs = 5000 } = place;
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    ...(ca !== undefined && { tls: { ca } }),
  });
  let reason: unknown;
  redis.on("error", (error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    const info = fieldsOf(await redis.info());
    const before = clock.now();
    const [seconds, microseconds] = await redis.time();
    const here = (before + clock.now()) / 2;
    return {
      ...factsOf(info),
      encrypted: redis.options.tls !== undefined,
      clockAheadMs: Math.round(Number(seconds) * 1000 + Number(microseconds) / 1000 - here),
    };
  } catch (error) {
    throw failure(`${String(reason)} ${String(error)}`);
  } finally {
    redis.disconnect();
  }
}

type Fields = ReadonlyMap<string, string>;

function fieldsOf(info: string): Fields {
  const lines = info.split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

function factsOf(info: Fields): Omit<RedisFacts, "encrypted" | "clockAheadMs"> {
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

/** The server's own words choose the text and are then dropped: they quote user names and addresses. */
function failure(words: string): SluiceError {
  if (/WRONGPASS|NOAUTH|invalid password/i.test(words)) {
    return unavailable(
      "refuses the user or the password",
      "correct `production.redis`: redis://USER:PASSWORD@HOST:PORT",
    );
  }
  if (/NOPERM/.test(words)) {
    return unavailable("does not let its user ask for INFO and TIME", "allow them: ACL SETUSER NAME +info +time");
  }
  if (/certificate|self.signed|ALTNAME|SSL|TLS/i.test(words)) {
    return unavailable("has a certificate that is not trusted", "set `production.redisCa` to the authority's PEM file");
  }
  return unavailable("does not answer", "see that it runs and that `production.redis` names it; rediss:// for TLS");
}

function unavailable(what: string, hint: string): SluiceError {
  return new SluiceError("queue-unavailable", `Redis ${what}`, { hint });
}
