// A practice outgrows its machine: the data of a day's work moves to the production profile, killed in the middle and run
// again, and the next exchange goes on in the lanes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { verifyStore } from "../../src/cli/audit.ts";
import { writeDemoConfig } from "../../src/cli/demo-config.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { openConfiguration } from "../../src/cli/open.ts";
import { openStoreAt, startEmbedded, unwind } from "../../src/embedded.ts";
import type { MirroredStore, Row } from "../../src/exchange/ports.ts";
import { openProductionStore } from "../../src/production-store.ts";
import { startProduction, type ProductionOptions, type RunningProcess } from "../../src/production.ts";
import type { ProductionPlaces } from "../../src/settings/deployment.ts";
import type { RunningBackend } from "../backends/backend.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../backends/mongo-for-tests.ts";
import { redisForTests } from "../backends/redis-for-tests.ts";
import { jsonLines, sluice, type Ended } from "./child.ts";
import { LimitedLine } from "./limited-line.ts";
import { contactOf } from "./persons.ts";
import { configDir, PracticeRun, until } from "./practice-run.ts";
import { mergeOverrides, testKeys } from "./settings.ts";

const bin = fileURLToPath(new URL("../../bin/sluice.js", import.meta.url));

interface Moved {
  readonly already: boolean;
  readonly head: { readonly n: number; readonly hash: string };
  readonly collections: readonly { readonly collection: string; readonly documents: number }[];
}

describe("sluice migrate --to production", function () {
  this.timeout(240_000);
  let run: PracticeRun;
  let place: string;
  let config: string;
  let redis: RunningBackend;
  let mongo: RunningBackend;
  let places: ProductionPlaces;
  let contact: string;
  const undo: (() => unknown)[] = [];

  before(async function () {
    redis = await redisForTests(this);
    undo.push(() => redis.close());
    mongo = await mongoForTests(this);
    undo.push(() => mongo.close());
    run = await PracticeRun.start({ patients: 12 });
    undo.push(() => run.close());
    contact = run.sandboxes.crm.put("Contact", contactOf(3));
    await run.quiet();
    await run.down();
  });
  after(() => unwind(undo));
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), "sluice-migrate-"));
    await cp(run.data, join(place, "data"), { recursive: true });
    const prefix = newDatabaseName().replaceAll("_", "-");
    places = { mongodb: mongo.url, redis: redis.url, prefix };
    config = join(place, "config");
    const section = { production: { mongodb: "env:TEST_MONGODB", redis: "env:TEST_REDIS", prefix } };
    const overrides = mergeOverrides(run.sandboxes.overrides, { sluice: section });
    await writeDemoConfig(configDir, config, overrides, { dir: join(place, "secrets"), values: run.sandboxes.env });
  });
  afterEach(async () => {
    await dropDatabase(places.mongodb, places.prefix);
    await rm(place, { recursive: true, force: true });
  });

  const args = (): readonly string[] => ["--data", join(place, "data"), "--config", config];
  const environment = (mongodb: string): Record<string, string> => ({
    TEST_MONGODB: mongodb,
    TEST_REDIS: places.redis,
  });

  function migrate(mongodb = places.mongodb): Promise<Ended> {
    return sluice(["migrate", "--to", "production", "--json", ...args()], environment(mongodb));
  }

  /** Starts it over a line that carries so many bytes, and kills it when the line stands still. */
  async function killedAfter(bytes: number): Promise<void> {
    const line = await LimitedLine.open(places.mongodb, bytes);
    try {
      const env = { ...process.env, ...environment(line.url) };
      const child = spawn(process.execPath, [bin, "migrate", "--to", "production", ...args()], {
        env,
        stdio: "ignore",
      });
      const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
      await Promise.race([line.stood(), ended]);
      child.kill("SIGKILL");
      assert.equal(await ended, "SIGKILL", "it had ended before it could be killed");
    } finally {
      await line.close();
    }
  }

  async function told(store: MirroredStore): Promise<unknown> {
    const { ledger, audit, facts } = store;
    const consents: string[] = [];
    for await (const { system, id } of facts.all()) consents.push(`${system}/${id}`);
    const rows = await ledger.find({ limit: 10_000 });
    return { rows: withoutOrder(rows), head: await audit.head(), consents: consents.sort() };
  }

  async function bothSides(): Promise<readonly [unknown, unknown]> {
    const now = await openProductionStore(places, join(place, "machine"));
    const old = await openStoreAt(join(place, "data"));
    try {
      for (const store of [old, now]) assert.equal((await verifyStore(store)).ok, true);
      return [await told(old), await told(now)];
    } finally {
      await old.close();
      await now.close();
    }
  }

  it("killed three times in the middle and run again: both sides verify, nothing is lost, a third run changes nothing", async () => {
    const line = await LimitedLine.open(places.mongodb);
    const trial = await migrate(line.url);
    await line.close();
    assert.equal(trial.code, 0, trial.err);
    await dropDatabase(places.mongodb, places.prefix);
    await rm(join(place, "data"), { recursive: true });
    await cp(run.data, join(place, "data"), { recursive: true });

    for (let times = 0; times < 3; times += 1) {
      // What was copied before is not carried again, so each time it gets further.
      await killedAfter(line.carried * 0.25);
      await assert.rejects(bothSides(), { code: "data-foreign" });
    }
    const ended = await migrate();
    assert.equal(ended.code, 0, ended.err);
    const [moved] = jsonLines(ended.out) as [Moved];
    assert.equal(moved.already, false);
    assert.ok((moved.collections.find(({ collection }) => collection === "rows")?.documents ?? 0) > 20);
    const [before, after] = await bothSides();
    assert.deepEqual(after, before);

    const again = await migrate();
    assert.equal(again.code, 0, again.err);
    assert.deepEqual((jsonLines(again.out) as [Moved])[0].already, true);
    assert.deepEqual((await bothSides())[1], after);
  });

  it("the next exchange goes on in the lanes: an edit arrives as an update, behind the last place", async () => {
    const ended = await migrate();
    assert.equal(ended.code, 0, ended.err);
    const opened = await openConfiguration(configDir, { overrides: run.sandboxes.overrides, env: run.sandboxes.env });
    const { keys } = await testKeys();
    const processes: RunningProcess[] = [];
    for (const role of ["gateway", "worker"] as const) {
      const options: ProductionOptions = {
        role,
        opened,
        keys,
        places,
        data: join(place, role),
        listen: "127.0.0.1:0",
        http: { trustProxy: false },
        logLevel: "silent",
        parts: { clock: run.clock },
      };
      processes.push(await startProduction(options));
    }
    try {
      const { store, worker } = processes[1]!;
      assert.ok(worker.takesNewWork, "what was active is active");
      const source = { system: "crm", type: "Contact", id: contact };
      const [before] = await store.ledger.find({ source, channel: "crm-to-ehr", newestFirst: true, limit: 1 });
      assert.ok(before);
      const patients = run.sandboxes.ehr.all("Patient").length;
      run.sandboxes.crm.edit("Contact", contact, { MailingCity: "Saltmarsh" });
      const after = await until("the edit to arrive", async () => {
        const [row] = await store.ledger.find({ source, channel: "crm-to-ehr", newestFirst: true, limit: 1 });
        return row && row.id !== before.id && row.state === "done" ? row : undefined;
      });
      assert.equal(after.intent?.operation, "update");
      assert.equal(after.lane, before.lane);
      assert.ok(after.seq > before.seq);
      assert.equal(run.sandboxes.ehr.all("Patient").length, patients);
      assert.ok(JSON.stringify(run.sandboxes.ehr.all("Patient")).includes("Saltmarsh"));
      assert.equal((await verifyStore(store)).ok, true);
    } finally {
      for (const one of processes.toReversed()) await one.close();
    }
    // The archive is refused from then on, and a run changes nothing in what has gone on.
    assert.equal((await migrate()).code, 0);
  });

  it("switched as it says: `up` is refused, doctor finds the new side well, and tells no address when it is away", async () => {
    assert.equal((await migrate()).code, 0);
    const env = environment(places.mongodb);
    const up = await sluice(["up", ...args()], env);
    assert.equal(up.code, 1);
    assert.match(up.err, /data-moved[^]*serve/);
    await setProfile("production");
    assert.equal((await sluice(["activate", ...args()], env)).code, 0);
    const doctor = async (mongodb: string): Promise<Ended> =>
      sluice(["doctor", "--json", ...args()], { ...env, TEST_MONGODB: mongodb });
    const well = await doctor(places.mongodb);
    const findings = jsonLines(well.out)[0] as Finding[];
    assert.deepEqual(
      findings.filter((one) => one.level === "problem"),
      [],
    );
    const checks = new Map(findings.map((one) => [one.check, one]));
    for (const check of ["MongoDB", "Redis", "indexes", "ledger", "audit log", "keys", "keys and data", "system ehr"]) {
      assert.ok(checks.has(check), check);
    }
    assert.equal(well.code, 0, well.err);
    const away = await doctor("mongodb://user:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=500");
    assert.equal(away.code, 1);
    assert.match(away.out, /"check":"MongoDB","level":"problem"/);
    assert.doesNotMatch(away.out + away.err, /hunter2|127\.0\.0\.1:1\b/);
  });

  async function setProfile(profile: string): Promise<void> {
    const file = join(config, "sluice.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/^profile: .*$/m, `profile: ${profile}`));
  }

  it("is refused while a gateway runs on the directory, and not once it has stopped", async () => {
    const opened = await openConfiguration(configDir, { overrides: run.sandboxes.overrides, env: run.sandboxes.env });
    const { keys } = await testKeys();
    const data = join(place, "data");
    const running = await startEmbedded({ opened, keys, data, listen: "127.0.0.1:0", logLevel: "silent" });
    try {
      const refused = await migrate();
      assert.equal(refused.code, 1);
      assert.match(refused.err, /data-locked/);
    } finally {
      await running.close();
    }
    assert.equal((await migrate()).code, 0);
    const again = startEmbedded({ opened, keys, data, listen: "127.0.0.1:0", logLevel: "silent" });
    await assert.rejects(again, { code: "data-moved" });
  });

  it("is refused into a database that holds something else, and says nothing of its address", async () => {
    const store = await openProductionStore(places, join(place, "machine"));
    await store.blobs.put("key-check", "another deployment's");
    await store.close();
    const refused = await migrate();
    assert.equal(refused.code, 1);
    assert.match(refused.err, /data-foreign/);
    assert.ok(!(refused.out + refused.err).includes(new URL(places.mongodb).port));
    await dropDatabase(places.mongodb, places.prefix);
    assert.equal((await migrate()).code, 0);
  });
});

/** By id: what the two stores answer in one instant of acceptance may differ in order. */
function withoutOrder(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
