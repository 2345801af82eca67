// Throughput of a production deployment by its number of processes: notices are posted to the gateways in turns, the
// workers run them to their end. The variants take turns; each starts its own processes, and the start does not count.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/core/clock.ts";
import { openStates } from "../src/core/records.ts";
import type { Store } from "../src/exchange/ports.ts";
import { openProductionStore } from "../src/production-store.ts";
import { startProduction } from "../src/production.ts";
import type { ProductionPlaces } from "../src/settings/deployment.ts";
import { activate, linkedOf, load, makeGround, unwind, type Ground } from "./bed.ts";
import { alternate, median, type Measured } from "./measure.ts";
import { signedHeaders } from "../test/e2e/signed-notice.ts";
import type { ProcessOrder } from "./scale-process.ts";

export interface ScaleOptions {
  readonly patients: number;
  readonly rounds: number;
  readonly concurrency: number;
  readonly places: ProductionPlaces;
  readonly tell: (text: string) => void;
}

export interface ScaleReport {
  readonly measured: Measured;
  readonly exchanges: number;
  /** Share of all processors' time that was busy, by variant; 1 = all of them, all the time. */
  readonly busy: ReadonlyMap<string, number>;
}

/** Gateways and workers of each variant; the first is the baseline. */
export const variants = [
  { gateways: 1, workers: 1 },
  { gateways: 1, workers: 2 },
  { gateways: 2, workers: 4 },
] as const;

export function variantName({ gateways, workers }: { readonly gateways: number; readonly workers: number }): string {
  return `${gateways} gateway${gateways > 1 ? "s" : ""}, ${workers} worker${workers > 1 ? "s" : ""}`;
}

export async function measureScale(options: ScaleOptions): Promise<ScaleReport> {
  const ground = await makeGround(options.patients);
  try {
    await activate(ground, options.places);
    options.tell("first load…");
    const contacts = await firstLoad(ground, options);
    const store = await openProductionStore(options.places, join(ground.place, "watch"));
    ground.undo.push(() => store.close());
    const busy = new Map<string, number[]>();
    let round = 0;
    const run = async (variant: (typeof variants)[number]): Promise<number> => {
      round += 1;
      const figures = await oneRound(ground, options, store, contacts, variant, round);
      const name = variantName(variant);
      busy.set(name, [...(busy.get(name) ?? []), figures.busy]);
      return figures.perSecond;
    };
    options.tell(`${contacts.length} linked contacts are edited a round; measuring ${options.rounds} rounds…`);
    const measured = await alternate(
      variants.map((variant) => ({ name: variantName(variant), round: () => run(variant) })),
      { rounds: options.rounds, warmUp: 1 },
    );
    const medians = new Map([...busy].map(([name, shares]) => [name, median(shares)]));
    return { measured, exchanges: contacts.length, busy: medians };
  } finally {
    await unwind(ground.undo);
  }
}

async function firstLoad(ground: Ground, { places, concurrency }: ScaleOptions): Promise<readonly string[]> {
  const { opened, keys, place } = ground;
  const running = await startProduction({
    role: "worker",
    opened,
    keys,
    places,
    data: join(place, "first"),
    listen: "127.0.0.1:0",
    http: { trustProxy: false },
    logLevel: "error",
    concurrency,
  });
  try {
    await load(running);
    return await linkedOf(running.store, ground);
  } finally {
    await running.close();
  }
}

async function oneRound(
  ground: Ground,
  options: ScaleOptions,
  store: Store,
  contacts: readonly string[],
  variant: (typeof variants)[number],
  round: number,
): Promise<{ readonly perSecond: number; readonly busy: number }> {
  const roles = [
    ...Array.from({ length: variant.gateways }, () => "gateway" as const),
    ...Array.from({ length: variant.workers }, () => "worker" as const),
  ];
  const processes = await Promise.all(roles.map((role, n) => startProcess(ground, options, role, n)));
  try {
    const gateways = processes.filter((one) => one.role === "gateway").map((one) => one.address);
    const pass = async (n: number): Promise<void> => {
      await ground.practice.edit(contacts, n * 1_000);
      await postAll(ground, gateways, contacts, n);
      while ((await store.ledger.find({ states: openStates, limit: 1 })).length > 0) await systemClock.sleep(25);
    };
    // A process that has just started compiles what it runs: that is no property of their number.
    for (let n = 0; n < warmUps; n += 1) await pass(round * 10 + n);
    const before = processorTimes();
    const began = performance.now();
    for (let n = 0; n < passes; n += 1) await pass(round * 10 + warmUps + n);
    const seconds = (performance.now() - began) / 1000;
    const after = processorTimes();
    return {
      perSecond: (passes * contacts.length) / seconds,
      busy: (after.busy - before.busy) / (after.all - before.all),
    };
  } finally {
    await Promise.all(processes.map((one) => one.stop()));
  }
}

/** Edits of every contact before the measurement of a round, and in it. */
const warmUps = 2;
const passes = 3;

interface Started {
  readonly role: "gateway" | "worker";
  readonly address: string;
  stop(): Promise<void>;
}

async function startProcess(
  { started, references, keysDir, place }: Ground,
  { places, concurrency }: ScaleOptions,
  role: "gateway" | "worker",
  n: number,
): Promise<Started> {
  const child = fork(fileURLToPath(new URL("scale-process.ts", import.meta.url)), { execArgv: [] });
  const { overrides } = started;
  const data = join(place, `process-${n}`);
  const order: ProcessOrder = {
    role,
    places,
    keysDir,
    references,
    overrides,
    env: { ...started.env },
    data,
    concurrency,
  };
  const address = await ask(child, order);
  return {
    role,
    address,
    async stop() {
      const ended = once(child, "exit");
      await ask(child, "stop");
      await ended;
    },
  };
}

async function ask(child: ChildProcess, order: ProcessOrder | "stop"): Promise<string> {
  child.send(order);
  const [reply] = (await once(child, "message")) as [{ readonly address?: string; readonly error?: string }];
  if (reply.error !== undefined) throw new Error(`a process of the deployment: ${reply.error}`);
  return reply.address ?? "";
}

/** Signed notices of all contacts, 32 at once, to the gateways in turns; every one must be acknowledged. */
async function postAll(
  { started }: Ground,
  gateways: readonly string[],
  contacts: readonly string[],
  round: number,
): Promise<void> {
  const secret = started.env["CRM_WEBHOOK_SECRET"] ?? "";
  const left = contacts.map((id, n) => ({ id, to: gateways[n % gateways.length] ?? "" }));
  const post = async (): Promise<void> => {
    for (let one = left.pop(); one; one = left.pop()) {
      const body = JSON.stringify({ type: "Contact", id: one.id, event: "change" });
      const id = `bench-${round}-${one.id}`;
      const headers = signedHeaders(secret, id, body, systemClock.now());
      const { status } = await fetch(`${one.to}/webhooks/crm`, { method: "POST", body, headers });
      if (status !== 202) throw new Error(`a notice was answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, post));
}

function processorTimes(): { readonly busy: number; readonly all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { all, busy: all - times.reduce((sum, { idle }) => sum + idle, 0) };
}
