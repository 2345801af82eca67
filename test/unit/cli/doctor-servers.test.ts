// What doctor finds about Redis and MongoDB, on real servers: each finding comes with its cause and goes with it, and none
// prints an address.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { mongoFindings } from "../../../src/cli/doctor/mongo.ts";
import { redisFindings } from "../../../src/cli/doctor/redis.ts";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import { systemClock, type Clock } from "../../../src/core/clock.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import { unwind } from "../../../src/embedded.ts";
import { examineRedis } from "../../../src/queue/examine.ts";
import { arrivalId, arrivalKind } from "../../../src/store/mongo/arrival.ts";
import { openDatabase, type Database } from "../../../src/store/mongo/database.ts";
import { examineDatabase, type MongoFacts } from "../../../src/store/mongo/examine.ts";
import { openMongoStore } from "../../../src/store/mongo/open.ts";
import { eventually, startOrSkip, type RunningBackend } from "../../backends/backend.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../../backends/mongo-for-tests.ts";
import { startPrivateRedis } from "../../backends/redis.ts";

const ahead = (ms: number): Clock => ({ ...systemClock, now: () => systemClock.now() + ms });

const undo: (() => unknown)[] = [];

function findingOf(findings: readonly Finding[], text: RegExp): Finding | undefined {
  return findings.find((one) => text.test(one.text));
}

describe("doctor on Redis", function () {
  this.timeout(60_000);
  let server: RunningBackend;
  let redis: Redis;

  before(async function () {
    server = await startOrSkip(this, startPrivateRedis);
    undo.push(() => server.close());
    redis = new Redis(server.url);
    undo.push(() => {
      redis.disconnect();
    });
  });
  after(() => unwind(undo));

  const findings = async (clock?: Clock): Promise<readonly Finding[]> =>
    redisFindings(await examineRedis({ url: server.url }, clock));

  /** The finding is there under one setting and not under the other. */
  async function under(
    setting: string,
    bad: string,
    good: string,
    level: Finding["level"],
    text: RegExp,
  ): Promise<void> {
    await redis.config("SET", setting, bad);
    const found = findingOf(await findings(), text);
    assert.equal(found?.level, level);
    assert.ok(found.fix);
    await redis.config("SET", setting, good);
    assert.equal(findingOf(await findings(), text), undefined);
  }

  it("eviction: a problem, and none without it", () =>
    under(
      "maxmemory-policy",
      "allkeys-lru",
      "noeviction",
      "problem",
      /may evict keys \(maxmemory-policy allkeys-lru\)/,
    ));

  it("no append-only file", async () => {
    await under("appendonly", "no", "yes", "warning", /append-only/);
    // Until it has written the new file the server does not let itself be ended.
    await eventually(async () => {
      assert.match(await redis.info("persistence"), /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/);
    });
  });

  it("no memory limit of its own", () => under("maxmemory", "0", "1000000000", "warning", /no memory limit/));

  it("nearly full", () => under("maxmemory", "1100000", "1000000000", "warning", /MB used; when full/));

  it("its clock and ours", async () => {
    assert.equal(findingOf(await findings(), /clock/), undefined);
    const found = findingOf(await findings(ahead(10_000)), /differ by 10 s/);
    assert.equal(found?.level, "warning");
  });

  it("a replica is a problem", async () => {
    const facts = await examineRedis({ url: server.url });
    assert.equal(facts.role, "master");
    assert.equal(findingOf(redisFindings({ ...facts, role: "slave" }), /it is a slave/)?.level, "problem");
  });

  it("an old version is a problem", async () => {
    const facts = await examineRedis({ url: server.url });
    assert.equal(findingOf(redisFindings(facts), /too old/), undefined);
    assert.equal(findingOf(redisFindings({ ...facts, version: "6.0.16" }), /too old/)?.level, "problem");
  });

  async function refusal(url: string): Promise<SluiceError> {
    const failed = await examineRedis({ url, timeoutMs: 1000 }).then(
      () => assert.fail("it was let in"),
      (error: unknown) => error,
    );
    assert.ok(failed instanceof SluiceError);
    assert.equal(failed.code, "queue-unavailable");
    const told = JSON.stringify([failed.message, failed.detail]);
    for (const secret of ["hunter2", new URL(url).host]) assert.ok(!told.includes(secret), told);
    return failed;
  }

  it("users: a wrong password, one that may not ask, one that may", async () => {
    await redis.call("ACL", "SETUSER", "reader", "on", ">hunter1", "~*", "+@all");
    const as = (password: string): string => server.url.replace("redis://", `redis://reader:${password}@`);
    assert.match((await refusal(as("hunter2"))).message, /refuses the user or the password/);
    await redis.call("ACL", "SETUSER", "reader", "-info");
    assert.match((await refusal(as("hunter1"))).message, /does not let its user/);
    await redis.call("ACL", "SETUSER", "reader", "+info");
    assert.ok((await examineRedis({ url: as("hunter1") })).version);
  });

  it("nobody answers", async () => {
    assert.match((await refusal("redis://reader:hunter2@127.0.0.1:1")).message, /does not answer/);
  });
});

describe("doctor on MongoDB", function () {
  this.timeout(60_000);
  let mongo: RunningBackend;
  let place: string;
  let name: string;
  let database: Database;

  before(async function () {
    mongo = await mongoForTests(this);
    undo.push(() => mongo.close());
    place = await mkdtemp(join(tmpdir(), "sluice-doctor-"));
    undo.push(() => rm(place, { recursive: true, force: true }));
  });
  after(() => unwind(undo));
  beforeEach(async () => {
    name = newDatabaseName();
    database = await openDatabase({ uri: mongo.url, database: name });
  });
  afterEach(async () => {
    await database.close();
    await dropDatabase(mongo.url, name);
  });

  const facts = (clock?: Clock): Promise<MongoFacts> => examineDatabase({ uri: mongo.url, database: name }, clock);
  const findings = async (clock?: Clock): Promise<readonly Finding[]> => mongoFindings(await facts(clock));

  async function make(): Promise<void> {
    const mirrorHeadTo = join(place, `${name}.json`);
    await (await openMongoStore({ uri: mongo.url, database: name, mirrorHeadTo })).close();
  }

  it("an empty database, and that looking leaves it empty", async () => {
    assert.equal(findingOf(await findings(), /the database is empty/)?.level, "warning");
    assert.equal((await database.database.listCollections().toArray()).length, 0);
    await make();
    assert.equal(findingOf(await findings(), /the database is empty/), undefined);
  });

  it("a missing index is named; made again it is none", async () => {
    await make();
    assert.ok((await findings()).some((one) => one.check === "indexes" && one.level === "ok"));
    await database.raw("rows").dropIndex("batch_1");
    const found = findingOf(await findings(), /rows\.batch_1/);
    assert.deepEqual([found?.level, found?.check], ["problem", "indexes"]);
    await make();
    assert.equal(findingOf(await findings(), /indexes are missing/), undefined);
  });

  it("documents of a later version", async () => {
    await make();
    const known = (await facts()).schema.known;
    await database.raw("schema").updateOne({ _id: "schema" }, { $set: { version: known + 1 } });
    assert.equal(findingOf(await findings(), /have version/)?.level, "problem");
    await database.raw("schema").updateOne({ _id: "schema" }, { $set: { version: known } });
    assert.equal(findingOf(await findings(), /have version/), undefined);
  });

  it("a deployment that is half there", async () => {
    await make();
    await database.insert(arrivalKind, { _id: arrivalId, from: "hash", complete: false });
    assert.equal(findingOf(await findings(), /on its way/)?.level, "problem");
    await database.raw("arrival").updateOne({ _id: arrivalId }, { $set: { complete: true } });
    assert.equal(findingOf(await findings(), /on its way/), undefined);
  });

  it("its clock and ours", async () => {
    assert.equal(findingOf(await findings(), /clock/), undefined);
    assert.equal(findingOf(await findings(ahead(-20_000)), /differ by 20 s/)?.level, "warning");
  });

  it("how durable a write is", async () => {
    await make();
    const real = await facts();
    assert.equal(real.writeConcern, "w: majority, j: true");
    const three: MongoFacts = { ...real, topology: "replica set", members: 3 };
    const levels = (found: readonly Finding[]): readonly string[] => found.map((one) => one.level);
    assert.ok(!levels(mongoFindings(three)).includes("problem"));
    assert.equal(findingOf(mongoFindings(three), /member|stands alone|lost/), undefined);
    assert.equal(findingOf(mongoFindings({ ...three, members: 1 }), /has 1 member:/)?.level, "warning");
    assert.equal(findingOf(mongoFindings({ ...three, topology: "standalone" }), /stands alone/)?.level, "warning");
    const weak = mongoFindings({ ...three, writeConcern: "w: 1, j: false" });
    assert.equal(findingOf(weak, /may be lost/)?.level, "problem");
  });

  it("room on its disk, where it tells", async () => {
    const real = await facts();
    const disk = (freeBytes: number | undefined): Finding | undefined =>
      mongoFindings({ ...real, freeBytes }).find((one) => one.check === "disk of MongoDB");
    assert.deepEqual([disk(undefined)?.level, disk(5e9)?.level, disk(1e8)?.level], [undefined, "ok", "problem"]);
  });

  it("nobody answers: the error holds no address and no password", async () => {
    const uri = "mongodb://user:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=500";
    await assert.rejects(examineDatabase({ uri, database: name }), (error: unknown) => {
      assert.ok(error instanceof SluiceError);
      const told = JSON.stringify([error.message, error.detail]);
      return error.code === "store-unavailable" && !/hunter2|127\.0/.test(told);
    });
  });
});
