// What every back end of the Queue port must do. Run by the `*.test.ts` beside it, once for each back end.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { OpenConnection } from "../../../src/queue/connection.ts";
import { BullQueue } from "../../../src/queue/bull-queue.ts";
import { eventually } from "../../backends/backend.ts";

/** One empty queue of a back end. */
export interface QueueBench {
  readonly open: OpenConnection;
  /** Takes everything away behind the queue's back, as FLUSHALL does. */
  wipe(): Promise<void>;
  dispose(): Promise<void>;
}

const idKey = randomBytes(32);

export interface QueueContract {
  /** Runs once, first; may skip the suite. */
  readonly prepare?: (hook: Mocha.Context) => Promise<void>;
  readonly bench: () => Promise<QueueBench>;
}

export function queueContract(name: string, { prepare, bench }: QueueContract): void {
  describe(`queue contract: ${name}`, function () {
    this.timeout(60_000);
    let on: QueueBench;
    let queue: BullQueue;
    let reported: string[];

    before(async function () {
      await prepare?.(this);
    });

    beforeEach(async () => {
      on = await bench();
      reported = [];
      // An idle worker sleeps longer than any of these tests waits: only a notification can wake it.
      const options = { idKey, idlePollSeconds: 60, report: (error: Error) => reported.push(error.message) };
      queue = await BullQueue.open(on.open, options);
    });

    afterEach(async () => {
      await queue.close();
      await on.dispose();
    });

    it("runs a lane that is woken", async () => {
      const runs = await collect(queue, 1);
      await queue.wake("person-1");
      await until(() => runs.length === 1);
      assert.deepEqual(runs, ["person-1"]);
    });

    it("wakes a worker that has been idle for longer than a second", async () => {
      const runs = await collect(queue, 1);
      await pause(1200);
      await queue.wake("person-1");
      await until(() => runs.length === 1);
      await pause(1200);
      await queue.wake("person-2");
      await until(() => runs.length === 2);
      assert.deepEqual(runs, ["person-1", "person-2"]);
    });

    it("counts wakes of a waiting lane as one, and of two lanes as two", async () => {
      for (const lane of ["person-1", "person-1", "person-2", "person-1"]) await queue.wake(lane);
      assert.deepEqual(await queue.stats(), { waiting: 2, active: 0 });
      const runs = await collect(queue, 1);
      await until(() => runs.length === 2);
      await settled(queue);
      assert.deepEqual(runs, ["person-1", "person-2"]);
    });

    it("runs a lane once more when it was woken while it ran", async () => {
      const gate = new Gate();
      const runs: string[] = [];
      await queue.onWake(async (lane) => {
        runs.push(lane);
        if (runs.length === 1) await gate.wait();
      }, 4);
      await queue.wake("person-1");
      await until(() => runs.length === 1);
      for (let n = 0; n < 5; n += 1) await queue.wake("person-1");
      await pause(100);
      assert.equal(runs.length, 1, "a lane does not run beside itself");
      gate.open();
      await until(() => runs.length === 2);
      await settled(queue);
      assert.equal(runs.length, 2);
    });

    it("wakes a lane again after its run", async () => {
      const runs = await collect(queue, 1);
      for (let n = 1; n <= 3; n += 1) {
        await queue.wake("person-1");
        await until(() => runs.length === n);
        await settled(queue);
      }
      assert.equal(runs.length, 3);
    });

    it("runs as many lanes at once as it was told, and no more", async () => {
      const gate = new Gate();
      let now = 0;
      let most = 0;
      await queue.onWake(async () => {
        most = Math.max(most, (now += 1));
        await gate.wait();
        now -= 1;
      }, 3);
      for (let n = 0; n < 7; n += 1) await queue.wake(`person-${n}`);
      await until(() => now === 3);
      await pause(200);
      assert.deepEqual(await queue.stats(), { waiting: 4, active: 3 });
      gate.open();
      await settled(queue);
      assert.equal(most, 3);
    });

    it("does not trust what a job says", async () => {
      const stranger = await on.open();
      const raw = stranger.queue("lanes");
      const forged = [
        { lane: 42 },
        { lane: "" },
        { lane: "x".repeat(513) },
        {},
        [],
        "person-1",
        { lane: ["person-1"] },
      ];
      for (const data of forged) await raw.add("wake", data, { removeOnComplete: true });
      await raw.add("whatever", { lane: "person-1", other: "ignored" }, { removeOnComplete: true });
      const runs = await collect(queue, 1);
      await until(() => runs.length === 1);
      await settled(queue);
      await raw.close();
      await stranger.close();
      assert.deepEqual(runs, ["person-1"], "the one well-formed wake got through, nothing else did");
    });

    it("refuses to wake what is no lane", async () => {
      await assert.rejects(queue.wake(""), { code: "internal" });
      await assert.rejects(queue.wake("x".repeat(513)), { code: "internal" });
      await queue.wake("x".repeat(512));
      assert.equal((await queue.stats()).waiting, 1);
    });

    it("keeps working when a run rejects, and says so", async () => {
      const runs: string[] = [];
      await queue.onWake((lane) => {
        runs.push(lane);
        return Promise.reject(new Error("secret text"));
      }, 1);
      await queue.wake("person-1");
      await until(() => runs.length === 1);
      await settled(queue);
      await queue.wake("person-1");
      await until(() => runs.length === 2);
      assert.deepEqual(reported, ["unexpected Error", "unexpected Error"]);
    });

    it("told to take no wake-ups it leaves them, for others or until it is told to take them again", async () => {
      const runs = await collect(queue, 4);
      await queue.consume(false);
      // It may have asked for one already.
      await queue.wake("asked for");
      await pause(500);
      await queue.wake("left");
      await pause(500);
      assert.equal(runs.includes("left"), false);
      assert.ok((await queue.stats()).waiting >= 1);
      await queue.consume(true);
      await until(() => runs.includes("left"));
    });

    it("waits for running lanes when it closes", async () => {
      const gate = new Gate();
      let done = false;
      await queue.onWake(async () => {
        await gate.wait();
        done = true;
      }, 1);
      await queue.wake("person-1");
      await until(async () => (await queue.stats()).active === 1);
      let closed = false;
      const closing = queue.close().then(() => (closed = true));
      await pause(200);
      assert.equal(closed, false);
      gate.open();
      await closing;
      assert.equal(done, true);
    });

    it("goes on after everything in it was lost", async () => {
      const runs = await collect(queue, 1);
      await queue.wake("person-1");
      await until(() => runs.length === 1);
      await on.wipe();
      await queue.wake("person-1");
      await until(() => runs.length >= 2);
    });
  });
}

/** Starts consuming into a list. */
async function collect(queue: BullQueue, concurrency: number): Promise<string[]> {
  const runs: string[] = [];
  await queue.onWake((lane) => Promise.resolve(void runs.push(lane)), concurrency);
  return runs;
}

async function settled(queue: BullQueue): Promise<void> {
  await until(async () => {
    const { waiting, active } = await queue.stats();
    return waiting + active === 0;
  });
}

/** Bounded at 20 s, far below the 60 s after which an idle worker would look by itself. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(async () => {
    assert.ok(await holds(), `never came true: ${holds.toString()}`);
  }, 400);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class Gate {
  readonly #promise = Promise.withResolvers<undefined>();
  wait(): Promise<void> {
    return this.#promise.promise;
  }
  open(): void {
    this.#promise.resolve(undefined);
  }
}
