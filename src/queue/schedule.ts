// Repeated work, in one process at a time. Not BullMQ's job schedulers: theirs live in the queue alone, so a flushed Redis
// would silently stop the sweep, which is the guarantee that a lost queue loses nothing. Here each process offers each
// name's job every few seconds; deduplication keeps one alive in all, and that job stays active until its period is over.
// A lost queue is thus mended by the next offer, a dead process by BullMQ's stalled check.
import type { Clock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { wakeOptions, type JobQueue, type QueueConnection } from "./connection.ts";
import { Consumer } from "./consumer.ts";

interface Task {
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

export interface ScheduleSettings {
  /** Name of the BullMQ queue. */
  readonly queue: string;
  readonly clock: Clock;
  readonly runFailed: (error: unknown) => void;
  readonly backEndFailed: () => void;
  readonly dedupId: (name: string) => string;
  readonly idlePollSeconds: number;
}

/** A name is offered at least this often, so that the loss of the queue stops nothing for longer. */
const maxOfferMs = 5000;

export class Schedule {
  readonly #connection: QueueConnection;
  readonly #settings: ScheduleSettings;
  readonly #tasks = new Map<string, Task>();
  readonly #running = new Set<string>();
  readonly #stop = new AbortController();
  readonly #offers: Promise<void>[] = [];
  #queue: JobQueue | undefined;
  #consumer: Consumer | undefined;

  constructor(connection: QueueConnection, settings: ScheduleSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  async add(name: string, everyMs: number, run: () => Promise<void>): Promise<void> {
    if (this.#tasks.has(name)) throw new SluiceError("internal", `the schedule "${name}" exists already`);
    this.#tasks.set(name, { everyMs, run });
    const queue = (this.#queue ??= this.#openQueue());
    const consumer = (this.#consumer ??= this.#openConsumer());
    // Every task may be active at once, most of the time only waiting for its period to end.
    consumer.concurrency = this.#tasks.size;
    await Promise.all([queue.waitUntilReady(), consumer.ready()]);
    this.#offers.push(this.#offer(queue, name, Math.min(everyMs, maxOfferMs)));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#offers);
    await this.#consumer?.close();
    await this.#queue?.close();
  }

  #openQueue(): JobQueue {
    const queue = this.#connection.queue(this.#settings.queue);
    queue.on("error", this.#settings.backEndFailed);
    return queue;
  }

  #openConsumer(): Consumer {
    const { queue, ...settings } = this.#settings;
    return new Consumer(this.#connection, queue, (job) => this.#work(job.name), { ...settings, concurrency: 1 });
  }

  async #offer(queue: JobQueue, name: string, everyMs: number): Promise<void> {
    const options = wakeOptions(this.#settings.dedupId(name));
    while (!this.#stop.signal.aborted) {
      await queue.add(name, {}, options).catch(this.#settings.backEndFailed);
      await this.#sleep(everyMs);
    }
  }

  /** A name that this process does not know, or that still runs here (after a flush), is let go at once. */
  async #work(name: string): Promise<void> {
    const task = this.#tasks.get(name);
    if (!task || this.#running.has(name) || this.#stop.signal.aborted) return;
    const { clock, runFailed } = this.#settings;
    const started = clock.monotonic();
    this.#running.add(name);
    try {
      await task.run().catch(runFailed);
      await this.#sleep(task.everyMs - (clock.monotonic() - started));
    } finally {
      this.#running.delete(name);
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#settings.clock.sleep(ms, this.#stop.signal).catch(() => undefined);
  }
}
