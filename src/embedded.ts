// Composition root of the embedded profile: SQLite and BullMQ on PGlite, gateway and worker in one process, under an
// exclusive lock on the data directory. Commands beside it open the ledger only.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AuditHead } from "./audit/entry.ts";
import type { ConnectorModule } from "./connector/contract.ts";
import { systemClock } from "./core/clock.ts";
import type { Keys } from "./core/configuration.ts";
import { asSluiceError } from "./core/errors.ts";
import { putOnRecord } from "./exchange/administer.ts";
import type { MirroredStore } from "./exchange/ports.ts";
import { createApp } from "./http/app.ts";
import { openFrontDoor } from "./http/front-door.ts";
import { measure } from "./http/metrics/metrics.ts";
import { buildGateway, createLog, queueReports, type BuiltGateway, type GatewayParts } from "./main.ts";
import { BullQueue } from "./queue/bull-queue.ts";
import { pgliteConnection } from "./queue/pglite.ts";
import type { HttpSettings } from "./settings/deployment.ts";
import type { LoadedConfiguration } from "./settings/load.ts";
import { acquireLock } from "./store/embedded/lock.ts";
import { readMirror } from "./store/embedded/mirror.ts";
import { movedTo, refuseMoved } from "./store/embedded/moved.ts";
import { openEmbeddedStore, type EmbeddedStore } from "./store/embedded/open.ts";

export type { EmbeddedStore } from "./store/embedded/open.ts";

/** A checked configuration with the connectors that it names. */
export interface Opened extends LoadedConfiguration {
  readonly connectors: ReadonlyMap<string, ConnectorModule>;
}

/** Where the profile keeps its parts under `--data`. */
export function layout(data: string): { readonly store: string; readonly queue: string } {
  return { store: join(data, "store"), queue: join(data, "queue") };
}

/** The ledger of a data directory, made when it is not there. */
export function openStoreAt(data: string): Promise<EmbeddedStore> {
  return openEmbeddedStore({ directory: layout(data).store });
}

export function hasLedger(data: string): boolean {
  return existsSync(join(layout(data).store, "sluice.sqlite"));
}

export function hasMoved(data: string): boolean {
  return movedTo(layout(data).store) !== undefined;
}

/** Throws `data-moved` for a directory that is an archive: its deployment has moved to the production profile. */
export function refuseArchive(data: string): void {
  refuseMoved(layout(data).store);
}

/** Undefined: nobody runs on the directory; else who does, in words. */
export function whoRuns(data: string): string | undefined {
  try {
    acquireLock(data).release();
    return undefined;
  } catch (error) {
    return asSluiceError(error).message;
  }
}

/** The audit head as kept outside the database. Throws `audit-broken` when that file is damaged. */
export function mirroredHead(store: MirroredStore): AuditHead | undefined {
  return readMirror(store.mirrorPath);
}

export interface Running extends BuiltGateway {
  readonly store: EmbeddedStore;
  readonly address: string;
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly opened: Opened;
  readonly keys: Keys;
  readonly data: string;
  readonly listen: string;
  readonly http?: HttpSettings;
  readonly logLevel: string;
  readonly concurrency?: number;
  /** A dump of a migrated queue directory: starts faster. */
  readonly queueTemplate?: string;
  readonly parts?: Partial<Pick<GatewayParts, "clock" | "random" | "trace" | "pausePoint" | "log" | "queue">>;
}

/** Starts everything; on a failure everything that was started is closed again. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Running> {
  const { opened, keys, data } = options;
  const places = layout(data);
  const undo: (() => unknown)[] = [];
  try {
    // The address first: a wrong one is refused before any system is called.
    const front = await openFrontDoor({ where: options.listen, ...options.http });
    undo.push(() => front.close());
    const lock = acquireLock(data);
    undo.push(() => lock.release());
    refuseMoved(places.store);
    const store = await openEmbeddedStore({ directory: places.store });
    undo.push(() => store.close());
    await activateAtStart(store, opened);
    const log = options.parts?.log ?? createLog(options.logLevel);
    const queue =
      options.parts?.queue ??
      (await BullQueue.open(
        pgliteConnection(places.queue, options.queueTemplate ? { template: options.queueTemplate } : {}),
        {
          idKey: keys.id,
          ...queueReports(log),
        },
      ));
    undo.push(() => queue.close());
    const { configuration, connectors } = opened;
    const measuring = measure(store, options.parts?.clock);
    const built = buildGateway({
      configuration,
      connectors,
      keys,
      store: measuring.store,
      queue,
      log,
      ...options.parts,
    });
    await built.start({
      role: "all",
      concurrency: options.concurrency ?? 16,
      freeLanes: () => store.ledger.freeAll(),
    });
    undo.push(() => built.stop());
    const takesNewWork = (): boolean => built.worker.takesNewWork;
    const metrics = measuring.of(built.gateway, takesNewWork);
    const { gateway, refusals } = built;
    front.open(createApp({ gateway, refusals, takesNewWork, metrics, ...options.http }));
    return { ...built, store, address: front.address, close: () => unwind(undo) };
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

/** Undoes what was done, last first. */
export async function unwind(undo: (() => unknown)[]): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) await step();
}

async function activateAtStart(store: EmbeddedStore, opened: Opened): Promise<void> {
  const { hash } = opened.configuration;
  if ((await store.versions.current()) === hash) return;
  await putOnRecord(store, { actor: "sluice", action: "activate", reason: "at start", configuration: hash });
  await store.versions.activate(hash, opened.document, systemClock.now(), "at start");
}
