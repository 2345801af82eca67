// Composition root of the embedded profile: SQLite and BullMQ on PGlite, gateway and worker in one process, under an
// exclusive lock on the data directory. Commands beside it open the ledger only.
import { existsSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { AuditHead } from "./audit/entry.ts";
import type { ConnectorModule } from "./connector/contract.ts";
import { systemClock } from "./core/clock.ts";
import type { Keys } from "./core/configuration.ts";
import { asSluiceError, SluiceError } from "./core/errors.ts";
import { putOnRecord } from "./exchange/administer.ts";
import { createApp } from "./http/app.ts";
import { buildGateway, createLog, type BuiltGateway, type GatewayParts } from "./main.ts";
import { BullQueue } from "./queue/bull-queue.ts";
import { pgliteConnection } from "./queue/pglite.ts";
import type { LoadedConfiguration } from "./settings/load.ts";
import { acquireLock } from "./store/embedded/lock.ts";
import { readMirror } from "./store/embedded/mirror.ts";
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
export function mirroredHead(store: EmbeddedStore): AuditHead | undefined {
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
    const front = frontDoor();
    const server = await listen(front.server, options.listen);
    undo.push(() => closeServer(server));
    const lock = acquireLock(data);
    undo.push(() => lock.release());
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
          report: (error) => {
            log.warn({ error }, "queue error; the sweep goes on");
          },
        },
      ));
    undo.push(() => queue.close());
    const { configuration, connectors } = opened;
    const built = buildGateway({ configuration, connectors, keys, store, queue, log, ...options.parts });
    await built.start({
      concurrency: options.concurrency ?? 16,
      freeLanes: () => store.ledger.freeAll(),
    });
    undo.push(() => built.stop());
    const takesNewWork = (): boolean => built.worker.takesNewWork;
    front.open(createApp({ gateway: built.gateway, refusals: built.refusals, takesNewWork }));
    const { address, port } = server.address() as AddressInfo;
    return { ...built, store, address: `http://${address}:${port}`, close: () => unwind(undo) };
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

/** Answers 503 until there is a gateway behind it. */
function frontDoor(): { readonly server: Server; open(app: RequestListener): void } {
  let handle: RequestListener = (_request, response) => {
    response.writeHead(503, { "retry-after": "1" }).end();
  };
  const server = createServer((request, response) => {
    handle(request, response);
  });
  return {
    server,
    open(app) {
      handle = app;
    },
  };
}

async function unwind(undo: (() => unknown)[]): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) await step();
}

async function activateAtStart(store: EmbeddedStore, opened: Opened): Promise<void> {
  const { hash } = opened.configuration;
  if ((await store.versions.current()) === hash) return;
  await putOnRecord(store, { actor: "sluice", action: "activate", reason: "at start", configuration: hash });
  await store.versions.activate(hash, opened.document, systemClock.now(), "at start");
}

/** Only loopback, until TLS or a trusted proxy can be configured: a notice's secret must not cross a network in clear. */
async function listen(server: Server, where: string): Promise<Server> {
  const colon = where.lastIndexOf(":");
  const host = where.slice(0, colon);
  const port = Number(where.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new SluiceError("usage-wrong", `--listen ${where} is no address`, {
      hint: "give host:port, for example 127.0.0.1:8380",
    });
  }
  if (!/^(127\.\d+\.\d+\.\d+|localhost|::1|\[::1\])$/.test(host)) {
    throw new SluiceError("usage-wrong", `--listen ${where} is not a loopback address`, {
      hint: "listen on 127.0.0.1 and put a reverse proxy with TLS in front",
    });
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new SluiceError("usage-wrong", listenFailure(where, error.code), {
          hint: "choose another port with --listen",
        }),
      );
    });
    server.listen(port, host.replaceAll(/[[\]]/g, ""), resolve);
  });
  return server;
}

function listenFailure(where: string, code: string | undefined): string {
  return code === "EADDRINUSE" ? `another program uses ${where}` : `cannot listen on ${where} (${code ?? "no code"})`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeIdleConnections();
  });
}
