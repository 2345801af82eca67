// One process of Sluice in a fault run: started with a settings file, killed without warning, and told by messages to stand
// still: one exchange held while the process goes on, or the whole process blocked.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openConfiguration } from "../../src/cli/open.ts";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import type { Keys } from "../../src/core/configuration.ts";
import { startEmbedded, type Opened } from "../../src/embedded.ts";
import type { PausePoint } from "../../src/exchange/gateway.ts";
import type { Queue } from "../../src/exchange/ports.ts";
import { createLog } from "../../src/main.ts";
import { startProduction } from "../../src/production.ts";
import { BullQueue } from "../../src/queue/bull-queue.ts";
import { redisConnection } from "../../src/queue/redis.ts";
import type { ProductionPlaces } from "../../src/settings/deployment.ts";
import type { Overrides } from "../../src/settings/files.ts";
import { loadKeys, type KeyReferences } from "../../src/settings/keys.ts";

/** What the settings file holds. */
export interface ProcessSettings {
  readonly config: string;
  readonly overrides: Overrides;
  readonly env: Readonly<Record<string, string>>;
  readonly keysDir: string;
  readonly keys: KeyReferences;
  readonly data: string;
  readonly profile: EmbeddedProcess | ProductionProcess;
}

export interface EmbeddedProcess {
  readonly name: "embedded";
  readonly queueTemplate: string;
  /** The queue is there instead of in PGlite. */
  readonly redis?: { readonly url: string; readonly prefix: string };
}

export interface ProductionProcess {
  readonly name: "production";
  readonly role: "gateway" | "worker";
  readonly places: ProductionPlaces;
  /** So much is this process's wall clock off, milliseconds. */
  readonly clockOffMs: number;
}

/** `hold`: the next exchange at `point` waits `ms`; `block`: there the process does nothing else for `ms`. */
export interface Stall {
  readonly how: "hold" | "block";
  readonly point: PausePoint;
  readonly ms: number;
}

/** `goOn`: no stall is wanted any more, and an exchange that is held goes on. */
export type ToProcess = { readonly stall: Stall } | { readonly goOn: true } | { readonly stop: true };
export type FromProcess =
  { readonly ready: string } | { readonly stalled: string; readonly how: Stall["how"] } | { readonly resumed: string };

/** Of each worker: five processes, a database and a Redis share a small machine here. */
const lanesAtOnce = 5;

interface Started {
  readonly address: string;
  close(): Promise<void>;
}

const settings = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as ProcessSettings;
const log = createLog("debug");
let stall: Stall | undefined;
let held = new AbortController();
let running: Started | undefined;

process.on("message", (message: ToProcess) => {
  if ("stall" in message) stall = message.stall;
  else if ("goOn" in message) goOn();
  else void stop();
});
// Never outlives the test.
process.on("disconnect", () => process.exit(1));
await start();

async function start(): Promise<void> {
  const keys = await loadKeys(settings.keys, { dir: settings.keysDir, env: {} });
  const opened = await openConfiguration(settings.config, { overrides: settings.overrides, env: settings.env });
  const { profile } = settings;
  running = await (profile.name === "embedded" ? startAlone(profile, opened, keys) : startOne(profile, opened, keys));
  tell({ ready: running.address });
}

async function startAlone({ redis, queueTemplate }: EmbeddedProcess, opened: Opened, keys: Keys): Promise<Started> {
  const queue = redis && (await redisQueue(redis, keys.id));
  return startEmbedded({
    opened,
    keys,
    data: settings.data,
    listen: "127.0.0.1:0",
    logLevel: "debug",
    queueTemplate,
    parts: { log, pausePoint, ...(queue && { queue }) },
  });
}

function startOne({ role, places, clockOffMs }: ProductionProcess, opened: Opened, keys: Keys): Promise<Started> {
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + clockOffMs };
  return startProduction({
    role,
    opened,
    keys,
    places,
    data: settings.data,
    listen: "127.0.0.1:0",
    http: { trustProxy: false },
    logLevel: "debug",
    concurrency: lanesAtOnce,
    parts: { log, pausePoint, clock },
  });
}

function redisQueue(redis: NonNullable<EmbeddedProcess["redis"]>, idKey: Buffer): Promise<Queue> {
  const report = (error: Error): void => log.warn({ error }, "queue error; the sweep goes on");
  return BullQueue.open(redisConnection(redis.url, { prefix: redis.prefix }), { idKey, report });
}

async function pausePoint(point: PausePoint, exchange: string): Promise<void> {
  if (stall?.point !== point) return;
  const { how, ms } = stall;
  stall = undefined;
  tell({ stalled: exchange, how });
  if (how === "hold") await delay(ms, undefined, { signal: held.signal }).catch(() => undefined);
  else for (const until = performance.now() + ms; performance.now() < until;);
  tell({ resumed: exchange });
}

function goOn(): void {
  stall = undefined;
  held.abort();
  held = new AbortController();
}

async function stop(): Promise<void> {
  goOn();
  await running?.close();
  process.exit(0);
}

function tell(message: FromProcess): void {
  process.send?.(message);
}
