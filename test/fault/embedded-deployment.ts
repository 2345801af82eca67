// The embedded profile in a fault run: one process, which is killed, stalled and robbed of its queue.
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { verdict, verifyStore } from "../../src/cli/audit.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { layout, openStoreAt } from "../../src/embedded.ts";
import { pgliteTemplate } from "../backends/pglite-template.ts";
import { startChild, type Child } from "./child.ts";
import { points, type Deployment, type Ground, type Profile, type Strike } from "./deployment.ts";
import type { EmbeddedProcess, ProcessSettings, Stall } from "./sluice-process.ts";
import { SqliteView } from "./sqlite-view.ts";
import { blockMs, holdMs } from "./times.ts";
import { canariesIn, filesWith, flush, redisText } from "./traces.ts";

export interface EmbeddedFaults {
  readonly kills: number;
  readonly stalls: number;
  /** The queue is Redis instead of PGlite; its keys are under a prefix of the run's own. */
  readonly redis?: string;
  /** How often the Redis queue loses everything. */
  readonly flushes?: number;
}

export function embedded(faults: EmbeddedFaults): Profile {
  return {
    name: faults.redis === undefined ? "PGlite" : "Redis",
    viewOf: (directory) => new SqliteView(join(layout(join(directory, "data")).store, "sluice.sqlite")),
    async prepare(ground) {
      const { redis } = faults;
      const profile: EmbeddedProcess = {
        name: "embedded",
        queueTemplate: await pgliteTemplate(),
        ...(redis !== undefined && {
          redis: { url: redis, prefix: `sluice-fault-${systemRandom(8).toString("hex")}` },
        }),
      };
      const settings: ProcessSettings = { ...ground.settings, data: join(ground.directory, "data"), profile };
      await writeFile(join(ground.directory, "settings.json"), JSON.stringify(settings), { mode: 0o600 });
      return new EmbeddedDeployment(faults, ground, settings.data, profile);
    },
  };
}

class EmbeddedDeployment implements Deployment {
  readonly strikes: readonly Strike[];
  readonly #ground: Ground;
  readonly #data: string;
  readonly #profile: EmbeddedProcess;
  #child: Child | undefined;

  constructor(
    { kills, stalls, redis, flushes = 0 }: EmbeddedFaults,
    ground: Ground,
    data: string,
    profile: EmbeddedProcess,
  ) {
    this.#ground = ground;
    this.#data = data;
    this.#profile = profile;
    this.strikes = [
      ...Array.from({ length: kills }, (_, n) => () => this.#kill(n, redis === undefined && n % 3 === 2)),
      ...Array.from({ length: stalls }, (_, n) => () => this.#stall(n)),
      ...Array.from({ length: flushes }, () => () => this.#flush()),
    ];
  }

  async start(): Promise<void> {
    this.#child = await startChild(join(this.#ground.directory, "settings.json"), this.#log);
  }

  gateways(): readonly string[] {
    return this.#child ? [this.#child.address] : [];
  }

  async calm(): Promise<void> {
    // Each strike leaves a process that runs.
  }

  /** While the gateway runs: its write-ahead files are looked at too. */
  async leaks(canaries: readonly string[]): Promise<readonly string[]> {
    const { view } = this.#ground;
    const { redis } = this.#profile;
    const texts: [string, string][] = view instanceof SqliteView ? [["audit rows", view.auditText()]] : [];
    if (redis) texts.push(["Redis", await redisText(redis.url, redis.prefix)]);
    return [
      ...filesWith(this.#log, canaries),
      ...filesWith(this.#data, canaries),
      ...texts.filter(([, text]) => canariesIn(text, canaries).length > 0).map(([name]) => name),
    ];
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
    this.#child = undefined;
  }

  async auditProblem(): Promise<string | undefined> {
    const store = await openStoreAt(this.#data);
    try {
      const result = await verifyStore(store);
      return result.ok ? undefined : verdict(result);
    } finally {
      await store.close();
    }
  }

  async takenOver(): Promise<number> {
    return (await readFile(this.#log, "utf8")).split("lane taken over by another holder").length - 1;
  }

  problems(): readonly string[] {
    return [];
  }

  remarks(): readonly string[] {
    return [];
  }

  async close(): Promise<void> {
    await this.#child?.kill();
    const { redis } = this.#profile;
    if (redis) await flush(redis.url, redis.prefix);
  }

  async dispose(): Promise<void> {
    // All is in the directory.
  }

  get #log(): string {
    return join(this.#ground.directory, "gateway.log");
  }

  /** Every second one as soon as an exchange has come to a certain point, one point after the other; the rest at any time. */
  async #kill(n: number, loseQueue: boolean): Promise<void> {
    const point = points[(n >> 1) % points.length] ?? "recorded";
    if (n % 2 === 0) await Promise.race([this.#child?.reach(point), delay(5_000, undefined, { ref: false })]);
    await this.#child?.kill();
    const inFlight = (await this.#ground.view.open()).filter((row) => row.state !== "queued");
    this.#ground.traffic.note(
      loseQueue ? "SIGKILL, queue directory deleted" : "SIGKILL",
      inFlight.map((row) => row.id),
    );
    if (loseQueue) await rm(layout(this.#data).queue, { recursive: true, force: true });
    await this.start();
  }

  async #stall(n: number): Promise<void> {
    const { random, traffic } = this.#ground;
    const stall: Stall =
      n % 3 === 2
        ? { how: "block", point: points[1 + random.int(points.length - 1)] ?? "judged", ms: blockMs }
        : { how: "hold", point: n % 3 === 0 ? "recorded" : random.pick(["recorded", "sent", "applied"]), ms: holdMs };
    const at = Date.now();
    const stood = await Promise.race([this.#child?.stall(stall), delay(30_000, undefined, { ref: false })]);
    if (!stood) throw new Error(`no exchange came to the point ${stall.point} within 30 s`);
    const words = stall.how === "hold" ? "one drainer held" : "event loop blocked";
    traffic.happened.push({ what: `${words} beyond the lease`, at, rows: [stood.exchange] });
  }

  async #flush(): Promise<void> {
    const { redis } = this.#profile;
    if (!redis) return;
    const due = (await this.#ground.view.open()).filter((row) => row.next <= Date.now());
    const gone = await flush(redis.url, redis.prefix);
    if (gone === 0) throw new Error("there was nothing to flush: the run does not use Redis");
    this.#ground.traffic.note(
      "Redis emptied",
      due.map((row) => row.id),
    );
  }
}
