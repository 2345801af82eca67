// The bed of the pipeline benchmark: a gateway over the example configuration, on the embedded or the production profile,
// loaded until all that can be linked is linked, against sandboxes in another process. Nothing polls by itself during the
// measurement.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/core/clock.ts";
import type { Keys } from "../src/core/configuration.ts";
import { systemRandom } from "../src/core/ids.ts";
import type { JsonObject } from "../src/core/json.ts";
import { openConfiguration } from "../src/cli/open.ts";
import { startEmbedded, type Opened } from "../src/embedded.ts";
import { pollNow } from "../src/exchange/poll.ts";
import type { Store } from "../src/exchange/ports.ts";
import type { BuiltGateway } from "../src/main.ts";
import { startProduction } from "../src/production.ts";
import { openProductionStore } from "../src/production-store.ts";
import { BullQueue } from "../src/queue/bull-queue.ts";
import { pgliteConnection } from "../src/queue/pglite.ts";
import { redisConnection } from "../src/queue/redis.ts";
import type { ProductionPlaces } from "../src/settings/deployment.ts";
import { loadKeys, makeKeys } from "../src/settings/keys.ts";
import { RemotePractice } from "./practice.ts";
import { shareQueue, type SharedQueue } from "./shared-queue.ts";

/** As the demo's, but nothing polls of itself and consents stay fresh for the whole run. */
const rare = "1h";
/** Persons only: visits that wait for their person would be tried again during the measurement. */
const persons = (policy: string): JsonObject => ({ type: "Patient", mapping: "contact-patient", policy });
const settings = {
  sluice: { retry: { base: "250ms", cap: "5s", maxAttempts: 8 } },
  systems: { crm: { visibleAfter: "500ms" }, ehr: { visibleAfter: "500ms" }, marketing: { visibleAfter: "500ms" } },
  channels: {
    "crm-to-ehr": { pollEvery: rare, consentMaxAge: rare, resources: [persons("ehr-treatment")] },
    "ehr-to-crm": { pollEvery: rare, consentMaxAge: rare, resources: [persons("crm-operations")] },
    "ehr-to-marketing": { pollEvery: rare, mode: "off" },
  },
} as const;

export interface Running extends Pick<BuiltGateway, "gateway"> {
  readonly store: Store;
  close(): Promise<void>;
}

/** Sandboxes with a practice, keys and a configuration; no gateway yet. */
export interface Ground {
  readonly place: string;
  readonly keysDir: string;
  readonly references: Awaited<ReturnType<typeof makeKeys>>["references"];
  readonly keys: Keys;
  readonly practice: RemotePractice;
  readonly started: Awaited<ReturnType<RemotePractice["start"]>>;
  readonly opened: Opened;
  readonly undo: (() => Promise<void>)[];
}

export interface Bed {
  readonly running: Running;
  readonly practice: RemotePractice;
  readonly shared: SharedQueue;
  /** Contacts that are linked with a Patient. */
  readonly linked: readonly string[];
  close(): Promise<void>;
}

export interface BedOptions {
  readonly patients: number;
  readonly concurrency: number;
  /** Absent: the embedded profile. */
  readonly places?: ProductionPlaces;
  readonly tell: (text: string) => void;
}

export async function makeBed(options: BedOptions): Promise<Bed> {
  const ground = await makeGround(options.patients);
  const close = (): Promise<void> => unwind(ground.undo);
  try {
    const { keys, place } = ground;
    const connection = options.places
      ? redisConnection(options.places.redis, { prefix: options.places.prefix })
      : pgliteConnection(join(place, "queue"));
    const shared = shareQueue(await BullQueue.open(connection, { idKey: keys.id }));
    const running = await startOn(ground, shared, options);
    ground.undo.push(() => running.close());
    options.tell(`first load of ${options.patients} invented persons…`);
    await load(running);
    return { running, practice: ground.practice, shared, linked: await linkedOf(running.store, ground), close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function makeGround(patients: number): Promise<Ground> {
  const place = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const undo: (() => Promise<void>)[] = [() => rm(place, { recursive: true, force: true })];
  try {
    const keysDir = join(place, "keys");
    await mkdir(keysDir, { mode: 0o700 });
    const { references } = await makeKeys(keysDir, systemRandom);
    const keys = await loadKeys(references, { dir: keysDir, env: {} });
    const practice = new RemotePractice();
    undo.push(() => practice.stop());
    const sluice = { ...settings.sluice, keys: { ...references, signing: [...references.signing] } };
    const overrides = { ...settings, sluice };
    const started = await practice.start({ keysDir, references, seed: 20_261_125, patients, overrides });
    const opened = await openConfiguration("config", {
      overrides: started.overrides,
      env: { ...started.env },
      quiet: true,
    });
    return { place, keysDir, references, keys, practice, started, opened, undo };
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

export async function unwind(undo: (() => Promise<void>)[]): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) await step();
}

/** Makes the ground's configuration current in a production store. */
export async function activate({ opened, place }: Ground, places: ProductionPlaces): Promise<void> {
  const store = await openProductionStore(places, place);
  try {
    await store.versions.activate(opened.configuration.hash, opened.document, systemClock.now(), "benchmark");
  } finally {
    await store.close();
  }
}

async function startOn(ground: Ground, { queue }: SharedQueue, options: BedOptions): Promise<Running> {
  const { opened, keys, place } = ground;
  const { concurrency, places } = options;
  const common = { opened, keys, data: join(place, "data"), listen: "127.0.0.1:0", logLevel: "error", concurrency };
  if (!places) return startEmbedded({ ...common, parts: { queue } });
  await activate(ground, places);
  return startProduction({ ...common, role: "worker", places, http: { trustProxy: false }, parts: { queue } });
}

/** Polls both sides until nothing has changed for a while: what is left waits for a person or for a visit's person. */
export async function load({ gateway, store }: Pick<Running, "gateway" | "store">): Promise<void> {
  const turnMs = 700;
  const still = Math.ceil((2_800 + gateway.clockToleranceMs) / turnMs);
  let before = "";
  for (let turn = 0, same = 0; same < still; turn += 1) {
    if (turn > 600) throw new Error("the first load did not come to rest");
    for (const [system, type] of [
      ["ehr", "Consent"],
      ["crm", "Contact"],
      ["ehr", "Patient"],
    ] as const) {
      await pollNow(gateway, system, type);
    }
    await systemClock.sleep(turnMs);
    const counts = JSON.stringify(await store.ledger.counts());
    same = counts === before ? same + 1 : 0;
    before = counts;
  }
}

export async function linkedOf(store: Store, { started }: Ground): Promise<readonly string[]> {
  const linked: string[] = [];
  for (const id of started.contacts) {
    if (await store.links.pairOf({ system: "crm", type: "Contact", id }, "ehr")) linked.push(id);
  }
  return linked;
}
