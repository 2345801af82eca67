// Composition root of the production profile: MongoDB and Redis, any number of gateways (notices in) and workers (lanes,
// polls) on any number of machines. Nothing is activated at start: `sluice activate` says what is current.
import type { Keys } from "./core/configuration.ts";
import { asSluiceError } from "./core/errors.ts";
import { unwind, type Opened } from "./embedded.ts";
import { createApp } from "./http/app.ts";
import { openFrontDoor, type FrontDoor } from "./http/front-door.ts";
import { measure } from "./http/metrics/metrics.ts";
import { buildGateway, createLog, queueReports, type BuiltGateway, type GatewayParts } from "./main.ts";
import { openProductionStore, type MongoStore } from "./production-store.ts";
import { BullQueue } from "./queue/bull-queue.ts";
import { redisConnection } from "./queue/redis.ts";
import type { HttpSettings, ProductionPlaces } from "./settings/deployment.ts";

export interface ProductionOptions {
  readonly role: "gateway" | "worker";
  readonly opened: Opened;
  readonly keys: Keys;
  readonly places: ProductionPlaces;
  /** A directory of this process's machine: the audit head is mirrored there, outside the database. */
  readonly data: string;
  readonly listen: string;
  readonly http: HttpSettings;
  readonly logLevel: string;
  /** Workers: lanes at once. */
  readonly concurrency?: number;
  readonly parts?: Partial<Pick<GatewayParts, "clock" | "random" | "trace" | "pausePoint" | "log" | "queue">>;
}

export interface RunningProcess extends BuiltGateway {
  readonly store: MongoStore;
  readonly address: string;
  /** Finishes or gives back what it holds. */
  close(): Promise<void>;
}

/** On a failure everything that was started is closed again. */
export async function startProduction(options: ProductionOptions): Promise<RunningProcess> {
  const { opened, keys, places, role } = options;
  const { configuration, connectors } = opened;
  const log = options.parts?.log ?? createLog(options.logLevel);
  const undo: (() => unknown)[] = [];
  try {
    const front = await openFrontDoor({ where: options.listen, ...options.http });
    undo.push(() => front.close());
    const store = await openProductionStore(places, options.data);
    undo.push(() => store.close());
    const queue =
      options.parts?.queue ??
      (await BullQueue.open(redisConnection(places.redis, { prefix: places.prefix, ...places.redisTls }), {
        idKey: keys.id,
        ...queueReports(log),
      }));
    undo.push(() => queue.close());
    const measuring = measure(store, options.parts?.clock);
    const built = buildGateway({
      configuration,
      connectors,
      keys,
      store: measuring.store,
      queue,
      log,
      shared: true,
      ...options.parts,
    });
    undo.push(() => built.stop());
    await built.start({ role, concurrency: options.concurrency ?? 16 });
    const takesNewWork = (): boolean => built.worker.takesNewWork;
    const { gateway, refusals } = built;
    const metrics = measuring.of(gateway, takesNewWork);
    const takesNotices = role === "gateway";
    front.open(createApp({ gateway, refusals, takesNewWork, takesNotices, metrics, ...options.http }));
    const tending = tend(built, store, front);
    undo.push(() => tending.stop());
    return { ...built, store, address: front.address, close: () => unwind(undo) };
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

const tendEveryMs = 1_000;

/** Each second: mirrors the audit head outside the database, and sees whether a newer program has changed the store. */
function tend({ gateway, worker }: BuiltGateway, store: MongoStore, front: FrontDoor): { stop(): Promise<void> } {
  const { clock, log } = gateway;
  const end = new AbortController();
  const failed = (error: unknown): void => {
    const { code, detail } = asSluiceError(error);
    if (code !== "store-newer") {
      log.error({ code, hint: detail.hint }, "the audit head could not be mirrored; it is tried again each second");
      return;
    }
    // What this version would write, the newer one may not understand.
    worker.stop();
    front.shut();
    log.error(
      { code },
      "a newer Sluice has changed the store: nothing is taken any more, start the newer version here",
    );
    end.abort();
  };
  const loop = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await store.flush().catch(failed);
      await clock.sleep(tendEveryMs, end.signal).catch(() => undefined);
    }
  };
  const ended = loop();
  return {
    stop() {
      end.abort();
      return ended;
    },
  };
}
