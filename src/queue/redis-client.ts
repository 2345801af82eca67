// How a Redis server is reached: its address, its certificate, and connections that notice when the server is gone.
import { Redis, type RedisOptions } from "ioredis";
import { SluiceError } from "../core/errors.ts";

export interface RedisPlace {
  /** `redis:` or `rediss:` (TLS), with user and password; it is printed nowhere and in no error. */
  readonly url: string;
  /** PEM of the authority that signed the server's certificate, when it is a private one. */
  readonly ca?: string;
  /** PEM of this client's own certificate and its key, for a server that asks for one. */
  readonly cert?: string;
  readonly key?: string;
}

type Address = Pick<RedisOptions, "db" | "host" | "password" | "port" | "tls" | "username">;

type Limits = Pick<
  RedisOptions,
  "commandTimeout" | "connectTimeout" | "enableReadyCheck" | "maxRetriesPerRequest" | "retryStrategy" | "socketTimeout"
>;

/** Only what is named here is taken from the URL. Throws `config-invalid`. */
export function addressOf({ url, ca, cert, key }: RedisPlace): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const database = /^\/?(\d*)$/.exec(parsed?.pathname ?? "")?.[1];
  const isTls = parsed?.protocol === "rediss:";
  if (!parsed || parsed.hostname === "" || (!isTls && parsed.protocol !== "redis:")) {
    throw wrong("the address of Redis is no redis:// or rediss:// URL");
  }
  if (database === undefined || parsed.search !== "" || parsed.hash !== "") {
    throw wrong("the address of Redis has more in it than host, port, user, password and number of the database");
  }
  if (!isTls && (ca ?? cert ?? key) !== undefined) {
    throw wrong("a certificate is given for Redis, but its address does not ask for TLS");
  }
  if ((cert === undefined) !== (key === undefined)) throw wrong("a certificate for Redis and its key go together");
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: parsed.port === "" ? 6379 : Number(parsed.port),
    ...(parsed.username !== "" && { username: decoded(parsed.username) }),
    ...(parsed.password !== "" && { password: decoded(parsed.password) }),
    ...(database !== "" && { db: Number(database) }),
    ...(isTls && {
      tls: { ...(ca !== undefined && { ca }), ...(key !== undefined && cert !== undefined && { cert, key }) },
    }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong("a % in the user or the password of Redis must be written %25");
  }
}

function wrong(what: string): SluiceError {
  const hint = "write `production.redis` as redis://USER:PASSWORD@HOST:PORT, or rediss://… for TLS";
  return new SluiceError("config-invalid", what, { hint });
}

/** Not connected yet. `limits.socketTimeout`: a server that owes an answer for so long is taken for gone. */
export function clientOf(place: RedisPlace, limits: Limits): Redis {
  const redis = new Redis({ ...limits, ...addressOf(place), lazyConnect: true });
  // Without a listener ioredis prints each error; the commands that suffer from it reject.
  redis.on("error", () => undefined);
  return redis;
}

/** A connection for a few questions: it fails instead of waiting. The caller disconnects it. */
export async function ask<T>(place: RedisPlace, timeoutMs: number, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = clientOf(place, {
    enableReadyCheck: false, // it prints what it does not like
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  });
  let reason: unknown;
  redis.on("error", (error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    return await question(redis);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw refusalOf(`${String(reason)} ${String(error)}`);
  } finally {
    redis.disconnect();
  }
}

/** The server's own words choose the text and are then dropped: they quote user names and addresses. */
function refusalOf(words: string): SluiceError {
  if (/WRONGPASS|NOAUTH|invalid password|invalid username/i.test(words)) {
    return away("refuses the user or the password", "correct `production.redis`: redis://USER:PASSWORD@HOST:PORT");
  }
  if (/NOPERM/.test(words)) {
    return away("does not let its user do what Sluice needs", "give it the commands and keys of docs/redis.md");
  }
  if (/certificate|self.signed|ALTNAME|SSL|TLS/i.test(words)) {
    return away(
      "and Sluice do not trust each other's certificate",
      "set `production.redisCa` to the authority's PEM file",
    );
  }
  return away("does not answer", "see that it runs and that `production.redis` names it; rediss:// for TLS");
}

function away(what: string, hint: string): SluiceError {
  return new SluiceError("queue-unavailable", `Redis ${what}`, { hint });
}
