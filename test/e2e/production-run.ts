// Starts a production deployment in this process: sandboxes, a database and a queue of its own on the servers of the test
// run, and as many gateways and workers as a test asks for, each with its own memory, connections and clock.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino, { type Logger } from "pino";
import { openConfiguration } from "../../src/cli/open.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Keys } from "../../src/core/configuration.ts";
import { isJsonObject, parseJson, type JsonObject } from "../../src/core/json.ts";
import { openStates } from "../../src/core/records.ts";
import type { Row, RowFilter } from "../../src/exchange/ports.ts";
import { openProductionStore, type MongoStore } from "../../src/production-store.ts";
import { startProduction, type RunningProcess } from "../../src/production.ts";
import { startSandboxes, type Sandboxes } from "../../src/sandboxes.ts";
import type { Overrides } from "../../src/settings/files.ts";
import type { ProductionPlaces } from "../../src/settings/deployment.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../backends/mongo-for-tests.ts";
import { redisForTests } from "../backends/redis-for-tests.ts";
import { configDir, until } from "./practice-run.ts";
import { mergeOverrides, shortIntervals, testKeys } from "./settings.ts";
import { TestClock } from "./test-clock.ts";

/** The servers of a test file; `skip`s its suite when one is missing. */
export async function productionServers(hook: Mocha.Context): Promise<Pick<ProductionPlaces, "mongodb" | "redis">> {
  const redis = await redisForTests(hook);
  const mongo = await mongoForTests(hook);
  return { mongodb: mongo.url, redis: redis.url };
}

export interface ProcessSettings {
  /** Laid over the run's own: another configuration. */
  readonly overrides?: Overrides;
  /** Its clock is so far ahead, milliseconds. */
  readonly ahead?: number;
  readonly concurrency?: number;
}

export interface StartedProcess extends RunningProcess {
  readonly clock: TestClock;
  readonly logged: readonly JsonObject[];
}

export class ProductionRun {
  readonly places: ProductionPlaces;
  readonly sandboxes: Sandboxes;
  readonly store: MongoStore;
  readonly #keys: Keys;
  readonly #data: string;
  readonly #processes = new Set<RunningProcess>();

  private constructor(places: ProductionPlaces, sandboxes: Sandboxes, store: MongoStore, keys: Keys, data: string) {
    this.places = places;
    this.sandboxes = sandboxes;
    this.store = store;
    this.#keys = keys;
    this.#data = data;
  }

  /** Sandboxes and an activated configuration; no process yet. */
  static async prepare(
    servers: Pick<ProductionPlaces, "mongodb" | "redis">,
    overrides: Overrides = {},
  ): Promise<ProductionRun> {
    const { keys, references } = await testKeys();
    const base: Overrides = {
      ...shortIntervals,
      sluice: { ...shortIntervals.sluice, keys: { ...references, signing: [...references.signing] } },
      channels: { ...shortIntervals.channels, "ehr-to-marketing": { mode: "off" } },
    };
    const sandboxes = await startSandboxes({
      keys,
      seed: 7,
      patients: 0,
      at: systemClock.now(),
      overrides: mergeOverrides(base, overrides),
    });
    const data = await mkdtemp(join(tmpdir(), "sluice-production-"));
    const places = { ...servers, prefix: newDatabaseName().replaceAll("_", "-") };
    const store = await openProductionStore(places, join(data, "store"));
    const run = new ProductionRun(places, sandboxes, store, keys, data);
    await run.activate();
    return run;
  }

  /** Makes the run's configuration, with what is laid over it, the current one; answers its hash. */
  async activate(overrides: Overrides = {}): Promise<string> {
    const { configuration, document } = await this.#open(overrides);
    await this.store.versions.activate(configuration.hash, document, systemClock.now(), "test");
    return configuration.hash;
  }

  async start(role: "gateway" | "worker", settings: ProcessSettings = {}): Promise<StartedProcess> {
    const clock = new TestClock(systemClock.now() + (settings.ahead ?? 0));
    const logged: JsonObject[] = [];
    const running = await startProduction({
      role,
      opened: await this.#open(settings.overrides ?? {}),
      keys: this.#keys,
      places: this.places,
      data: join(this.#data, `process-${this.#processes.size}`),
      listen: "127.0.0.1:0",
      http: { trustProxy: false },
      logLevel: "debug",
      concurrency: settings.concurrency ?? 8,
      parts: { clock, log: logInto(logged) },
    });
    this.#processes.add(running);
    return {
      ...running,
      clock,
      logged,
      close: async () => {
        this.#processes.delete(running);
        await running.close();
      },
    };
  }

  rows(filter: RowFilter = {}): Promise<readonly Row[]> {
    return this.store.ledger.find({ limit: 10_000, ...filter });
  }

  /** Nothing is open but what waits for a person's link. */
  async drained(): Promise<void> {
    await until("the ledger to be drained", async () => {
      const open = await this.rows({ states: openStates });
      return open.every((row) => row.cause === "person-not-linked");
    });
  }

  get writes(): number {
    const { crm, ehr, sink } = this.sandboxes;
    return crm.counts.writes + ehr.counts.writes + sink.counts.stored;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes].map((running) => running.close()));
    await this.store.close();
    await this.sandboxes.close();
    await dropDatabase(this.places.mongodb, this.places.prefix);
    await rm(this.#data, { recursive: true, force: true });
  }

  #open(overrides: Overrides): ReturnType<typeof openConfiguration> {
    const { overrides: base, env } = this.sandboxes;
    return openConfiguration(configDir, { overrides: mergeOverrides(base, overrides), env });
  }
}

function logInto(lines: JsonObject[]): Logger {
  const write = (line: string): void => {
    const value = parseJson(line);
    if (isJsonObject(value)) lines.push(value);
  };
  return pino({ level: "debug", base: null }, { write });
}
