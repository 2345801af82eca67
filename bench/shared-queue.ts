// The gateway's own queue with a second kind of wake-up in it: lanes that begin with `bench:` run the baseline's job, all
// others the worker. So both are measured on the same queue, the same consumer and the same concurrency.
import type { Queue } from "../src/exchange/ports.ts";

export interface SharedQueue {
  readonly queue: Queue;
  /** Runs `begin`, and resolves when each of these lanes has run. */
  drained(lanes: readonly string[], begin: () => Promise<void>): Promise<void>;
  setJob(job: (lane: string) => Promise<void>): void;
}

export function shareQueue(inner: Queue): SharedQueue {
  let job: (lane: string) => Promise<void> = () => Promise.resolve();
  let left = new Set<string>();
  let done: () => void = () => undefined;
  let failed: (error: unknown) => void = () => undefined;
  const ran = (lane: string): void => {
    if (left.delete(lane) && left.size === 0) done();
  };
  return {
    queue: {
      wake: (lane) => inner.wake(lane),
      consume: (on) => inner.consume(on),
      stats: () => inner.stats(),
      close: () => inner.close(),
      onWake: (run, concurrency) =>
        inner.onWake(async (lane) => {
          await (lane.startsWith("bench:") ? job(lane).catch(failed) : run(lane));
          ran(lane);
        }, concurrency),
    },
    setJob: (next) => {
      job = next;
    },
    async drained(lanes, begin) {
      left = new Set(lanes);
      const all = new Promise<void>((resolve, reject) => {
        done = resolve;
        failed = reject;
      });
      await Promise.all([all, begin()]);
    },
  };
}
