// Fault runs: the gateway is killed, stalled and robbed of its queue while both systems fail at random and people edit on
// both sides; in the end both hold exactly what they should. Small form by default (one fixed and one random seed); the
// full form, `npm run test:fault` (SLUICE_FAULT=full), is 200 patients and 50 kills. SLUICE_FAULT_SEED=N repeats a seed.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layout } from "../../src/embedded.ts";
import { redisForTests } from "../backends/redis-for-tests.ts";
import { runFaults, type FaultRunOptions, type FaultRunResult } from "./fault-run.ts";
import { violations } from "./invariants.ts";
import { LedgerView } from "./ledger-view.ts";
import { plants } from "./planted.ts";
import type { Report } from "./report.ts";
import { filesWith } from "./traces.ts";

const isFull = process.env["SLUICE_FAULT"] === "full";
const size = isFull ? { patients: 200, kills: 50, stalls: 10 } : { patients: 20, kills: 10, stalls: 3 };
const limitMs = isFull ? 3_600_000 : 900_000;
const given = process.env["SLUICE_FAULT_SEED"];
const randomSeed = given === undefined ? randomInt(1_000_000) : Number(given);

async function holds(options: FaultRunOptions, queue: string): Promise<FaultRunResult> {
  const result = await runFaults(options);
  const found = violations(result.snapshot, result.expected);
  assert.deepEqual(
    found,
    [],
    `seed ${options.seed}, directory ${result.directory}, repeat: SLUICE_FAULT_SEED=${options.seed}`,
  );
  assert.ok(result.report.takenOver > 0, "no drainer that was held lost its lane: the stalls did not happen");
  assert.ok(
    !Object.keys(result.report.states).some((state) => state.includes(" quarantined ")),
    "something waits for a person",
  );
  if (isFull) console.log(table(result.report, options, queue));
  return result;
}

describe("fault runs", function () {
  this.timeout(limitMs);
  let last: FaultRunResult | undefined;

  after(async () => last?.dispose());

  it("PGlite, fixed seed", async () => {
    last = await holds({ ...size, seed: 1 }, "PGlite");
  });

  it(`PGlite, seed ${randomSeed}`, async () => {
    const result = await holds({ ...size, seed: randomSeed }, "PGlite");
    await result.dispose();
  });

  it(`Redis, emptied in the middle, seed ${randomSeed + 1}`, async function () {
    const server = await redisForTests(this);
    this.timeout(limitMs);
    try {
      const half = { ...size, kills: size.kills / 2, stalls: isFull ? size.stalls : 1 };
      const result = await holds(
        { ...half, seed: randomSeed + 1, redis: server.url, flushes: isFull ? 10 : 3 },
        "Redis",
      );
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

    it("an audit entry that is missing", function () {
      if (!last) return this.skip();
      const view = new LedgerView(join(layout(join(last.directory, "data")).store, "sluice.sqlite"));
      const [write = ""] = last.snapshot.writes;
      assert.ok(view.hasAudit(`${write}.disclosure`));
      assert.ok(!view.hasAudit(`${write}x.disclosure`));
    });

    for (const [name, { plant, notice }] of Object.entries(plants)) {
      it(name, function () {
        if (!last) return this.skip();
        const found = violations(plant(last.snapshot), last.expected);
        assert.ok(
          found.some((one) => notice.test(one)),
          `planted, but found only: ${found.slice(0, 5).join("; ") || "nothing"}`,
        );
      });
    }
  });
});

function table(report: Report, { seed, patients }: FaultRunOptions, queue: string): string {
  const { seconds, edits, writes, takenOver } = report;
  const lines = report.faults
    .toSorted((a, b) => (a.what < b.what ? -1 : 1))
    .map(
      ({ what, times, medianMs }) =>
        `| ${what} | ${times} | ${medianMs === undefined ? "-" : `${(medianMs / 1000).toFixed(1)} s`} |`,
    );
  return [
    `${queue}, seed ${seed}: ${patients} patients, ${edits} edits, ${writes} writes sent, ${takenOver} lanes taken over, ${seconds} s`,
    "| fault | times | median until the exchange ended |",
    "|---|---|---|",
    ...lines,
  ].join("\n");
}
