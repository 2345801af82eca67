// Fault runs of the embedded profile: the gateway is killed, stalled and robbed of its queue while both systems fail at
// random and people edit on both sides; in the end both hold exactly what they should. Small form by default (one fixed and
// one random seed); the full form, `npm run test:fault`, is 200 patients and 50 kills. SLUICE_FAULT_SEED=N repeats a seed.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layout } from "../../src/embedded.ts";
import { redisForTests } from "../backends/redis-for-tests.ts";
import { embedded } from "./embedded-deployment.ts";
import type { FaultRunResult } from "./fault-run.ts";
import { holds, isFull, isWanted, limitMs, randomSeed, wouldNotice } from "./holds.ts";
import { SqliteView } from "./sqlite-view.ts";
import { filesWith } from "./traces.ts";

const patients = isFull ? 200 : 20;
const faults = isFull ? { kills: 50, stalls: 10 } : { kills: 10, stalls: 3 };

describe("fault runs, embedded profile", function () {
  if (!isWanted("embedded")) return;
  this.timeout(limitMs);
  let last: FaultRunResult | undefined;

  after(async () => last?.dispose());

  it("PGlite, fixed seed", async () => {
    last = await holds({ patients, seed: 1, profile: embedded(faults) }, isFull);
  });

  it(`PGlite, seed ${randomSeed}`, async () => {
    const result = await holds({ patients, seed: randomSeed, profile: embedded(faults) }, isFull);
    await result.dispose();
  });

  it(`Redis, emptied in the middle, seed ${randomSeed + 1}`, async function () {
    const server = await redisForTests(this);
    this.timeout(limitMs);
    try {
      const half = { kills: faults.kills / 2, stalls: isFull ? faults.stalls : 1, flushes: isFull ? 10 : 3 };
      const profile = embedded({ ...half, redis: server.url });
      const result = await holds({ patients, seed: randomSeed + 1, profile }, isFull);
      await result.dispose();
    } finally {
      await server.close();
    }
  });

  describe("would notice", () => {
    it("a canary in a file, and one in a file's name", async function () {
      if (!last) return this.skip();
      const place = join(last.directory, "planted");
      await mkdir(place);
      await writeFile(join(place, "clean.log"), "nothing");
      assert.deepEqual(filesWith(place, ["Xovaketiru"]), []);
      await writeFile(join(place, "gateway.log"), "refused Xovaketiru");
      await writeFile(join(place, "Xovaketiru.log"), "");
      assert.equal(filesWith(place, ["Xovaketiru"]).length, 2);
    });

    it("an audit entry that is missing", async function () {
      if (!last) return this.skip();
      const view = new SqliteView(join(layout(join(last.directory, "data")).store, "sluice.sqlite"));
      const [write = ""] = last.snapshot.writes;
      assert.ok(await view.hasAudit(`${write}.disclosure`));
      assert.ok(!(await view.hasAudit(`${write}x.disclosure`)));
    });

    wouldNotice(() => last);
  });
});
