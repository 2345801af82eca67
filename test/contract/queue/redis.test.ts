// The Queue port on Redis, and what is special to it: several processes, a server that is away or set up wrongly.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { BullQueue } from "../../../src/queue/bull-queue.ts";
import { redisConnection } from "../../../src/queue/redis.ts";
import type { RunningBackend } from "../../backends/backend.ts";
import { redisForTests } from "../../backends/redis-for-tests.ts";
import { SeveredLine } from "./severed-line.ts";
import { pause, queueContract, until, type QueueBench } from "./contract.ts";

const idKey = randomBytes(32);
let server: RunningBackend | undefined;

async function prepare(hook: Mocha.Context): Promise<void> {
  server ??= await redisForTests(hook);
}

/** @param by Another way to the same server. */
function bench(by?: string): Promise<QueueBench> {
  assert.ok(server);
  const { url } = server;
  const prefix = `sluice-test-${randomBytes(8).toString("hex")}`;
  return Promise.resolve({
    open: redisConnection(by ?? url, { prefix }),
    wipe: () => erase(url, prefix),
    dispose: () => erase(url, prefix),
  });
}

/** Only this test's keys: the server may be somebody's own. */
async function erase(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url);
  const keys = await redis.keys(`${prefix}:*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
}

after(async () => {
  await server?.close();
  server = undefined;
});

queueContract("Redis", { prepare, bench });

describe("Redis queue", function () {
  this.timeout(60_000);

  before(async function () {
    await prepare(this);
  });

  it("is shared by processes: one of them runs a lane, never two", async () => {
    const on = await bench();
    const producer = await BullQueue.open(on.open, { idKey });
    const queues = await Promise.all([1, 2, 3].map(() => BullQueue.open(on.open, { idKey })));
    const runs: string[] = [];
    for (const queue of queues) {
      await queue.onWake((lane) => Promise.resolve(void runs.push(lane)), 2);
    }
    const lanes = Array.from({ length: 30 }, (_, n) => `person-${n}`);
    await Promise.all(lanes.map((lane) => producer.wake(lane)));
    await until(() => runs.length >= lanes.length);
    await Promise.all([producer, ...queues].map((queue) => queue.close()));
    await on.dispose();
    assert.deepEqual(runs.toSorted(), lanes.toSorted());
  });

  it("refuses wakes at once while the server is away, and goes on when it is back", async () => {
    assert.ok(server);
    const line = new SeveredLine(server.url);
    await line.mend();
    const on = await bench(line.url);
    const queue = await BullQueue.open(on.open, { idKey });
    const runs: string[] = [];
    await queue.onWake((lane) => Promise.resolve(void runs.push(lane)), 1);
    await queue.wake("person-1");
    await until(() => runs.length === 1);
    await line.cut();
    await assert.rejects(queue.wake("person-2"), { code: "queue-unavailable" });
    await assert.rejects(queue.stats(), { code: "queue-unavailable" });
    await line.mend();
    await until(() =>
      queue.wake("person-3").then(
        () => true,
        () => false,
      ),
    );
    await until(() => runs.includes("person-3"));
    await queue.close();
    await line.cut();
    await on.dispose();
  });

  it("closes while the server is away", async () => {
    assert.ok(server);
    const line = new SeveredLine(server.url);
    await line.mend();
    const on = await bench(line.url);
    const reported: string[] = [];
    const queue = await BullQueue.open(on.open, { idKey, report: (error) => reported.push(error.code) });
    await queue.onWake(() => Promise.resolve(), 1);
    await line.cut();
    await until(() => reported.length > 0);
    await pause(500);
    await queue.close();
    assert.deepEqual(reported, ["queue-unavailable"], "told once, however many attempts there were");
    await on.dispose();
  });
});

describe("Redis queue without a server", () => {
  it("fails at once, without the password, when no server answers", async () => {
    const open = redisConnection("redis://:hunter2@127.0.0.1:1", { prefix: "sluice-test" });
    await assert.rejects(BullQueue.open(open, { idKey }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "queue-unavailable");
      assert.ok(!`${inspect(error)} ${JSON.stringify(error)}`.includes("hunter2"));
      return true;
    });
  });
});
