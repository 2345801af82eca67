// The Queue port on BullMQ, for both back ends. A job is a wake-up and nothing more: its data is checked as if a stranger
// had written it, it is never retried, and losing all jobs loses nothing, since the sweep reads the ledger.
import { systemClock, type Clock } from "../core/clock.ts";
import { asSluiceError, SluiceError } from "../core/errors.ts";
import { hmacId } from "../core/ids.ts";
import type { Queue, QueueStats } from "../exchange/ports.ts";
import {
  isLostJob,
  unavailable,
  wakeOptions,
  type JobQueue,
  type OpenConnection,
  type QueueConnection,
} from "./connection.ts";
import { Consumer, goodbyeMs, settledWithin } from "./consumer.ts";

export interface BullQueueOptions {
  /** The deployment's id key: deduplication ids are HMACs under it. */
  readonly idKey: Buffer;
  readonly clock?: Clock;
  /** Told about errors that reject nobody's call: of a run, and of the back end (once until it works again). */
  readonly report?: (error: SluiceError) => void;
  /** Told at the start what works, but not as it should. */
  readonly warn?: (warning: string) => void;
  /** Seconds until an idle worker looks again by itself; default 5. */
  readonly idlePollSeconds?: number;
}

/** The BullMQ queue's name; with the Redis prefix it makes the keys. */
const lanes = "lanes";
const maxLaneLength = 512;

export class BullQueue implements Queue {
  readonly backend: QueueConnection["backend"];
  /** The server's version. */
  readonly version: string;
  readonly #connection: QueueConnection;
  readonly #lanes: JobQueue;
  readonly #idKey: Buffer;
  readonly #report: (error: SluiceError) => void;
  readonly #clock: Clock;
  readonly #idlePollSeconds: number;
  #consumer: Consumer | undefined;
  /** The back end's failure is reported, and it has not worked since. */
  #failing = false;
  #closing: Promise<void> | undefined;

  private constructor(connection: QueueConnection, options: BullQueueOptions) {
    this.backend = connection.backend;
    this.version = connection.version;
    this.#connection = connection;
    this.#idKey = options.idKey;
    this.#report = options.report ?? (() => undefined);
    this.#clock = options.clock ?? systemClock;
    this.#idlePollSeconds = options.idlePollSeconds ?? 5;
    this.#lanes = connection.queue(lanes);
    this.#lanes.on("error", this.#backEndFailed);
  }

  /** Rejects with `queue-unavailable` (the server cannot be reached) or `config-invalid` (it is set up wrongly). */
  static async open(open: OpenConnection, options: BullQueueOptions): Promise<BullQueue> {
    const queue = new BullQueue(await open(), options);
    await queue.#lanes.waitUntilReady();
    for (const warning of queue.#connection.warnings) options.warn?.(warning);
    return queue;
  }

  /**
   * Wakes of a lane that waits already are one; a wake while the lane runs is kept and runs it once more. Rejects with
   * `queue-unavailable`; a caller whose row is in the ledger may ignore that.
   */
  async wake(lane: string): Promise<void> {
    if (!isLane(lane)) throw new SluiceError("internal", "a lane is text of 1 to 512 characters");
    try {
      await this.#lanes.add("wake", { lane }, wakeOptions(hmacId(this.#idKey, "lane", lane)));
    } catch {
      throw new SluiceError("queue-unavailable", "the lane could not be woken", {
        hint: "nothing is lost: the sweep wakes it when the queue is back",
      });
    }
  }

  async onWake(run: (lane: string) => Promise<void>, concurrency: number): Promise<void> {
    if (this.#consumer) throw new SluiceError("internal", "onWake was called twice");
    this.#consumer = new Consumer(
      this.#connection,
      lanes,
      async ({ data }) => {
        const lane = laneOf(data);
        if (lane === undefined) return;
        await run(lane).catch(this.#runFailed);
        this.#failing = false;
      },
      {
        concurrency,
        idlePollSeconds: this.#idlePollSeconds,
        clock: this.#clock,
        backEndFailed: this.#backEndFailed,
      },
    );
    await this.#consumer.ready();
  }

  async consume(on: boolean): Promise<void> {
    await this.#consumer?.take(on);
  }

  async stats(): Promise<QueueStats> {
    try {
      const { waiting = 0, active = 0 } = await this.#lanes.getJobCounts("waiting", "active");
      return { waiting, active };
    } catch {
      throw new SluiceError("queue-unavailable", "the queue's counts could not be read");
    }
  }

  readonly #runFailed = (error: unknown): void => {
    this.#report(asSluiceError(error));
  };

  /** A lost server makes an error a reconnection attempt; its texts name hosts. */
  readonly #backEndFailed = (error: Error): void => {
    if (this.#failing || this.#closing || isLostJob(error)) return;
    this.#failing = true;
    this.#report(unavailable(this.backend, "nothing is lost: what is due is woken when the queue is back"));
  };

  /** Takes no new job, waits for those that run, then lets go of the back end; for one that is away it waits some seconds. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#connection.leave();
    await this.#consumer?.close();
    await settledWithin(goodbyeMs, this.#lanes.close(), this.#clock);
    await this.#connection.close();
  }
}

function isLane(lane: unknown): lane is string {
  return typeof lane === "string" && lane.length > 0 && lane.length <= maxLaneLength;
}

/** The lane that a job names; undefined for whatever else somebody put into the queue. */
function laneOf(data: unknown): string | undefined {
  if (typeof data !== "object" || data === null || !("lane" in data)) return undefined;
  return isLane(data.lane) ? data.lane : undefined;
}
