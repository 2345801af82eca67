// Fault runs of the production profile: two gateways and three workers are killed and stopped in their tracks, the database
// and Redis are killed, Redis is emptied, the network is cut, while both systems fail at random and people edit on both
// sides; in the end both hold exactly what they should. Small form by default (one fixed and one random seed); the full
// form, `npm run test:fault -- --profile production`, is 200 patients and 100 kills. SLUICE_FAULT_SEED=N repeats a seed.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { mongo } from "mongoose";
import { startOrSkip } from "../backends/backend.ts";
import { startMongo } from "../backends/mongo.ts";
import { startRedis } from "../backends/redis.ts";
import type { FaultRunOptions, FaultRunResult } from "./fault-run.ts";
import { holds, isFull, isWanted, limitMs, randomSeed, wouldNotice } from "./holds.ts";
import { MongoView } from "./mongo-view.ts";
import { production, type ProductionFaults, type Servers } from "./production-deployment.ts";
import type { ProcessSettings, ProductionProcess } from "./sluice-process.ts";

const small = { kills: 10, stalls: 2, cuts: 1, databaseKills: 1 };
const full = { kills: 100, stalls: 20, cuts: 8, databaseKills: 3, redisKills: 3, flushes: 5 };
const patients = Number(process.env["SLUICE_FAULT_PATIENTS"] ?? (isFull ? 200 : 20));

describe("fault runs, production profile", function () {
  if (!isWanted("production")) return;
  this.timeout(limitMs);
  let servers: Servers;
  let last: FaultRunResult | undefined;

  before(async function () {
    this.timeout(300_000);
    // Not those that `npm test` has started for all: these are killed, and given ones are used but left alone.
    const mongo = await startOrSkip(this, startMongo);
    try {
      servers = { mongo, redis: await startOrSkip(this, startRedis) };
    } catch (error) {
      await mongo.close();
      throw error;
    }
    console.log(`    ${servers.mongo.description}\n    ${servers.redis.description}`);
  });

  after(async () => {
    await last?.dispose();
    await servers?.redis.close();
    await servers?.mongo.close();
  });

  function options(seed: number, faults: ProductionFaults): FaultRunOptions {
    return { patients, seed, profile: production(faults, servers), ...(isFull && { pause: [500, 4_000] as const }) };
  }

  it("Redis killed, fixed seed", async () => {
    last = await holds(options(1, isFull ? full : { ...small, redisKills: 1, flushes: 0 }), true);
  });

  it(`Redis emptied, seed ${randomSeed}`, async () => {
    const result = await holds(options(randomSeed, isFull ? full : { ...small, redisKills: 0, flushes: 1 }), true);
    await result.dispose();
  });

  describe("would notice", () => {
    it("an audit entry that is missing", async function () {
      if (!last) return this.skip();
      const [write = ""] = last.snapshot.writes;
      await looking(last, async (view) => {
        assert.ok(await view.hasAudit(`${write}.disclosure`));
        assert.ok(!(await view.hasAudit(`${write}x.disclosure`)));
      });
    });

    it("a canary in a document", async function () {
      if (!last) return this.skip();
      await looking(last, async (view, database) => {
        assert.deepEqual(await view.collectionsWith(["Xovaketiru"]), []);
        await database.collection("planted").insertOne({ deep: { text: "for Xovaketiru" } });
        assert.deepEqual(await view.collectionsWith(["Xovaketiru"]), ["the collection planted"]);
      });
    });

    wouldNotice(() => last);
  });
});

/** Into the database of a run that is over. */
async function looking(
  { directory }: FaultRunResult,
  look: (view: MongoView, database: mongo.Db) => Promise<void>,
): Promise<void> {
  const settings = JSON.parse(await readFile(join(directory, "worker-1.json"), "utf8")) as ProcessSettings;
  const { mongodb, prefix } = (settings.profile as ProductionProcess).places;
  const client = new mongo.MongoClient(mongodb);
  const view = new MongoView(mongodb, prefix);
  try {
    await look(view, client.db(prefix));
  } finally {
    await view.close();
    await client.close();
  }
}
