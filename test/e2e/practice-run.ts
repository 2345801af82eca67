// Starts the whole product in this process: sandboxes with a practice, SQLite, the queue on PGlite, gateway and worker, with
// short intervals. What it adds are the means of a test: a clock that jumps, holds between two steps, questions to the store.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pino, { type Logger } from "pino";
import { openConfiguration } from "../../src/cli/open.ts";
import type { SandboxOptions } from "../../src/connector/sandbox.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Keys } from "../../src/core/configuration.ts";
import { isJsonObject, parseJson, type JsonObject } from "../../src/core/json.ts";
import { openStates } from "../../src/core/records.ts";
import { startEmbedded, type Running } from "../../src/embedded.ts";
import type { PausePoint } from "../../src/exchange/gateway.ts";
import { pollNow } from "../../src/exchange/poll.ts";
import type { Row, RowFilter } from "../../src/exchange/ports.ts";
import { pollsOf } from "../../src/exchange/rhythm.ts";
import type { Stage } from "../../src/exchange/stages.ts";
import { startSandboxes, type Sandboxes } from "../../src/sandboxes.ts";
import type { Overrides } from "../../src/settings/files.ts";
import { pgliteTemplate } from "../backends/pglite-template.ts";
import { Holds, type Held } from "./holds.ts";
import { mergeOverrides, shortIntervals, testKeys } from "./settings.ts";
import { TestClock } from "./test-clock.ts";

export const configDir = fileURLToPath(new URL("../../config", import.meta.url));

export interface PracticeRunOptions {
  /** Persons of the generated practice; default none: the test enters its own. */
  readonly patients?: number;
  readonly seed?: number;
  /** Laid over the short intervals. */
  readonly overrides?: Overrides;
  readonly clock?: TestClock;
  /** The CRM tells of its users' edits by webhook. */
  readonly notices?: boolean;
  /** The marketing feed runs too. */
  readonly feed?: boolean;
  readonly crm?: SandboxOptions;
  readonly ehr?: SandboxOptions;
  readonly sink?: SandboxOptions;
}

export interface Seen {
  readonly stage: Stage;
  readonly exchange: string;
}

export class PracticeRun {
  readonly #options: PracticeRunOptions;
  readonly #holds = new Holds(async (exchange) => (await this.#ready.promise).store.ledger.get(exchange));
  readonly #seen: Seen[] = [];
  readonly #logged: JsonObject[] = [];
  readonly clock: TestClock;
  readonly sandboxes: Sandboxes;
  readonly data: string;
  readonly #keys: Keys;
  #running: Running | undefined;
  #ready = Promise.withResolvers<Running>();

  private constructor(options: PracticeRunOptions, clock: TestClock, sandboxes: Sandboxes, data: string, keys: Keys) {
    this.#options = options;
    this.clock = clock;
    this.sandboxes = sandboxes;
    this.data = data;
    this.#keys = keys;
  }

  /** Sandboxes and gateway. */
  static async start(options: PracticeRunOptions = {}): Promise<PracticeRun> {
    const run = await PracticeRun.prepare(options);
    try {
      await run.up();
    } catch (error) {
      await run.close();
      throw error;
    }
    return run;
  }

  /** The sandboxes alone: the test enters its records, then calls `up`. */
  static async prepare(options: PracticeRunOptions = {}): Promise<PracticeRun> {
    const { keys, references } = await testKeys();
    const clock = options.clock ?? new TestClock();
    const now = (): number => clock.now();
    const feed = {
      "ehr-to-marketing": { ...shortIntervals.channels?.["ehr-to-marketing"], mode: options.feed ? "live" : "off" },
    };
    const base: Overrides = {
      ...shortIntervals,
      sluice: { ...shortIntervals.sluice, keys: { ...references, signing: [...references.signing] } },
      channels: { ...shortIntervals.channels, ...feed },
    };
    const sandboxes = await startSandboxes({
      keys,
      seed: options.seed ?? 7,
      patients: options.patients ?? 0,
      at: clock.now(),
      crm: { now, ...options.crm },
      ehr: { now, ...options.ehr },
      sink: { now, ...options.sink },
      overrides: mergeOverrides(base, options.overrides ?? {}),
    });
    const data = await mkdtemp(join(tmpdir(), "sluice-e2e-"));
    return new PracticeRun(options, clock, sandboxes, data, keys);
  }

  /** Starts the gateway on the data directory. */
  async up(): Promise<Running> {
    const { overrides, env } = this.sandboxes;
    const opened = await openConfiguration(configDir, { overrides, env });
    const running = await startEmbedded({
      opened,
      keys: this.#keys,
      data: this.data,
      listen: "127.0.0.1:0",
      logLevel: "debug",
      queueTemplate: await pgliteTemplate(),
      parts: {
        clock: this.clock,
        log: this.#log(),
        trace: (stage, exchange) => this.#seen.push({ stage, exchange }),
        pausePoint: (point, exchange) => this.#holds.pass(point, exchange),
      },
    });
    this.#running = running;
    this.#ready.resolve(running);
    if (this.#options.notices) {
      this.sandboxes.crm.setNotify({ url: `${running.address}/webhooks/crm`, secret: this.noticeSecret });
    }
    return running;
  }

  /** Stops the gateway; the sandboxes and the data stay. */
  async down(): Promise<void> {
    this.#holds.releaseAll();
    await this.#running?.close();
    this.#running = undefined;
    this.#ready = Promise.withResolvers<Running>();
  }

  async close(): Promise<void> {
    await this.down();
    await this.sandboxes.close();
    await rm(this.data, { recursive: true, force: true });
  }

  get running(): Running {
    if (!this.#running) throw new Error("the gateway is down");
    return this.#running;
  }

  get noticeSecret(): string {
    return this.sandboxes.env["CRM_WEBHOOK_SECRET"] ?? "";
  }

  /** Stages entered so far. */
  get seen(): readonly Seen[] {
    return this.#seen;
  }

  /** Log lines so far. */
  get logged(): readonly JsonObject[] {
    return this.#logged;
  }

  /** Stops the next exchange that fits before the step after `point`. */
  hold(point: PausePoint, wanted?: (row: Row) => boolean): Held {
    return this.#holds.hold(point, wanted);
  }

  rows(filter: RowFilter = {}): Promise<readonly Row[]> {
    return this.running.store.ledger.find({ limit: 10_000, ...filter });
  }

  /** Newest notice of a record on a channel. */
  async newest(channel: string, id: string): Promise<Row | undefined> {
    const [row] = await this.rows({ channel, source: { id }, newestFirst: true, limit: 1 });
    return row;
  }

  /** Headers of all audit entries, oldest first. */
  async audit(): Promise<readonly JsonObject[]> {
    const found: JsonObject[] = [];
    for await (const batch of this.running.store.audit.read()) {
      for (const entry of batch.entries) {
        const header = parseJson(entry.header);
        if (isJsonObject(header)) found.push({ ...header, key: entry.key });
      }
    }
    return found;
  }

  async auditOf(exchange: string): Promise<readonly JsonObject[]> {
    return (await this.audit()).filter((header) => header["exchange"] === exchange);
  }

  /** Polls so that what is there now is seen: a poll that is under way may have asked before. */
  async poll(system: string, type: string): Promise<void> {
    await pollNow(this.running.gateway, system, type);
    await pollNow(this.running.gateway, system, type);
  }

  /** Every poll of every channel once, to its end. */
  async pollAll(): Promise<void> {
    const { gateway } = this.running;
    for (const { system, type } of pollsOf(gateway)) await pollNow(gateway, system, type);
  }

  /** Nothing is left that could run: what is open waits for a person's link, or behind a row that does. */
  async drained(): Promise<void> {
    let open: readonly Row[] = [];
    const heads = new Map<string, Row>();
    try {
      await until("the ledger to be drained", async () => {
        if (await this.#isBusy()) return false;
        heads.clear();
        open = await this.rows({ states: openStates });
        for (const row of open) if (row.seq < (heads.get(row.lane)?.seq ?? Infinity)) heads.set(row.lane, row);
        return [...heads.values()].every((row) => row.cause === "person-not-linked");
      });
    } catch (error) {
      const told = [...heads.values()].map(({ channel, state, cause, seq }) => ({ channel, state, cause, seq }));
      throw new Error(`${open.length} still open: ${JSON.stringify(told)}`, { cause: error });
    }
  }

  /** Many lanes could run at once. Asked first, since looking at all open rows would slow down the work that is waited for. */
  async #isBusy(): Promise<boolean> {
    const many = 50;
    const { store } = this.running;
    return (await store.ledger.due(this.clock.now(), many)).length === many;
  }

  get writes(): number {
    const { crm, ehr, sink } = this.sandboxes;
    return crm.counts.writes + ehr.counts.writes + sink.counts.stored;
  }

  /** Waits until three full polls of both sides in a row bring no write. */
  async quiet(): Promise<void> {
    let writes = -1;
    for (let still = 0; still < 3;) {
      await this.pollAll();
      await this.drained();
      still = writes === this.writes ? still + 1 : 0;
      writes = this.writes;
    }
  }

  #log(): Logger {
    const write = (line: string): void => {
      const value = parseJson(line);
      if (isJsonObject(value)) this.#logged.push(value);
    };
    const serializers = {
      error: (error: unknown): object =>
        error instanceof Error ? { kind: error.constructor.name, text: error.message } : { kind: typeof error },
    };
    return pino({ level: "debug", base: null, serializers }, { write });
  }
}

const patienceMs = process.env["SLUICE_LONG"] === "1" ? 1_200_000 : 60_000;

/** Asks again and again until the answer is neither false nor undefined; gives up after a minute, in long runs later. */
export async function until<T>(what: string, ask: () => Promise<T> | T, everyMs = 40): Promise<NonNullable<T>> {
  const deadline = systemClock.monotonic() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer;
    if (systemClock.monotonic() > deadline) throw new Error(`waited in vain for ${what}`);
    await systemClock.sleep(everyMs);
  }
}

/** Any value as text to look in; an absent one is empty. */
export function textOf(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
