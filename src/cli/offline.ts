// A gateway that runs nothing: for commands that read systems and the ledger beside a running process, and never the queue.
import type { Store, Queue } from "../exchange/ports.ts";
import type { Clock } from "../core/clock.ts";
import { buildGateway, createLog, type BuiltGateway } from "../main.ts";
import type { EmbeddedStore } from "../embedded.ts";
import { openConfiguration, openKeys, openLedger, type OpenOptions, type Place } from "./open.ts";

/** Wake-ups are left to the running gateway's sweep. */
const silentQueue: Queue = {
  wake: () => Promise.resolve(),
  onWake: () => Promise.resolve(),
  schedule: () => Promise.resolve(),
  stats: () => Promise.resolve({ waiting: 0, active: 0 }),
  close: () => Promise.resolve(),
};

export interface Offline extends Pick<BuiltGateway, "gateway"> {
  readonly store: EmbeddedStore;
}

export async function withoutQueue<T>(
  options: Place & { readonly clock?: Clock } & OpenOptions,
  work: (offline: Offline) => Promise<T>,
): Promise<T> {
  const opened = await openConfiguration(options.config, options);
  const keys = await openKeys(options.config, opened);
  const store = await openLedger(options);
  const { configuration, connectors } = opened;
  const log = createLog("warn");
  const built = buildGateway({
    configuration,
    connectors,
    keys,
    store: store satisfies Store,
    queue: silentQueue,
    log,
    ...(options.clock && { clock: options.clock }),
  });
  try {
    await built.gateway.consents.load();
    return await work({ gateway: built.gateway, store });
  } finally {
    await built.stop();
    await store.close();
  }
}
