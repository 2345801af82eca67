// A process that dies in the middle of a lane must not keep that lane from being woken.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BullQueue } from "../../../src/queue/bull-queue.ts";
import { pgliteConnection } from "../../../src/queue/pglite.ts";
import { redisConnection } from "../../../src/queue/redis.ts";
import type { OpenConnection } from "../../../src/queue/connection.ts";
import { pgliteTemplate } from "../../backends/pglite-template.ts";
import { redisForTests } from "../../backends/redis-for-tests.ts";
import { until } from "./contract.ts";

const holder = fileURLToPath(new URL("hold-lane.ts", import.meta.url));
const idKey = randomBytes(32);

describe("queue after kill -9", function () {
  this.timeout(90_000);

  it("PGlite: the next process wakes the lane", async () => {
    const dir = await mkdtemp(join(tmpdir(), "sluice-queue-"));
    const queueDir = join(dir, "queue");
    await holdAndDie("pglite", queueDir);
    await wakesAgain(pgliteConnection(queueDir, { template: await pgliteTemplate() }));
    await rm(dir, { recursive: true, force: true });
  });

  it("Redis: another process runs the lane when the dead one's lock has run out", async function () {
    const server = await redisForTests(this);
    const prefix = `sluice-test-${randomBytes(8).toString("hex")}`;
    await holdAndDie("redis", server.url, prefix);
    await wakesAgain(redisConnection(server.url, { prefix }));
    await server.close();
  });
});

async function holdAndDie(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [holder, ...args, idKey.toString("hex")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(said.toString().trim(), "HELD");
  child.kill("SIGKILL");
  await once(child, "close");
}

async function wakesAgain(open: OpenConnection): Promise<void> {
  const queue = await BullQueue.open(open, { idKey });
  const runs: string[] = [];
  await queue.onWake((lane) => Promise.resolve(void runs.push(lane)), 1);
  await queue.wake("person-1");
  await until(() => runs.includes("person-1"));
  await until(async () => (await queue.stats()).active === 0);
  await queue.wake("person-1");
  await until(async () => (await queue.stats()).waiting === 0);
  await queue.close();
}
