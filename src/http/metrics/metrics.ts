// What `/metrics` prints: the counts of this process and what is read when somebody asks, as Prometheus text.
import { Registry } from "prom-client";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import type { Gateway } from "../../exchange/gateway.ts";
import type { Store } from "../../exchange/ports.ts";
import { measured } from "./measured.ts";
import { createMeters, processRegistry, type Meters } from "./meters.ts";
import { StoreFigures } from "./store-figures.ts";

export interface Metrics {
  readonly contentType: string;
  /** Never rejects for a store or queue that is down: that is what it then says. */
  text(): Promise<string>;
}

export interface Measuring {
  /** What the gateway must be built over, so that its writes are counted. */
  readonly store: Store;
  /** Once the gateway is built. */
  of(gateway: Gateway, takesNewWork: () => boolean): Metrics;
}

/** The first half of a composition root's work for metrics: counts what goes through the store. */
export function measure(store: Store, clock: Clock = systemClock): Measuring {
  const meters = createMeters();
  return {
    store: measured(store, meters, clock),
    of: (gateway, takesNewWork) => metricsOf(meters, gateway, takesNewWork),
  };
}

function metricsOf(meters: Meters, gateway: Gateway, takesNewWork: () => boolean): Metrics {
  const all = Registry.merge([processRegistry(), meters.registry]);
  const figures = new StoreFigures(gateway, meters);
  return {
    contentType: all.contentType,
    async text() {
      await Promise.all([figures.refresh(), queueFigures(meters, gateway)]);
      ownFigures(meters, gateway, takesNewWork());
      return all.metrics();
    },
  };
}

function ownFigures(meters: Meters, gateway: Gateway, takesNewWork: boolean): void {
  const { configuration } = gateway.active;
  meters.info.reset();
  meters.info.set({ configuration: configuration.hash }, 1);
  meters.takesNewWork.set(takesNewWork ? 1 : 0);
  meters.memoryFresh.set(gateway.hot.isFresh() ? 1 : 0);
  meters.paused.reset();
  meters.stopped.reset();
  for (const id of configuration.channels.keys()) meters.stopped.set({ channel: id }, gateway.brakes.has(id) ? 1 : 0);
  for (const id of configuration.systems.keys()) meters.paused.set({ system: id }, gateway.pauses.has(id) ? 1 : 0);
}

async function queueFigures(meters: Meters, gateway: Gateway): Promise<void> {
  try {
    const { waiting, active } = await gateway.queue.stats();
    meters.queueJobs.set({ state: "waiting" }, waiting);
    meters.queueJobs.set({ state: "active" }, active);
    meters.queueUp.set(1);
  } catch {
    meters.queueJobs.reset();
    meters.queueUp.set(0);
  }
}
