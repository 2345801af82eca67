// Four processes write to one audit log while they, and in one case the database, are killed at random: nothing that was
// answered is lost, the chain has no gap, nothing is in it twice, and each writer gets on. SLUICE_FAULT=full kills more.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readMirror } from "../../../src/store/mirror.ts";
import { verifyChain } from "../../../src/audit/verify.ts";
import { prng } from "../../../src/practice/prng.ts";
import { openMongoStore } from "../../../src/store/mongo/open.ts";
import { startOrSkip, type PrivateBackend, type RunningBackend } from "../../backends/backend.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../../backends/mongo-for-tests.ts";
import { startPrivateMongo } from "../../backends/mongo.ts";

const script = fileURLToPath(new URL("./audit-writer.ts", import.meta.url));
const isFull = process.env["SLUICE_FAULT"] === "full";
const writers = [0, 1, 2, 3];
/** Answers that each writer must have had before the next fault. */
const stepEach = 30;

/** One of the four, started anew each time that it was killed. */
class Writer {
  readonly answered: string[] = [];
  readonly #args: readonly string[];
  readonly #name: string;
  #child: ReturnType<Writer["spawn"]>;
  #lives = 0;

  constructor(uri: string, database: string, directory: string, name: string) {
    this.#args = [script, uri, database, join(directory, `${name}.json`)];
    this.#name = name;
    this.#child = this.spawn();
  }

  async kill(): Promise<void> {
    this.#child.process.kill("SIGKILL");
    await this.#child.over;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#child = this.spawn();
  }

  spawn() {
    const name = `${this.#name}.${(this.#lives += 1)}`;
    const child = spawn(process.execPath, [...this.#args, name], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const over = Promise.all([once(child, "close"), once(lines, "close")]);
    // Half a line, cut off by the kill, is no answer.
    lines.on("line", (key) => {
      if (/^\d\.\d+\.\d+$/.test(key)) this.answered.push(key);
    });
    return { process: child, over };
  }
}

interface Faults {
  readonly times: number;
  /** Each time that all have got on again. */
  strike(running: readonly Writer[]): Promise<void>;
}

/** How far the slowest writer is. */
function least(running: readonly Writer[]): number {
  return Math.min(...running.map((writer) => writer.answered.length));
}

async function holds(uri: string, seed: number, { times, strike }: Faults): Promise<void> {
  const database = newDatabaseName();
  const directory = mkdtempSync(join(tmpdir(), "sluice-audit-"));
  const mirrorHeadTo = join(directory, "own.json");
  await (await openMongoStore({ uri, database, mirrorHeadTo })).close();
  const running = writers.map((n) => new Writer(uri, database, directory, String(n)));
  try {
    // Ends only if each of them gets on, between the faults and after them.
    for (let n = 1; n <= times + 1; n += 1) {
      while (least(running) < n * stepEach) await delay(5);
      if (n <= times) await strike(running);
    }
    await Promise.all(running.map((writer) => writer.kill()));
    const store = await openMongoStore({ uri, database, mirrorHeadTo });
    const found = new Map<string, number>();
    const batches = new Set<string>();
    for await (const batch of store.audit.read()) {
      assert.ok(!batches.has(batch.batch), "no batch twice");
      batches.add(batch.batch);
      for (const { key } of batch.entries) found.set(key, (found.get(key) ?? 0) + 1);
    }
    const answered = running.flatMap((writer) => writer.answered);
    assert.deepEqual(
      answered.filter((key) => !found.has(key)),
      [],
      "nothing answered is lost",
    );
    assert.deepEqual(
      [...found].filter(([, times]) => times > 1),
      [],
      "nothing is there twice",
    );
    assert.equal(await store.audit.has(answered[0] ?? ""), true);
    const verified = await verifyChain(store.audit.read(), () => store.audit.head());
    assert.deepEqual([verified.ok, verified.problem, verified.batches], [true, undefined, batches.size]);
    await store.flush();
    assert.deepEqual(readMirror(mirrorHeadTo), verified.head);
    await store.close();
    const each = running.map((writer) => writer.answered.length).join(", ");
    console.log(`      seed ${seed}: ${batches.size} batches, ${found.size} entries, answered ${each}`);
  } finally {
    await Promise.all(running.map((writer) => writer.kill()));
    await dropDatabase(uri, database);
    rmSync(directory, { recursive: true });
  }
}

describe("four writers on one audit log", function () {
  this.timeout(isFull ? 900_000 : 60_000);
  const seed = Number(process.env["SLUICE_FAULT_SEED"] ?? Date.now() % 100_000);

  describe("that are killed", () => {
    let mongo: RunningBackend | undefined;
    before(async function () {
      mongo = await mongoForTests(this);
    });
    after(() => mongo?.close());

    it(`lose nothing, seed ${seed}`, async () => {
      const random = prng(seed);
      await holds(mongo?.url ?? "", seed, {
        times: isFull ? 100 : 6,
        strike: async (running) => {
          for (const writer of running) {
            await delay(random.int(50));
            if (random.chance(0.5)) await writer.restart();
          }
        },
      });
    });
  });

  describe("whose database is killed", () => {
    let mongo: PrivateBackend | undefined;
    before(async function () {
      this.timeout(300_000);
      mongo = await startOrSkip(this, startPrivateMongo);
    });
    after(() => mongo?.close());

    it(`lose nothing and repeat nothing, seed ${seed}`, async () => {
      const random = prng(seed + 1);
      await holds(mongo?.url ?? "", seed, {
        times: isFull ? 30 : 4,
        strike: async () => {
          await delay(random.int(50));
          await mongo?.kill();
          await delay(random.int(500));
          await mongo?.restart();
        },
      });
    });
  });
});
