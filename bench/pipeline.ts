// Exchanges per second through the whole pipeline, against the same jobs, durable writes and requests without a pipeline,
// and against empty jobs; all three on one queue, one store and one pair of systems, in turns. The profiles measured take
// turns too, each with its own queue, store and systems.
import { acceptRows } from "../src/exchange/accept.ts";
import { rowFor } from "../src/exchange/notice.ts";
import type { NewRow } from "../src/exchange/ports.ts";
import type { ProductionPlaces } from "../src/settings/deployment.ts";
import { makeBed, unwind, type Bed } from "./bed.ts";
import { CountedStore, type StoreCall } from "./counted-store.ts";
import { alternate, type Measured, type Variant } from "./measure.ts";
import { Replay } from "./replay.ts";

export interface PipelineOptions {
  readonly patients: number;
  /** Exchanges in one round. */
  readonly most: number;
  readonly rounds: number;
  readonly concurrency: number;
  /** By name; undefined = the embedded profile. */
  readonly profiles: Readonly<Record<string, ProductionPlaces | undefined>>;
  readonly tell: (text: string) => void;
}

export interface PipelineReport {
  readonly measured: Measured;
  readonly profiles: readonly ProfileReport[];
}

export interface ProfileReport {
  readonly name: string;
  readonly exchanges: number;
  readonly requests: string;
  /** Verbs that write, then all verbs, an exchange. */
  readonly writesEach: number;
  readonly callsEach: number;
  readonly verbs: readonly { readonly name: string; readonly each: number; readonly size: number }[];
}

/** What is measured on a profile, as its variants are called. */
export function pipelineNames(profile: string) {
  return {
    pipeline: `${profile}: whole pipeline`,
    baseline: `${profile}: jobs + the same writes + the same requests`,
    empty: `${profile}: empty jobs`,
  } as const;
}

export async function measurePipeline(options: PipelineOptions): Promise<PipelineReport> {
  const undo: (() => Promise<void>)[] = [];
  try {
    const sides: Side[] = [];
    for (const [name, places] of Object.entries(options.profiles)) {
      options.tell(`profile ${name}`);
      const bed = await makeBed({ ...options, ...(places && { places }) });
      undo.push(() => bed.close());
      const side = await makeSide(name, bed, options);
      undo.push(() => side.close());
      sides.push(side);
    }
    options.tell(`measuring ${options.rounds} rounds…`);
    const variants = sides.flatMap((side) => side.variants);
    const measured = await alternate(variants, { rounds: options.rounds, warmUp: 1 });
    return { measured, profiles: sides.map((side) => side.report) };
  } finally {
    await unwind(undo);
  }
}

interface Side {
  readonly variants: readonly Variant[];
  readonly report: ProfileReport;
  close(): Promise<void>;
}

/** Records one round of a profile, and says how its three variants are run. */
async function makeSide(name: string, bed: Bed, options: PipelineOptions): Promise<Side> {
  const edits = new Edits(bed);
  const contacts = await edits.thatGoThrough(bed.linked.slice(0, options.most));
  if (contacts.length === 0) throw new Error("no linked contact's change went through");
  options.tell(`${contacts.length} linked contacts are edited a round; recording one round…`);
  const counted = new CountedStore(bed.running.store);
  counted.start();
  let calls: readonly StoreCall[] = [];
  await edits.run(contacts, () => {
    calls = counted.stop();
  });
  const replay = new Replay(await bed.practice.recorded(), options.concurrency);
  const writes = calls.filter((call) => call.writes && call.name !== "ledger.accept");
  const baseline = new Baseline(bed, replay, contacts.length, calls);
  const names = pipelineNames(name);
  return {
    variants: [
      { name: names.pipeline, round: () => edits.run(contacts) },
      { name: names.baseline, round: () => baseline.run() },
      { name: names.empty, round: () => baseline.runEmpty() },
    ],
    report: {
      name,
      exchanges: contacts.length,
      requests: replay.kinds,
      writesEach: writes.length / contacts.length,
      callsEach: calls.length / contacts.length,
      verbs: summary(calls, contacts.length),
    },
    close: () => replay.close(),
  };
}

/** Rounds of edits in the CRM. */
class Edits {
  readonly #bed: Bed;
  #round = 0;

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  /** Exchanges per second: accepted, woken, run to their end. */
  async run(contacts: readonly string[], whenDone: () => void = () => undefined): Promise<number> {
    const { rows, perSecond } = await this.#edit(contacts);
    whenDone();
    const ends = await this.#ends(rows);
    const odd = ends.filter((state) => state !== "done");
    if (odd.length > 0) throw new Error(`${odd.length} of ${rows.length} exchanges ended as ${odd[0] ?? "?"}`);
    return perSecond;
  }

  async thatGoThrough(contacts: readonly string[]): Promise<readonly string[]> {
    const { rows } = await this.#edit(contacts);
    const ends = await this.#ends(rows);
    return contacts.filter((_contact, index) => ends[index] === "done");
  }

  async #edit(contacts: readonly string[]): Promise<{ readonly rows: readonly NewRow[]; readonly perSecond: number }> {
    const { running, practice, shared } = this.#bed;
    const { gateway } = running;
    this.#round += 1;
    await practice.edit(contacts, this.#round * 1000);
    const channel = gateway.active.configuration.channels.get("crm-to-ehr");
    if (!channel) throw new Error("the example configuration has no channel crm-to-ehr");
    const began = performance.now();
    const rows = await Promise.all(
      contacts.map((id) =>
        rowFor(gateway, channel, {
          source: { system: "crm", type: "Contact", id },
          kind: "change",
          mark: `bench ${this.#round}`,
          priority: "live",
        }),
      ),
    );
    await shared.drained(
      rows.map((row) => row.lane),
      async () => {
        await acceptRows(gateway, rows);
      },
    );
    return { rows, perSecond: (rows.length * 1000) / (performance.now() - began) };
  }

  #ends(rows: readonly NewRow[]): Promise<readonly (string | undefined)[]> {
    const { ledger } = this.#bed.running.store;
    return Promise.all(rows.map(async (row) => (await ledger.get(row.id))?.state));
  }
}

/** The same without a pipeline: each job makes the writes and the requests of one exchange, in its order. */
class Baseline {
  readonly #bed: Bed;
  readonly #replay: Replay;
  readonly #exchanges: number;
  /** Sizes of one exchange's writes; the accepting of a whole round is one more. */
  readonly #sizes: readonly number[];
  readonly #acceptSize: number;

  constructor(bed: Bed, replay: Replay, exchanges: number, calls: readonly StoreCall[]) {
    this.#bed = bed;
    this.#replay = replay;
    this.#exchanges = exchanges;
    const accepts = calls.filter((call) => call.name === "ledger.accept");
    this.#acceptSize = accepts.reduce((sum, call) => sum + call.size, 0);
    this.#sizes = typicalSizes(calls, exchanges);
  }

  run(): Promise<number> {
    const { blobs } = this.#bed.running.store;
    return this.#jobs(
      () => blobs.put("bench-accept", "x".repeat(this.#acceptSize)),
      async (lane) => {
        const index = Number(lane.split(":")[1]);
        const half = Math.ceil(this.#sizes.length / 2);
        for (const [at, size] of this.#sizes.slice(0, half).entries()) await this.#write(index, at, size);
        await this.#replay.run(index);
        for (const [at, size] of this.#sizes.slice(half).entries()) await this.#write(index, half + at, size);
      },
    );
  }

  runEmpty(): Promise<number> {
    return this.#jobs(
      () => Promise.resolve(),
      () => Promise.resolve(),
    );
  }

  #write(index: number, at: number, size: number): Promise<void> {
    return this.#bed.running.store.blobs.put(`bench-${index}-${at}`, "x".repeat(size));
  }

  async #jobs(accept: () => Promise<void>, job: (lane: string) => Promise<void>): Promise<number> {
    const { shared } = this.#bed;
    const lanes = Array.from({ length: this.#exchanges }, (_none, index) => `bench:${index}`);
    shared.setJob(job);
    const began = performance.now();
    await accept();
    await shared.drained(lanes, async () => {
      await Promise.all(lanes.map((lane) => shared.queue.wake(lane)));
    });
    return (this.#exchanges * 1000) / (performance.now() - began);
  }
}

/** One exchange's writes: each verb as often as an exchange calls it (rounded), with its mean size. */
function typicalSizes(calls: readonly StoreCall[], exchanges: number): readonly number[] {
  const writing = calls.filter((call) => call.writes && call.name !== "ledger.accept");
  return summary(writing, exchanges).flatMap(({ each, size }) =>
    Array.from({ length: Math.round(each) }, () => Math.round(size)),
  );
}

function summary(calls: readonly StoreCall[], exchanges: number): ProfileReport["verbs"] {
  const byName = Map.groupBy(calls, (call) => call.name);
  return [...byName].map(([name, of]) => ({
    name,
    each: of.length / exchanges,
    size: of.reduce((sum, call) => sum + call.size, 0) / of.length,
  }));
}
