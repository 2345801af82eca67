// The production profile in a fault run: two gateways and three workers, each a supervised process with a clock of its own,
// over a database and a Redis that are struck too, and a network that is cut.
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { verdict, verifyStore } from "../../src/cli/audit.ts";
import { openProductionStore } from "../../src/production-store.ts";
import type { ProductionPlaces } from "../../src/settings/deployment.ts";
import type { PrivateBackend, RunningBackend } from "../backends/backend.ts";
import { dropDatabase } from "../backends/mongo-for-tests.ts";
import { activate } from "./activate.ts";
import { points, type Deployment, type Ground, type Profile, type Strike } from "./deployment.ts";
import { MongoView } from "./mongo-view.ts";
import type { ProcessSettings, Stall } from "./sluice-process.ts";
import { Supervised } from "./supervised.ts";
import { holdMs } from "./times.ts";
import { canariesIn, filesWith, flush, redisText } from "./traces.ts";

export interface ProductionFaults {
  /** SIGKILL of a process. */
  readonly kills: number;
  /** SIGSTOP of a process beyond the lease, then SIGCONT. */
  readonly stalls: number;
  /** SIGKILL of Redis, started again on the same data. */
  readonly redisKills: number;
  /** Redis emptied. */
  readonly flushes: number;
  /** SIGKILL of the database, started again on the same data. */
  readonly databaseKills: number;
  /** The network to one system is cut. */
  readonly cuts: number;
}

export interface Servers {
  readonly mongo: RunningBackend | PrivateBackend;
  readonly redis: RunningBackend | PrivateBackend;
}

/** Wall clocks are apart by more than the lease. */
const processes = [
  { name: "gateway-1", role: "gateway", clockOffMs: 0 },
  { name: "gateway-2", role: "gateway", clockOffMs: 2_000 },
  { name: "worker-1", role: "worker", clockOffMs: -2_500 },
  { name: "worker-2", role: "worker", clockOffMs: 0 },
  { name: "worker-3", role: "worker", clockOffMs: 2_500 },
] as const;

export function production(faults: ProductionFaults, servers: Servers): Profile {
  const places: ProductionPlaces = {
    mongodb: servers.mongo.url,
    redis: servers.redis.url,
    prefix: `sluice-fault-${randomBytes(6).toString("hex")}`,
  };
  return {
    name: "production",
    viewOf: () => new MongoView(places.mongodb, places.prefix),
    async prepare(ground) {
      await activate(ground, places);
      const supervised = await Promise.all(
        processes.map(async ({ name, role, clockOffMs }) => {
          const data = join(ground.directory, name);
          await mkdir(data, { mode: 0o700 });
          const profile = { name: "production", role, places, clockOffMs } as const;
          const settings: ProcessSettings = { ...ground.settings, data, profile };
          const file = join(ground.directory, `${name}.json`);
          await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
          return new Supervised(name, role, file, join(ground.directory, `${name}.log`));
        }),
      );
      return new ProductionDeployment(faults, servers, places, ground, supervised);
    },
  };
}

type Point = Stall["point"];

class ProductionDeployment implements Deployment {
  readonly strikes: readonly Strike[];
  readonly #servers: Servers;
  readonly #places: ProductionPlaces;
  readonly #ground: Ground;
  readonly #processes: readonly Supervised[];
  readonly #background: Promise<void>[] = [];
  readonly #problems: string[] = [];
  readonly #remarks: string[] = [];

  constructor(
    faults: ProductionFaults,
    servers: Servers,
    places: ProductionPlaces,
    ground: Ground,
    supervised: readonly Supervised[],
  ) {
    this.#servers = servers;
    this.#places = places;
    this.#ground = ground;
    this.#processes = supervised;
    const many = (count: number, strike: (n: number) => Promise<void>): Strike[] =>
      Array.from({ length: count }, (_, n) => () => strike(n));
    this.strikes = [
      ...many(faults.kills, (n) => this.#kill(n)),
      ...many(faults.stalls, (n) => this.#stall(n)),
      ...many(faults.flushes, () => this.#flush()),
      ...many(faults.cuts, (n) => this.#cut(n)),
      ...this.#serverKills("Redis", servers.redis, faults.redisKills),
      ...this.#serverKills("the database", servers.mongo, faults.databaseKills),
    ];
  }

  async start(): Promise<void> {
    for (const one of this.#processes) one.start();
    await this.#allUp();
  }

  gateways(): readonly string[] {
    return this.#processes.filter((one) => one.role === "gateway").flatMap((one) => one.address ?? []);
  }

  async calm(): Promise<void> {
    await Promise.all(this.#background);
    await this.#allUp();
  }

  async leaks(canaries: readonly string[]): Promise<readonly string[]> {
    const { view } = this.#ground;
    const { redis, prefix } = this.#places;
    return [
      ...this.#processes.flatMap((one) => [one.log, this.#dataOf(one)]).flatMap((place) => filesWith(place, canaries)),
      ...(view instanceof MongoView ? await view.collectionsWith(canaries) : []),
      ...(canariesIn(await redisText(redis, prefix), canaries).length > 0 ? ["Redis"] : []),
    ];
  }

  async stop(): Promise<void> {
    const ends = await Promise.all(this.#processes.map((one) => one.stop()));
    this.#problems.push(...ends.filter((problem) => problem !== undefined));
  }

  /** Against the head that each process has mirrored on its own machine. */
  async auditProblem(): Promise<string | undefined> {
    for (const one of this.#processes) {
      const store = await openProductionStore(this.#places, this.#dataOf(one));
      try {
        const result = await verifyStore(store);
        if (!result.ok) return verdict(result);
      } finally {
        await store.close();
      }
    }
    return undefined;
  }

  async takenOver(): Promise<number> {
    const logs = await Promise.all(this.#processes.map((one) => readFile(one.log, "utf8")));
    return logs.join("").split("lane taken over by another holder").length - 1;
  }

  problems(): readonly string[] {
    return [...this.#problems, ...this.#processes.flatMap((one) => one.endedAlone)];
  }

  remarks(): readonly string[] {
    const failed = this.#processes.reduce((sum, one) => sum + one.failedStarts, 0);
    return [...this.#remarks, ...(failed > 0 ? [`${failed} starts failed and were repeated by the supervisor.`] : [])];
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.destroy()));
    await flush(this.#places.redis, this.#places.prefix).catch(() => undefined);
  }

  dispose(): Promise<void> {
    return dropDatabase(this.#places.mongodb, this.#places.prefix);
  }

  #dataOf(one: Supervised): string {
    return join(this.#ground.directory, one.name);
  }

  /** Every second one as soon as an exchange has come to a certain point, one point after the other; the rest at any time. */
  async #kill(n: number): Promise<void> {
    const point = n % 2 === 0 ? points[(n >> 1) % points.length] : undefined;
    const found = point && (await this.#reach(point));
    const victim = found?.process ?? (await this.#anyUp());
    const when = found ? "between two steps" : "at any moment";
    const rows = found ? [found.exchange] : await this.#inFlight();
    await victim.kill();
    this.#ground.traffic.note(`SIGKILL, ${victim.role}, ${when}`, rows);
  }

  /** The first one alone, while nothing else happens, so that the others have the time to take over; the rest meanwhile. */
  async #stall(n: number): Promise<void> {
    if (n === 0) await this.#allUp();
    const point = n === 0 ? "recorded" : n % 3 === 1 ? undefined : this.#ground.random.pick(points);
    const found = point && (await this.#reach(point, n === 0 ? 30_000 : undefined));
    if (n === 0 && !found) throw new Error("no exchange came to the point recorded within 30 s");
    const victim = found?.process ?? (await this.#anyUp());
    const when = found ? "between two steps" : "at any moment";
    const rows = found ? [found.exchange] : await this.#inFlight();
    const goOn = victim.suspend();
    this.#ground.traffic.note(`SIGSTOP beyond the lease, ${victim.role}, ${when}`, rows);
    const over = delay(holdMs).then(() => {
      goOn();
      victim.up?.goOn();
    });
    this.#background.push(over);
    if (n === 0) await over;
  }

  async #flush(): Promise<void> {
    const rows = await this.#due();
    for (let tries = 0; (await flush(this.#places.redis, this.#places.prefix)) === 0; tries += 1) {
      if (tries === 50) throw new Error("there was nothing to flush: the run does not use Redis");
      await delay(20);
    }
    this.#ground.traffic.note("Redis emptied", rows);
  }

  async #cut(n: number): Promise<void> {
    const { random, sandboxes, traffic } = this.#ground;
    const systems = { crm: sandboxes.crm, ehr: sandboxes.ehr, marketing: sandboxes.sink };
    const name = n < 2 ? (["crm", "ehr"] as const)[n]! : random.pick(["crm", "ehr", "marketing"] as const);
    const how = n % 2 === 0 ? "broken" : "silent";
    const open = await this.#ground.view.open();
    systems[name].cutNetwork(how);
    traffic.note(
      `network to one system cut, ${how === "broken" ? "connections broken off" : "no answer"}`,
      open.filter((row) => row.channel.includes(name)).map((row) => row.id),
    );
    this.#background.push(
      delay(3_000 + random.int(4_000)).then(() => {
        systems[name].cutNetwork(undefined);
      }),
    );
  }

  /** A server that was given by its address is somebody else's: it is left alone, and that is said. */
  #serverKills(what: string, server: RunningBackend | PrivateBackend, times: number): readonly Strike[] {
    if (times === 0) return [];
    if (!("kill" in server)) {
      this.#remarks.push(`Not run: SIGKILL of ${what}, which was given by its address (${server.description}).`);
      return [];
    }
    return Array.from({ length: times }, () => async () => {
      const rows = await this.#due();
      await server.kill();
      this.#ground.traffic.note(`SIGKILL of ${what}`, rows);
      await delay(1_000 + this.#ground.random.int(2_000));
      await server.restart();
    });
  }

  /** The first process in which an exchange comes to the point; there it stays. */
  async #reach(
    point: Point,
    withinMs = 5_000,
  ): Promise<{ readonly process: Supervised; readonly exchange: string } | undefined> {
    const asked = this.#processes.flatMap((process) => (process.up ? [{ process, child: process.up }] : []));
    const reached = asked.map(async ({ process, child }) => {
      const exchange = await child.reach(point);
      // One that died meanwhile must not win the race.
      return exchange === undefined ? new Promise<never>(() => undefined) : { process, child, exchange };
    });
    const first = await Promise.race([...reached, delay(withinMs, undefined, { ref: false })]);
    for (const { child } of asked) if (child !== first?.child) child.goOn();
    return first?.process.up ? first : undefined;
  }

  async #anyUp(): Promise<Supervised> {
    for (;;) {
      const up = this.#processes.filter((one) => one.up);
      const any = up[this.#ground.random.int(Math.max(1, up.length))];
      if (any) return any;
      await delay(50);
    }
  }

  async #allUp(): Promise<void> {
    for (const until = performance.now() + 60_000; performance.now() < until;) {
      if (this.#processes.every((one) => one.up)) return;
      await delay(50);
    }
    const down = this.#processes.filter((one) => !one.up).map((one) => one.name);
    throw new Error(`${down.join(", ")} did not start within 60 s; logs: ${this.#ground.directory}`);
  }

  async #inFlight(): Promise<readonly string[]> {
    const open = await this.#ground.view.open().catch(() => []);
    return open.filter((row) => row.state !== "queued").map((row) => row.id);
  }

  async #due(): Promise<readonly string[]> {
    const open = await this.#ground.view.open().catch(() => []);
    return open.filter((row) => row.next <= Date.now()).map((row) => row.id);
  }
}
