// One fault run: sandboxes in this process, which survive; the gateway in another, which is killed, stalled and robbed of its
// queue while people edit on both sides; then quiet, and what is held is compared with what should be.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { verdict, verifyStore } from "../../src/cli/audit.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { layout, openStoreAt } from "../../src/embedded.ts";
import { prng, type Prng } from "../../src/practice/prng.ts";
import { startSandboxes, type Sandboxes } from "../../src/sandboxes.ts";
import { loadKeys, makeKeys } from "../../src/settings/keys.ts";
import { pgliteTemplate } from "../backends/pglite-template.ts";
import { Users } from "./edits.ts";
import { startGateway, type GatewayChild } from "./gateway-child.ts";
import type { GatewaySettings, Stall } from "./gateway-process.ts";
import type { Expected } from "./invariants.ts";
import { LedgerView } from "./ledger-view.ts";
import { Population } from "./population.ts";
import { pollsDone } from "./quiet.ts";
import { summarise, type Report } from "./report.ts";
import { recordsOf, type Snapshot } from "./snapshot.ts";
import { blockMs, ceilingMs, holdMs, quick, timeoutMs, visibleAfterMs } from "./times.ts";
import { canariesIn, filesWith, flush, redisText } from "./traces.ts";
import { Traffic } from "./traffic.ts";

export interface FaultRunOptions {
  readonly seed: number;
  readonly patients: number;
  readonly kills: number;
  readonly stalls: number;
  /** The queue is Redis instead of PGlite; its keys are under a prefix of the run's own. */
  readonly redis?: string;
  /** How often the Redis queue loses everything. */
  readonly flushes?: number;
}

export interface FaultRunResult {
  readonly snapshot: Snapshot;
  readonly expected: Expected;
  readonly directory: string;
  readonly report: Report;
  /** Erases the directory. */
  dispose(): Promise<void>;
}

const points = ["accepted", "judged", "recorded", "sent", "applied", "linked"] as const;

/** A failed run's directory stays: whoever calls `dispose` says that it was good. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunResult> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-fault-"));
  const run = await FaultRun.prepare(options, directory);
  try {
    return await run.go();
  } catch (error) {
    console.error(`fault run with seed ${options.seed} broke off; its directory is ${directory}`);
    throw error;
  } finally {
    await run.close();
  }
}

class FaultRun {
  readonly #options: FaultRunOptions;
  readonly #directory: string;
  readonly #sandboxes: Sandboxes;
  readonly #population: Population;
  readonly #traffic: Traffic;
  readonly #view: LedgerView;
  readonly #users: Users;
  readonly #random: Prng;
  readonly #settings: GatewaySettings;
  readonly #startedAt = performance.now();
  #child: GatewayChild | undefined;

  private constructor(
    options: FaultRunOptions,
    directory: string,
    sandboxes: Sandboxes,
    population: Population,
    traffic: Traffic,
    view: LedgerView,
    settings: GatewaySettings,
  ) {
    this.#options = options;
    this.#directory = directory;
    this.#sandboxes = sandboxes;
    this.#population = population;
    this.#traffic = traffic;
    this.#view = view;
    this.#settings = settings;
    this.#random = prng(options.seed + 2);
    this.#users = new Users(sandboxes, population, traffic, prng(options.seed + 3));
  }

  static async prepare(options: FaultRunOptions, directory: string): Promise<FaultRun> {
    const keysDir = join(directory, "keys");
    await mkdir(keysDir, { recursive: true, mode: 0o700 });
    const { references } = await makeKeys(keysDir, systemRandom);
    const keys = await loadKeys(references, { dir: keysDir, env: {} });
    const data = join(directory, "data");
    const view = new LedgerView(join(layout(data).store, "sluice.sqlite"));
    const traffic = new Traffic(view, prng(options.seed + 1), timeoutMs, visibleAfterMs - 100);
    const at = Date.now();
    const crm = { ...traffic.options(), retryAfterSeconds: 1 };
    const sandboxes = await startSandboxes({
      keys,
      seed: options.seed,
      patients: 0,
      at,
      crm,
      ehr: traffic.options(),
      sink: traffic.options(),
      overrides: { ...quick, sluice: { ...quick.sluice, keys: { ...references, signing: [...references.signing] } } },
    });
    const population = new Population(options.seed, at);
    population.fill(sandboxes, options.patients);
    const settings: GatewaySettings = {
      config: fileURLToPath(new URL("../../config", import.meta.url)),
      overrides: sandboxes.overrides,
      env: sandboxes.env,
      keysDir,
      keys: references,
      data,
      queueTemplate: await pgliteTemplate(),
      ...(options.redis === undefined
        ? {}
        : { redis: { url: options.redis, prefix: `sluice-fault-${systemRandom(8).toString("hex")}` } }),
    };
    await writeFile(join(directory, "settings.json"), JSON.stringify(settings), { mode: 0o600 });
    return new FaultRun(options, directory, sandboxes, population, traffic, view, settings);
  }

  async go(): Promise<FaultRunResult> {
    await this.#start();
    const editing = new AbortController();
    const edits = this.#editUntil(editing.signal);
    for (const fault of this.#faults()) {
      await delay(200 + this.#random.int(1_300));
      await fault();
    }
    editing.abort();
    await edits;
    this.#traffic.stormy = false;
    const echoes = await this.#untilQuiet();
    const leaks = await this.#leaks();
    await this.#child?.stop();
    this.#child = undefined;
    const snapshot: Snapshot = {
      records: recordsOf(this.#sandboxes, this.#population, this.#traffic),
      writes: this.#traffic.writes,
      unaudited: this.#traffic.unaudited,
      outcomes: this.#view.outcomes(),
      echoes,
      batches: this.#sandboxes.sink.received.map((batch) => batch.id),
      auditProblem: await this.#auditProblem(),
      leaks,
    };
    return {
      snapshot,
      expected: { persons: this.#population.persons, visits: this.#population.visits },
      directory: this.#directory,
      report: await this.#report(),
      dispose: () => rm(this.#directory, { recursive: true, force: true }),
    };
  }

  async close(): Promise<void> {
    await this.#child?.kill();
    await this.#sandboxes.close();
    const { redis } = this.#settings;
    if (redis) await flush(redis.url, redis.prefix);
  }

  get #log(): string {
    return join(this.#directory, "gateway.log");
  }

  async #start(): Promise<void> {
    this.#child = await startGateway(join(this.#directory, "settings.json"), this.#log);
    const { env } = this.#sandboxes;
    const secret = env["CRM_WEBHOOK_SECRET"] ?? "";
    this.#sandboxes.crm.setNotify({ url: `${this.#child.address}/webhooks/crm`, secret });
  }

  /** All faults of the processes, in a random order. */
  #faults(): readonly (() => Promise<void>)[] {
    const { kills, stalls, redis, flushes = 0 } = this.#options;
    const faults = [
      ...Array.from({ length: kills }, (_, n) => () => this.#kill(n, redis === undefined && n % 3 === 2)),
      ...Array.from({ length: stalls }, (_, n) => () => this.#stall(n)),
      ...Array.from({ length: flushes }, () => () => this.#flush()),
    ];
    for (let at = faults.length - 1; at > 0; at -= 1) {
      const other = this.#random.int(at + 1);
      [faults[at], faults[other]] = [faults[other]!, faults[at]!];
    }
    return faults;
  }

  /** Every second one as soon as an exchange has come to a certain point, one point after the other; the rest at any time. */
  async #kill(n: number, loseQueue: boolean): Promise<void> {
    const point = points[(n >> 1) % points.length] ?? "recorded";
    if (n % 2 === 0) await Promise.race([this.#child?.reach(point), delay(5_000, undefined, { ref: false })]);
    await this.#child?.kill();
    const inFlight = this.#view.open().filter((row) => row.state !== "queued");
    this.#note(
      loseQueue ? "SIGKILL, queue directory deleted" : "SIGKILL",
      inFlight.map((row) => row.id),
    );
    if (loseQueue) await rm(layout(this.#settings.data).queue, { recursive: true, force: true });
    await this.#start();
  }

  async #stall(n: number): Promise<void> {
    const stall: Stall =
      n % 3 === 2
        ? { how: "block", point: points[1 + this.#random.int(points.length - 1)] ?? "judged", ms: blockMs }
        : {
            how: "hold",
            point: n % 3 === 0 ? "recorded" : this.#random.pick(["recorded", "sent", "applied"]),
            ms: holdMs,
          };
    const at = Date.now();
    const stood = await Promise.race([this.#child?.stall(stall), delay(30_000, undefined, { ref: false })]);
    if (!stood) throw new Error(`no exchange came to the point ${stall.point} within 30 s`);
    const words = stall.how === "hold" ? "one drainer held" : "event loop blocked";
    this.#traffic.happened.push({ what: `${words} beyond the lease`, at, rows: [stood.exchange] });
  }

  async #flush(): Promise<void> {
    const { redis } = this.#settings;
    if (!redis) return;
    const due = this.#view.open().filter((row) => row.next <= Date.now());
    const gone = await flush(redis.url, redis.prefix);
    if (gone === 0) throw new Error("there was nothing to flush: the run does not use Redis");
    this.#note(
      "Redis emptied",
      due.map((row) => row.id),
    );
  }

  #note(what: string, rows: readonly string[]): void {
    this.#traffic.happened.push({ what, at: Date.now(), rows });
  }

  async #editUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#users.edit();
      await delay(60 + this.#random.int(120));
    }
  }

  /** Three full polls of every type without a write and without an open row; answers how many writes two more polls brought. */
  async #untilQuiet(): Promise<number> {
    const quiet = await pollsDone(this.#view, this.#traffic, { times: 3, quiet: true, withinMs: ceilingMs });
    if (!quiet) {
      const states = JSON.stringify(this.#view.states(), null, 1);
      throw new Error(`both sides were not quiet after ${ceilingMs / 1000} s: ${states}; log: ${this.#log}`);
    }
    const before = this.#traffic.writes.length;
    await pollsDone(this.#view, this.#traffic, { times: 2, quiet: false, withinMs: ceilingMs });
    return this.#traffic.writes.length - before;
  }

  async #auditProblem(): Promise<string | undefined> {
    const store = await openStoreAt(this.#settings.data);
    try {
      const result = await verifyStore(store);
      return result.ok ? undefined : verdict(result);
    } finally {
      await store.close();
    }
  }

  /** While the gateway runs: its write-ahead files are looked at too. */
  async #leaks(): Promise<readonly string[]> {
    const { phi, neverLeave } = this.#population.canaries;
    const canaries = [...phi, ...neverLeave];
    const { redis, data } = this.#settings;
    const texts: [string, string][] = [["audit rows", this.#view.auditText()]];
    if (redis) texts.push(["Redis", await redisText(redis.url, redis.prefix)]);
    return [
      ...filesWith(this.#log, canaries),
      ...filesWith(data, canaries),
      ...texts.filter(([, text]) => canariesIn(text, canaries).length > 0).map(([name]) => name),
    ];
  }

  async #report(): Promise<Report> {
    const { happened } = this.#traffic;
    const log = await readFile(this.#log, "utf8");
    return {
      seconds: Math.round((performance.now() - this.#startedAt) / 1000),
      edits: this.#users.edits,
      writes: this.#traffic.writes.length,
      takenOver: log.split("lane taken over by another holder").length - 1,
      states: this.#view.states(),
      faults: summarise(happened, this.#view),
    };
  }
}
