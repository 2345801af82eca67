// A BullMQ worker that can be closed whatever its server does. BullMQ's own close waits for the running jobs, but when the
// server is away it waits for that too, without end; what must be waited for is only that the runs in this process finish.
import type { Clock } from "../core/clock.ts";
import type { JobWorker, QueueConnection, RunJob, WorkerSettings } from "./connection.ts";

/** So long after the last run BullMQ may take to say goodbye to its server. */
export const goodbyeMs = 3000;

/** Resolves when the promise is settled, or after so long. */
export async function settledWithin(ms: number, promise: Promise<unknown>, clock: Clock): Promise<void> {
  const settled = new AbortController();
  const late = clock.sleep(ms, settled.signal).catch(() => undefined);
  await Promise.race([promise.catch(() => undefined).finally(() => settled.abort()), late]);
}

export class Consumer {
  readonly #worker: JobWorker;
  readonly #clock: Clock;
  readonly #runs = new Set<Promise<void>>();

  constructor(
    connection: QueueConnection,
    queue: string,
    run: RunJob,
    options: WorkerSettings & { readonly clock: Clock; readonly backEndFailed: (error: Error) => void },
  ) {
    this.#clock = options.clock;
    this.#worker = connection.worker(queue, (job) => this.#track(run(job)), options);
    this.#worker.on("error", options.backEndFailed);
  }

  async ready(): Promise<void> {
    await this.#worker.waitUntilReady();
  }

  async take(on: boolean): Promise<void> {
    if (on) this.#worker.resume();
    else await this.#worker.pause(true);
  }

  async close(): Promise<void> {
    const closed = new AbortController();
    const goodbye = this.#worker.close().finally(() => closed.abort());
    await Promise.race([goodbye, this.#over(closed.signal)]);
  }

  async #track(run: Promise<void>): Promise<void> {
    this.#runs.add(run);
    try {
      await run;
    } finally {
      this.#runs.delete(run);
    }
  }

  /** No run has been going on for a while: a job that was being fetched may still have begun one. */
  async #over(closed: AbortSignal): Promise<void> {
    do {
      await Promise.allSettled(this.#runs);
      await this.#clock.sleep(goodbyeMs, closed).catch(() => undefined);
    } while (this.#runs.size > 0);
  }
}
