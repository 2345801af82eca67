// A Redis for tests: the one that REDIS_URL names, else a container of the official image, else the machine's own
// redis-server, private, on a free port with a directory of its own. Several may run side by side.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { BackendMissing, eventually, install, mayInstall, type RunningBackend } from "./backend.ts";
import { runCommand, works } from "./command.ts";

const image = "redis:7-alpine";
/** BullMQ loses jobs under eviction; the append-only file is what the documentation asks of production. */
const settings = ["--maxmemory-policy", "noeviction", "--appendonly", "yes", "--save", ""];

/** Rejects with BackendMissing. */
export async function startRedis(): Promise<RunningBackend> {
  const given = process.env["REDIS_URL"];
  if (given) return givenRedis(given);
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

async function containerRedis(): Promise<RunningBackend> {
  const started = await runCommand("docker", ["run", "-d", "--rm", "-p", "127.0.0.1::6379", image, ...command()]);
  if (started.code !== 0) throw new BackendMissing(`Redis: docker run ${image} failed. Try: docker pull ${image}`);
  const id = started.output.trim().split("\n").at(-1) ?? "";
  const close = async (): Promise<void> => {
    await runCommand("docker", ["rm", "-f", id]);
  };
  try {
    const port = (await runCommand("docker", ["port", id, "6379/tcp"])).output.trim().split(":").at(-1) ?? "";
    const url = `redis://127.0.0.1:${port}`;
    const version = await eventually(() => versionOf(url));
    return { url, description: `Redis ${version} (container ${image}, port ${port})`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function command(): string[] {
  return ["redis-server", ...settings];
}

async function machineRedis(): Promise<RunningBackend> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-redis-"));
  const port = await freePort();
  const child = spawn("redis-server", ["--bind", "127.0.0.1", "--port", String(port), "--dir", dir, ...settings], {
    stdio: "ignore",
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const close = async (): Promise<void> => {
    process.off("exit", endWithUs);
    child.kill("SIGTERM");
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  const url = `redis://127.0.0.1:${port}`;
  try {
    const version = await eventually(() => versionOf(url));
    return { url, description: `Redis ${version} (redis-server of this machine, private, port ${port})`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function versionOf(url: string): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2000 });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    const line = (await redis.info("server")).split("\r\n").find((text) => text.startsWith("redis_version:"));
    return line?.slice("redis_version:".length) ?? "of unknown version";
  } finally {
    redis.disconnect();
  }
}

/** Free at this moment; another process could take it first, in which case the server fails to start and says so. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
