// `sluice demo`: a whole synthetic practice through every gate, both ways, in a directory of its own and against sandboxes
// only; then a summary that somebody without a terminal's patience understands.
import { existsSync } from "node:fs";
import { rm, mkdir } from "node:fs/promises";
import { join } from "node:path";
import cliProgress from "cli-progress";
import { systemClock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { systemRandom } from "../core/ids.ts";
import { openStates } from "../core/records.ts";
import { startEmbedded, whoRuns, type Running } from "../embedded.ts";
import { startSandboxes, type Sandboxes } from "../sandboxes.ts";
import { environment } from "../settings/environment.ts";
import { loadKeys, makeKeys } from "../settings/keys.ts";
import { verdict, verifyStore } from "./audit.ts";
import { writeDemoConfig } from "./demo-config.ts";
import { playDay } from "./demo-day.ts";
import { snapshot } from "./demo-snapshot.ts";
import { summarise } from "./demo-summary.ts";
import { openConfiguration, type Place } from "./open.ts";
import { exitCodes, print, tell } from "./output.ts";

export interface DemoOptions extends Place {
  readonly patients: number;
  readonly seed: number;
  readonly keep?: boolean;
  readonly logLevel: string;
}

/** Intervals for people who watch; everything else is the example configuration as it stands. */
const quick = {
  sluice: { retry: { base: "250ms", cap: "5s", maxAttempts: 8 }, lease: "30s" },
  systems: { crm: { visibleAfter: "500ms" }, ehr: { visibleAfter: "500ms" }, marketing: { visibleAfter: "500ms" } },
  channels: {
    "crm-to-ehr": { pollEvery: "1s" },
    "ehr-to-crm": { pollEvery: "1s" },
    "ehr-to-marketing": { pollEvery: "2s" },
  },
} as const;

const longestMs = 10 * 60_000;
/** Three full polls of the slowest channel without a write. */
const quietMs = 6_500;

export async function demo(options: DemoOptions): Promise<number> {
  const place = join(options.data, "demo");
  tell(
    `Sluice demo: ${options.patients} invented persons (seed ${options.seed}), sandboxes on this machine only, data under ${place}`,
  );
  const holder = existsSync(join(place, "data")) ? whoRuns(join(place, "data")) : undefined;
  if (holder !== undefined) {
    throw new SluiceError("data-locked", `another demo is running there: ${holder}`, {
      hint: "stop it (Ctrl-C in its window), or give another --data",
    });
  }
  await rm(place, { recursive: true, force: true });
  const keysDir = join(place, "keys");
  await mkdir(place, { recursive: true, mode: 0o700 });
  const { references } = await makeKeys(keysDir, systemRandom);
  const keys = await loadKeys(references, { dir: keysDir, env: environment() });
  const { patients, seed } = options;
  const sandboxes = await startSandboxes({
    keys,
    seed,
    patients,
    at: systemClock.now(),
    overrides: { ...quick, sluice: { ...quick.sluice, keys: { ...references, signing: [...references.signing] } } },
  });
  let running: Running | undefined;
  try {
    const config = join(place, "config");
    await writeDemoConfig(options.config, config, sandboxes.overrides, { dir: keysDir, values: sandboxes.env });
    const opened = await openConfiguration(config);
    tell("starting gateway, worker and queue…");
    running = await startEmbedded({
      opened,
      keys,
      data: join(place, "data"),
      listen: "127.0.0.1:0",
      logLevel: options.logLevel,
    });
    sandboxes.crm.setNotify({
      url: `${running.address}/webhooks/crm`,
      secret: sandboxes.env["CRM_WEBHOOK_SECRET"] ?? "",
    });
    const before = snapshot(sandboxes);
    await untilQuiet(running, sandboxes, "first load, both ways");
    playDay(sandboxes, seed);
    await untilQuiet(running, sandboxes, "a day's changes    ");
    const audit = await verifyStore(running.store);
    print(
      await summarise({
        running,
        sandboxes,
        before,
        audit: verdict(audit),
        place,
        config,
        keeps: options.keep === true,
      }),
    );
    if (options.keep) await keep(running, sandboxes);
    return audit.ok ? exitCodes.done : exitCodes.refused;
  } finally {
    await running?.close();
    await sandboxes.close();
  }
}

/** Shows progress until three polls of both sides bring no write and nothing is left that could run. */
async function untilQuiet(running: Running, sandboxes: Sandboxes, what: string): Promise<void> {
  const bar = new cliProgress.SingleBar(
    {
      format: `${what} {bar} {value}/{total} exchanges, {writes} writes, {wait} waiting`,
      stream: process.stderr,
      noTTYOutput: true,
      notTTYSchedule: 3_000,
      hideCursor: true,
    },
    cliProgress.Presets.shades_classic,
  );
  const started = systemClock.monotonic();
  let quietSince = started;
  let last = "";
  bar.start(1, 0, { writes: 0, wait: 0 });
  try {
    for (;;) {
      const state = await progress(running, sandboxes);
      bar.setTotal(Math.max(1, state.total));
      bar.update(state.ended, { writes: state.writes, wait: state.waiting });
      const now = systemClock.monotonic();
      const mark = JSON.stringify(state);
      if (mark !== last || state.runnable > 0) quietSince = now;
      last = mark;
      if (now - quietSince > quietMs) return;
      if (now - started > longestMs) {
        throw new SluiceError("internal", "the demo did not come to rest within ten minutes", {
          hint: "run it again with --log-level info and see what waits",
        });
      }
      await systemClock.sleep(250);
    }
  } finally {
    bar.stop();
  }
}

async function progress(
  running: Running,
  { crm, ehr, sink }: Sandboxes,
): Promise<{ total: number; ended: number; waiting: number; runnable: number; writes: number }> {
  const counts = await running.store.ledger.counts();
  const sum = (wanted: (one: (typeof counts)[number]) => boolean): number =>
    counts.filter(wanted).reduce((total, one) => total + one.count, 0);
  const total = sum(() => true);
  const open = sum((one) => openStates.includes(one.state));
  const under = sum((one) => one.state === "sending" || one.state === "applied");
  // Visits wait in lanes of their own until their person is at the destination; some never will be.
  const due = (await running.store.ledger.due(systemClock.now(), 1_000)).filter((lane) => !lane.startsWith("visits:"));
  const writes = crm.counts.writes + ehr.counts.writes + sink.counts.stored;
  return { total, ended: total - open, waiting: open, runnable: under + due.length, writes };
}

async function keep(running: Running, { crm, ehr, sink }: Sandboxes): Promise<void> {
  print(
    `\nstill running (Ctrl-C stops it):\n  gateway ${running.address}\n  CRM     ${crm.origin}\n  EHR     ${ehr.baseUrl}\n  marketing tool ${sink.url}`,
  );
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => {
      resolve();
    });
    process.once("SIGTERM", () => {
      resolve();
    });
  });
}
