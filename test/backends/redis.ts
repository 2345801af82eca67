// A Redis for tests: the one that REDIS_URL names, else a container of the official image, else the machine's own
// redis-server, private, on a free port with a directory of its own. Several may run side by side.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { Redis } from "ioredis";
import {
  BackendMissing,
  eventually,
  install,
  mayInstall,
  type PrivateBackend,
  type RunningBackend,
} from "./backend.ts";
import type { Certificates } from "./certificates.ts";
import { works } from "./command.ts";
import { startContainer } from "./container.ts";
import { freePort } from "./port.ts";

const image = "redis:7-alpine";
/** BullMQ loses jobs under eviction; the append-only file is what the documentation asks of production. */
const settings = ["--maxmemory-policy", "noeviction", "--appendonly", "yes", "--save", ""];

/** Rejects with BackendMissing. */
export async function startRedis(): Promise<RunningBackend> {
  const given = process.env["REDIS_URL"];
  return given ? givenRedis(given) : startPrivateRedis();
}

/** One that speaks nothing but TLS and asks for a client certificate of the same authority. Rejects with BackendMissing. */
export async function startTlsRedis({ ca, server }: Certificates): Promise<PrivateBackend> {
  if (!(await works("redis-server", "--version")) && mayInstall()) await install("redis-server");
  if (!(await works("redis-server", "--version"))) {
    throw new BackendMissing(
      "Redis with TLS: there is no redis-server. Add it by: apt-get install -y redis-server   (or, as root, npm test -- --install)",
    );
  }
  const files = [
    "--tls-ca-cert-file",
    ca.certFile,
    "--tls-cert-file",
    server.certFile,
    "--tls-key-file",
    server.keyFile,
  ];
  return machineRedis((port) => ["--port", "0", "--tls-port", String(port), ...files], "rediss", {
    ca: ca.cert,
    cert: server.cert,
    key: server.key,
  });
}

/** One that tests may kill, whatever REDIS_URL says. Rejects with BackendMissing. */
export async function startPrivateRedis(): Promise<PrivateBackend> {
  if (await works("docker", "info")) return containerRedis();
  if (!(await works("redis-server", "--version")) && mayInstall()) await install("redis-server");
  if (await works("redis-server", "--version")) return machineRedis();
  throw new BackendMissing(
    "Redis: REDIS_URL is not set, no Docker engine answers and there is no redis-server. " +
      "Add it by: apt-get install -y redis-server   (or, as root, npm test -- --install)",
  );
}

async function givenRedis(url: string): Promise<RunningBackend> {
  const version = await versionOf(url).catch(() => {
    throw new BackendMissing("Redis: the server that REDIS_URL names does not answer. Correct or unset REDIS_URL");
  });
  return { url, description: `Redis ${version} (given by REDIS_URL)`, close: () => Promise.resolve() };
}

function containerRedis(): Promise<PrivateBackend> {
  const url = (port: number): string => `redis://127.0.0.1:${port}`;
  const command = ["redis-server", ...settings];
  return startContainer({ name: "Redis", image, port: 6379, command, url, versionOf });
}

async function machineRedis(
  listening = (port: number): readonly string[] => ["--port", String(port)],
  scheme: "redis" | "rediss" = "redis",
  tls?: ConnectionOptions,
): Promise<PrivateBackend> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-redis-"));
  const port = await freePort();
  const args = ["--bind", "127.0.0.1", ...listening(port), "--dir", dir, ...settings];
  const start = (): ChildProcess => spawn("redis-server", args, { stdio: "ignore" });
  let child = start();
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const end = async (signal: "SIGKILL"): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  };
  const close = async (): Promise<void> => {
    process.off("exit", endWithUs);
    // Nothing of it is kept, and a server asked to end in good order may wait for its replicas or refuse.
    await end("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  };
  const url = `${scheme}://127.0.0.1:${port}`;
  try {
    const version = await eventually(() => versionOf(url, tls));
    return {
      url,
      description: `Redis ${version} (redis-server of this machine, private, port ${port})`,
      kill: () => end("SIGKILL"),
      restart: async () => {
        child = start();
        await eventually(() => versionOf(url, tls));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function versionOf(url: string, tls?: ConnectionOptions): Promise<string> {
  const limits = { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2000 };
  const redis = new Redis(url, { ...limits, ...(tls && { tls }) });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    const line = (await redis.info("server")).split("\r\n").find((text) => text.startsWith("redis_version:"));
    return line?.slice("redis_version:".length) ?? "of unknown version";
  } finally {
    redis.disconnect();
  }
}
