// The gateway of a fault run: a process of its own, started with a settings file, killed without warning, and told by
// messages to stand still: one exchange held while the process goes on, or the whole process blocked.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openConfiguration } from "../../src/cli/open.ts";
import { startEmbedded, type Running } from "../../src/embedded.ts";
import type { PausePoint } from "../../src/exchange/gateway.ts";
import type { Queue } from "../../src/exchange/ports.ts";
import { createLog } from "../../src/main.ts";
import { BullQueue } from "../../src/queue/bull-queue.ts";
import { redisConnection } from "../../src/queue/redis.ts";
import { loadKeys, type KeyReferences } from "../../src/settings/keys.ts";
import type { Overrides } from "../../src/settings/files.ts";

/** What the settings file holds. */
export interface GatewaySettings {
  readonly config: string;
  readonly overrides: Overrides;
  readonly env: Readonly<Record<string, string>>;
  readonly keysDir: string;
  readonly keys: KeyReferences;
  readonly data: string;
  readonly queueTemplate: string;
  readonly redis?: { readonly url: string; readonly prefix: string };
}

/** `hold`: the next exchange at `point` waits `ms`; `block`: there the process does nothing else for `ms`. */
export interface Stall {
  readonly how: "hold" | "block";
  readonly point: PausePoint;
  readonly ms: number;
}

export type ToGateway = { readonly stall: Stall } | { readonly stop: true };
export type FromGateway =
  { readonly ready: string } | { readonly stalled: string; readonly how: Stall["how"] } | { readonly resumed: string };

const settings = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as GatewaySettings;
let stall: Stall | undefined;
let running: Running | undefined;

process.on("message", (message: ToGateway) => {
  if ("stall" in message) stall = message.stall;
  else void stop();
});
// Never outlives the test.
process.on("disconnect", () => process.exit(1));
await start();

async function start(): Promise<void> {
  const keys = await loadKeys(settings.keys, { dir: settings.keysDir, env: {} });
  const opened = await openConfiguration(settings.config, { overrides: settings.overrides, env: settings.env });
  const log = createLog("debug");
  const queue = await redisQueue(keys.id, (error) => log.warn({ error }, "queue error; the sweep goes on"));
  running = await startEmbedded({
    opened,
    keys,
    data: settings.data,
    listen: "127.0.0.1:0",
    logLevel: "debug",
    queueTemplate: settings.queueTemplate,
    parts: { log, pausePoint, ...(queue && { queue }) },
  });
  tell({ ready: running.address });
}

async function redisQueue(idKey: Buffer, report: (error: Error) => void): Promise<Queue | undefined> {
  const { redis } = settings;
  return redis && BullQueue.open(redisConnection(redis.url, { prefix: redis.prefix }), { idKey, report });
}

async function pausePoint(point: PausePoint, exchange: string): Promise<void> {
  if (stall?.point !== point) return;
  const { how, ms } = stall;
  stall = undefined;
  tell({ stalled: exchange, how });
  if (how === "hold") await delay(ms);
  else for (const until = performance.now() + ms; performance.now() < until;);
  tell({ resumed: exchange });
}

async function stop(): Promise<void> {
  await running?.close();
  process.exit(0);
}

function tell(message: FromGateway): void {
  process.send?.(message);
}
