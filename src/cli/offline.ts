// A gateway that runs nothing: for commands that read systems and the ledger beside a running process, and never the queue.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import type { Keys } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { systemRandom } from "../core/ids.ts";
import { hasLedger, openStoreAt, type Opened } from "../embedded.ts";
import { compareKeys } from "../exchange/key-check.ts";
import type { MirroredStore, Queue } from "../exchange/ports.ts";
import { buildGateway, createLog, type BuiltGateway } from "../main.ts";
import { readDeployment } from "../settings/deployment.ts";
import { dryStore } from "./dry-store.ts";
import { openConfiguration, openKeys, openLedger, type OpenOptions, type Place } from "./open.ts";
import { tell } from "./output.ts";

/** Wake-ups are left to the running gateway's sweep. */
const silentQueue: Queue = {
  wake: () => Promise.resolve(),
  onWake: () => Promise.resolve(),
  consume: () => Promise.resolve(),
  stats: () => Promise.resolve({ waiting: 0, active: 0 }),
  close: () => Promise.resolve(),
};

export interface Offline extends Pick<BuiltGateway, "gateway"> {
  readonly store: MirroredStore;
}

export interface OfflineOptions extends Place, OpenOptions {
  /** Decides what time it is for the gates; systems are signed in to by the machine's own. */
  readonly clock?: Clock;
  /** `dry`: nothing but the audit log is written. `file`: besides, no system is called, so no secret, key or ledger is needed. */
  readonly mode?: "dry" | "file";
}

export async function withoutQueue<T>(options: OfflineOptions, work: (offline: Offline) => Promise<T>): Promise<T> {
  const file = options.mode === "file";
  const opened = await openConfiguration(options.config, file ? { ...options, secrets: "lenient" } : options);
  const keys = file ? await keysOrNone(options.config, opened) : await openKeys(options.config, opened);
  const { store: ledger, close } = await ledgerFor(options, file);
  const store = options.mode === undefined ? ledger : dryStore(ledger);
  const { configuration, connectors } = opened;
  const log = createLog("warn");
  const built = buildGateway({ configuration, connectors, keys, store, queue: silentQueue, log });
  const gateway = { ...built.gateway, ...(options.clock && { clock: options.clock }) };
  try {
    if (!file) await compareKeys(ledger.blobs, keys);
    await gateway.consents.load();
    return await work({ gateway, store });
  } finally {
    await built.stop();
    await close();
  }
}

async function keysOrNone(dir: string, opened: Opened): Promise<Keys> {
  try {
    return await openKeys(dir, opened);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "key-missing") throw error;
    return { data: systemRandom(32), id: systemRandom(32), signing: [] };
  }
}

async function ledgerFor(place: Place, file: boolean): Promise<{ store: MirroredStore; close: () => Promise<void> }> {
  const { profile } = await readDeployment(place.config);
  if (!file || profile === "production" || hasLedger(place.data)) {
    const store = await openLedger(place);
    return { store, close: () => store.close() };
  }
  tell(`no ledger under ${place.data}: decided without consents on file and without links`);
  const directory = await mkdtemp(join(tmpdir(), "sluice-"));
  const store = await openStoreAt(directory);
  return {
    store,
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
