// The bed of the pipeline benchmark: a gateway of the embedded profile over the example configuration, loaded until all
// that can be linked is linked, against sandboxes in another process. Nothing polls by itself during the measurement.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/core/clock.ts";
import type { Keys } from "../src/core/configuration.ts";
import { systemRandom } from "../src/core/ids.ts";
import type { JsonObject } from "../src/core/json.ts";
import { openConfiguration } from "../src/cli/open.ts";
import { startEmbedded, type Running } from "../src/embedded.ts";
import { pollNow } from "../src/exchange/poll.ts";
import { BullQueue } from "../src/queue/bull-queue.ts";
import { pgliteConnection } from "../src/queue/pglite.ts";
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
  readonly tell: (text: string) => void;
}

export async function makeBed({ patients, concurrency, tell }: BedOptions): Promise<Bed> {
  const place = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const undo: (() => Promise<void>)[] = [() => rm(place, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  try {
    const keysDir = join(place, "keys");
    await mkdir(keysDir, { mode: 0o700 });
    const { references } = await makeKeys(keysDir, systemRandom);
    const keys = await loadKeys(references, { dir: keysDir, env: {} });
    const practice = new RemotePractice();
    undo.push(() => practice.stop());
    const sluice = { ...settings.sluice, keys: { ...references, signing: [...references.signing] } };
    const started = await practice.start({
      keysDir,
      references,
      seed: 20_261_125,
      patients,
      overrides: { ...settings, sluice },
    });
    const shared = shareQueue(await openQueue(join(place, "queue"), keys));
    const env = { ...started.env };
    const running = await startEmbedded({
      opened: await openConfiguration("config", { overrides: started.overrides, env }),
      keys,
      data: join(place, "data"),
      listen: "127.0.0.1:0",
      logLevel: "error",
      concurrency,
      parts: { queue: shared.queue },
    });
    undo.push(() => running.close());
    tell(`first load of ${patients} invented persons…`);
    await load(running);
    return { running, practice, shared, linked: await linkedOf(running, started.contacts), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function openQueue(directory: string, keys: Keys): Promise<BullQueue> {
  return BullQueue.open(pgliteConnection(directory), { idKey: keys.id });
}

/** Polls both sides until four turns change nothing: what is left waits for a person or for a visit's person. */
async function load({ gateway, store }: Running): Promise<void> {
  let before = "";
  for (let turn = 0, same = 0; same < 4; turn += 1) {
    if (turn > 300) throw new Error("the first load did not come to rest");
    for (const [system, type] of [
      ["ehr", "Consent"],
      ["crm", "Contact"],
      ["ehr", "Patient"],
    ] as const) {
      await pollNow(gateway, system, type);
    }
    await systemClock.sleep(700);
    const counts = JSON.stringify(await store.ledger.counts());
    same = counts === before ? same + 1 : 0;
    before = counts;
  }
}

async function linkedOf({ store }: Running, contacts: readonly string[]): Promise<readonly string[]> {
  const linked: string[] = [];
  for (const id of contacts) {
    if (await store.links.pairOf({ system: "crm", type: "Contact", id }, "ehr")) linked.push(id);
  }
  return linked;
}
