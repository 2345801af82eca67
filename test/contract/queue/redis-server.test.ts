// Redis as it is run in production: with users and their rights, over TLS, restarted, frozen, shared by deployments and by
// worker processes. On a private server, since its users and settings are changed.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { BullQueue, type BullQueueOptions } from "../../../src/queue/bull-queue.ts";
import { redisConnection } from "../../../src/queue/redis.ts";
import { startOrSkip, type PrivateBackend } from "../../backends/backend.ts";
import { makeCertificates, type Certificates } from "../../backends/certificates.ts";
import { startPrivateRedis, startTlsRedis } from "../../backends/redis.ts";
import { pause, queueContract, until } from "./contract.ts";
import { SeveredLine } from "./severed-line.ts";
import { WorkerProcess } from "./worker-processes.ts";

const idKey = randomBytes(32);
const newPrefix = (): string => `sluice-test-${randomBytes(8).toString("hex")}`;
let server: PrivateBackend;
let admin: Redis;

async function prepare(hook: Mocha.Context): Promise<void> {
  hook.timeout(120_000);
  server = await startOrSkip(hook, startPrivateRedis);
  admin = new Redis(server.url);
  admin.on("error", () => undefined);
}

async function dispose(): Promise<void> {
  admin.disconnect();
  await server.close();
}

/** The least rights, word for word as `docs/redis.md` gives them. */
function leastRights(prefix: string): readonly string[] {
  const commands = "-@all +@read +@write -@dangerous +eval +evalsha +info +time +client|setname";
  return ["resetkeys", `~${prefix}:*`, "resetchannels", ...commands.split(" ")];
}

async function user(...rights: readonly string[]): Promise<string> {
  await admin.call("ACL", "SETUSER", "sluice", "reset", "on", ">p@ss/word", ...rights);
  return server.url.replace("redis://", `redis://sluice:${encodeURIComponent("p@ss/word")}@`);
}

function open(url: string, prefix: string, options: Partial<BullQueueOptions> = {}): Promise<BullQueue> {
  return BullQueue.open(redisConnection(url, { prefix, timeoutMs: 2000 }), { idKey, ...options });
}

async function collect(queue: BullQueue): Promise<string[]> {
  const runs: string[] = [];
  await queue.onWake((lane) => Promise.resolve(void runs.push(lane)), 1);
  return runs;
}

/** As the sweep does, until it is taken. */
async function wakeUntilTaken(queue: BullQueue, lane: string): Promise<void> {
  await until(() =>
    queue.wake(lane).then(
      () => true,
      () => false,
    ),
  );
}

describe("Redis as a user with the least rights", () => {
  after(dispose);
  queueContract("Redis, least rights", {
    prepare: async (hook) => {
      await prepare(hook);
      await admin.call("ACL", "LOG", "RESET");
    },
    bench: async () => {
      const prefix = newPrefix();
      const url = await user(...leastRights(prefix));
      const wipe = async (): Promise<void> => {
        await admin.flushall();
      };
      return { open: redisConnection(url, { prefix }), wipe, dispose: wipe };
    },
  });
  describe("meanwhile", () => {
    it("nothing was denied to it", async () => {
      assert.deepEqual(await admin.call("ACL", "LOG"), []);
    });
  });
});

describe("a Redis server that will not do", function () {
  this.timeout(60_000);
  before(async function () {
    await prepare(this);
  });
  after(dispose);

  const refused = (url: string, prefix: string, message: RegExp, hint: RegExp): Promise<void> =>
    assert.rejects(open(url, prefix), (error: Error & { code?: string; detail?: { hint?: string } }) => {
      assert.equal(error.code, "config-invalid");
      assert.match(error.message, message);
      assert.match(error.detail?.hint ?? "", hint);
      return true;
    });
  const works = async (url: string, prefix: string): Promise<void> => {
    const warnings: string[] = [];
    const queue = await open(url, prefix, { warn: (warning) => warnings.push(warning) });
    await queue.wake("person-1");
    assert.equal((await queue.stats()).waiting, 1);
    await queue.close();
    assert.deepEqual(warnings, []);
  };

  it("one that may evict keys is refused; the same one without eviction is taken", async () => {
    await admin.config("SET", "maxmemory-policy", "allkeys-lru");
    await refused(server.url, newPrefix(), /may evict keys \(maxmemory-policy allkeys-lru\)/, /noeviction/);
    await admin.config("SET", "maxmemory-policy", "noeviction");
    await works(server.url, newPrefix());
  });

  it("one that may not be asked is refused with the right that is missing; with it, it is taken", async () => {
    const prefix = newPrefix();
    const rights = leastRights(prefix);
    await refused(await user(...rights, "-info"), prefix, /denies/, /ACL SETUSER NAME \+info /);
    await works(await user(...rights), prefix);
  });

  it("one whose INFO keeps the policy back is asked by CONFIG, and refused where that is denied", async () => {
    // The same number of bytes, so that the protocol's lengths stay right.
    const hide = (answer: Buffer): Buffer =>
      Buffer.from(answer.toString("latin1").replaceAll("maxmemory_policy:", "xxxmemory_policy:"), "latin1");
    const line = new SeveredLine(server.url, hide);
    await line.mend();
    const prefix = newPrefix();
    const rights = leastRights(prefix);
    const byLine = async (...more: readonly string[]): Promise<string> => {
      const { username, password } = new URL(await user(...rights, ...more));
      return line.url.replace("redis://", `redis://${username}:${password}@`);
    };
    await refused(await byLine(), prefix, /denies.*whether it may evict/, /\+config\|get/);
    await works(await byLine("+config|get"), prefix);
    await admin.config("SET", "maxmemory-policy", "volatile-lru");
    await refused(await byLine("+config|get"), prefix, /volatile-lru/, /noeviction/);
    await admin.config("SET", "maxmemory-policy", "noeviction");
    await line.cut();
  });

  it("another deployment's prefix is refused", async () => {
    const prefix = newPrefix();
    const url = await user(...leastRights(prefix));
    await refused(url, `${prefix}-2`, /may not write/, new RegExp(`~${prefix}-2:\\*`));
    await works(url, prefix);
  });

  it("a replica is refused; the same server as a primary is taken", async () => {
    await admin.call("REPLICAOF", "127.0.0.1", "1");
    await refused(server.url, newPrefix(), /replica/, /primary/);
    await admin.call("REPLICAOF", "NO", "ONE");
    await works(server.url, newPrefix());
  });

  it("one without an append-only file is taken, with a warning", async () => {
    await admin.config("SET", "appendonly", "no");
    const warnings: string[] = [];
    const queue = await open(server.url, newPrefix(), { warn: (warning) => warnings.push(warning) });
    await queue.close();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /no append-only file/);
    await admin.config("SET", "appendonly", "yes");
    await works(server.url, newPrefix());
  });

  it("a wrong password is said without the password; an address that is none is refused", async () => {
    const wrong = (await user(...leastRights("x"))).replace("word@", "hunter2@");
    await assert.rejects(open(wrong, "x"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "queue-unavailable");
      assert.match(error.message, /refuses the user or the password/);
      assert.ok(!JSON.stringify(error).includes("hunter2"));
      return true;
    });
    for (const url of ["http://h", "redis://h/x", "redis://h?tls=false", "h:6379", "redis://u:%@h"]) {
      await assert.rejects(open(url, "x"), { code: "config-invalid" }, url);
    }
    const plain = redisConnection(server.url, { prefix: "x", ca: "-" });
    await assert.rejects(BullQueue.open(plain, { idKey }), { code: "config-invalid", message: /does not ask for TLS/ });
  });
});

describe("a Redis server that comes and goes", function () {
  this.timeout(120_000);
  before(async function () {
    await prepare(this);
  });
  after(dispose);

  it("killed and started again: workers go on with what waited, producers recover, a run in between is finished", async () => {
    const prefix = newPrefix();
    const reported: string[] = [];
    const queue = await open(server.url, prefix, { report: (error) => reported.push(error.code) });
    const producer = await open(server.url, prefix);
    const runs: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    await queue.onWake(async (lane) => {
      if (lane === "person-1") await gate.promise;
      runs.push(lane);
    }, 1);
    await producer.wake("person-1");
    await until(async () => (await queue.stats()).active === 1);
    await producer.wake("person-2");
    await server.kill();
    await assert.rejects(producer.wake("person-3"), { code: "queue-unavailable" });
    gate.resolve(undefined);
    await until(() => runs.includes("person-1") && reported.length > 0);
    await server.restart();
    await until(() => runs.includes("person-2"));
    await wakeUntilTaken(producer, "person-3");
    await until(() => runs.includes("person-3"));
    assert.deepEqual(reported, ["queue-unavailable"], "told once");
    await Promise.all([queue.close(), producer.close()]);
  });

  it("a line that is dead without saying so: wakes are refused, then both sides connect anew", async () => {
    const line = new SeveredLine(server.url);
    await line.mend();
    const prefix = newPrefix();
    const queue = await open(line.url, prefix, { idlePollSeconds: 1 });
    const runs = await collect(queue);
    await queue.wake("person-1");
    await until(() => runs.length === 1);
    line.freeze();
    await assert.rejects(queue.wake("person-2"), { code: "queue-unavailable" });
    await wakeUntilTaken(queue, "person-3");
    await until(() => runs.includes("person-3"));
    await queue.close();
    await line.cut();
  });

  for (const [what, lose] of [
    ["its line is dead without saying so", (line: SeveredLine): unknown => line.freeze()],
    ["it is away", (line: SeveredLine): unknown => line.cut()],
  ] as const) {
    it(`closing while ${what} waits for the runs of this process, not for the server`, async () => {
      const line = new SeveredLine(server.url);
      await line.mend();
      const queue = await open(line.url, newPrefix());
      const gate = Promise.withResolvers<undefined>();
      let finished = false;
      await queue.onWake(async () => {
        await gate.promise;
        finished = true;
      }, 1);
      await queue.wake("person-1");
      await until(async () => (await queue.stats()).active === 1);
      await lose(line);
      let closed = false;
      const closing = queue.close().then(() => (closed = true));
      await pause(500);
      assert.equal(closed, false);
      gate.resolve(undefined);
      await until(() => closed);
      await closing;
      assert.equal(finished, true);
      await line.cut();
    });
  }

  it("emptied while a lane runs: the run ends in peace, the next wake is heard", async () => {
    const reported: string[] = [];
    const queue = await open(server.url, newPrefix(), { report: (error) => reported.push(error.code) });
    const gate = Promise.withResolvers<undefined>();
    let runs = 0;
    await queue.onWake(async () => {
      runs += 1;
      await gate.promise;
    }, 1);
    await queue.wake("person-1");
    await until(() => runs === 1);
    await admin.flushall();
    gate.resolve(undefined);
    await until(async () => {
      await queue.wake("person-1");
      return runs >= 2;
    });
    await queue.close();
    assert.deepEqual(reported, [], "a job that is gone is no failure of the server");
  });
});

describe("one Redis server for several", function () {
  this.timeout(120_000);
  before(async function () {
    await prepare(this);
  });
  after(dispose);

  it("two deployments under their own prefixes do not see each other", async () => {
    const prefix = newPrefix();
    const one = await open(server.url, prefix);
    const other = await open(server.url, `${prefix}-2`);
    await one.wake("person-1");
    assert.deepEqual(await one.stats(), { waiting: 1, active: 0 });
    assert.deepEqual(await other.stats(), { waiting: 0, active: 0 });
    const ofOther = await collect(other);
    await other.wake("person-2");
    await until(() => ofOther.length === 1);
    assert.deepEqual(ofOther, ["person-2"]);
    const ofOne = await collect(one);
    await until(() => ofOne.length === 1);
    assert.deepEqual(ofOne, ["person-1"]);
    await Promise.all([one.close(), other.close()]);
  });

  it("worker processes share the lanes; what a killed one held is run by another", async () => {
    const prefix = newPrefix();
    const queue = await open(server.url, prefix);
    const url = await user(...leastRights(prefix));
    const workers = await Promise.all([1, 2, 3].map(() => WorkerProcess.start(url, prefix, idKey)));
    try {
      const lanes = Array.from({ length: 60 }, (_, n) => `person-${n}`);
      await Promise.all(lanes.map((lane) => queue.wake(lane)));
      const ran = (): string[] => workers.flatMap(({ said }) => said).filter((line) => line.startsWith("RAN"));
      await until(() => ran().length >= lanes.length);
      assert.deepEqual(ran().toSorted(), lanes.map((lane) => `RAN ${lane}`).toSorted());

      await queue.wake("hold-1");
      await until(() => workers.some(({ said }) => said.includes("HELD hold-1")));
      const holder = workers.find(({ said }) => said.includes("HELD hold-1"));
      const others = workers.filter((worker) => worker !== holder);
      await holder?.kill();
      await until(async () => {
        // The sweep wakes the lane each second; while the dead worker's lock stands that is kept back.
        await queue.wake("hold-1");
        return others.some(({ said }) => said.includes("HELD hold-1"));
      });
      assert.equal((await queue.stats()).active, 1);
    } finally {
      await Promise.all(workers.map((worker) => worker.kill()));
      await queue.close();
    }
  });
});

describe("Redis over TLS", function () {
  this.timeout(120_000);
  let dir: string;
  let certificates: Certificates;
  let tls: PrivateBackend | undefined;

  before(async function () {
    dir = await mkdtemp(join(tmpdir(), "sluice-tls-"));
    certificates = await startOrSkip(this, () => makeCertificates(dir));
    tls = await startOrSkip(this, () => startTlsRedis(certificates));
  });
  after(async () => {
    await tls?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const by = (place: { ca?: string; cert?: string; key?: string }): Promise<BullQueue> =>
    BullQueue.open(redisConnection(tls?.url ?? "", { prefix: newPrefix(), ...place }), { idKey });

  it("works under the private authority and with a certificate of our own", async () => {
    const { cert, key } = certificates.client;
    const queue = await by({ ca: certificates.ca.cert, cert, key });
    const runs = await collect(queue);
    await queue.wake("person-1");
    await until(() => runs.length === 1);
    await queue.close();
  });

  it("is refused without either, with a certificate and no key, and in clear", async () => {
    const { cert, key } = certificates.client;
    const untrusted = { code: "queue-unavailable", message: /certificate/ };
    await assert.rejects(by({ cert, key }), untrusted);
    await assert.rejects(by({ ca: certificates.ca.cert }), { code: "queue-unavailable" });
    await assert.rejects(by({ ca: certificates.ca.cert, cert }), { code: "config-invalid", message: /go together/ });
    const clear = redisConnection((tls?.url ?? "").replace("rediss:", "redis:"), { prefix: "x", timeoutMs: 1000 });
    await assert.rejects(BullQueue.open(clear, { idKey }), { code: "queue-unavailable" });
  });
});
