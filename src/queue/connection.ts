// What BullQueue needs from a back end. Both implementations hand out plain BullMQ queues and workers; nothing else about
// them shows, so that one class serves both.
import type { JobsOptions, JobType } from "bullmq";
import { SluiceError } from "../core/errors.ts";

/** The part of a BullMQ `Queue` that is used. */
export interface JobQueue {
  add(name: string, data: unknown, options: JobsOptions): Promise<unknown>;
  getJobCounts(...types: JobType[]): Promise<Readonly<Record<string, number>>>;
  waitUntilReady(): Promise<unknown>;
  on(event: "error", report: (error: Error) => void): unknown;
  close(): Promise<void>;
}

/** The part of a BullMQ `Worker` that is used. `close` waits for the jobs that run, and so does `pause` without `true`. */
export interface JobWorker {
  waitUntilReady(): Promise<unknown>;
  pause(doNotWaitActive: boolean): Promise<unknown>;
  resume(): void;
  on(event: "error", report: (error: Error) => void): unknown;
  close(): Promise<void>;
}

export interface WorkerSettings {
  readonly concurrency: number;
  /** Seconds that an idle worker sleeps at most, should a notification be lost. */
  readonly idlePollSeconds: number;
}

/** A job as a back end gives it: who wrote it is unknown, so its data is. */
export type RunJob = (job: { readonly data: unknown }) => Promise<void>;

export interface QueueConnection {
  readonly backend: "pglite" | "redis";
  /** Version of the server, as it says itself. */
  readonly version: string;
  /** What works, but not as it should. */
  readonly warnings: readonly string[];
  queue(name: string): JobQueue;
  worker(name: string, run: RunJob, settings: WorkerSettings): JobWorker;
  /** Before closing: from now on a lost server is not waited for. Resolves when each connection is either up or given up. */
  leave(): Promise<void>;
  /** Called after all queues and workers are closed. */
  close(): Promise<void>;
}

/** Opens a connection. Rejects with `queue-unavailable` or, for a server that is set up wrongly, `config-invalid`. */
export type OpenConnection = () => Promise<QueueConnection>;

/**
 * A dead worker's job is given to another one within 9 s (lock, two looks), sooner than its lane's lease runs out, and as
 * often as it takes. A live worker that stands still for so long loses its job too: then two run the lane's wake-up, and
 * one of them finds the lane held. The ledger counts, not the queue.
 */
export const workerDefaults = {
  lockDuration: 5_000,
  stalledInterval: 2_000,
  maxStalledCount: 2_000_000_000,
  runRetryDelay: 1_000,
} as const;

/** Nobody reads BullMQ's event stream: keep it short. */
export const queueDefaults = { streams: { events: { maxLen: 100 } } } as const;

/**
 * `keepLastIfActive`: a wake during the run is not lost. No delay: a delayed job with the same deduplication id would
 * swallow the next wake. No attempts: the ledger decides what is tried again.
 */
export function wakeOptions(id: string): JobsOptions {
  return { deduplication: { id, keepLastIfActive: true }, removeOnComplete: true, removeOnFail: true };
}

/** BullMQ's word for a job that another worker was given, or that is gone: no failure of the back end. */
export function isLostJob(error: Error): boolean {
  return ("code" in error && typeof error.code === "number") || error.message.startsWith("could not renew lock");
}

export function unavailable(backend: string, hint: string): SluiceError {
  return new SluiceError("queue-unavailable", `the queue (${backend}) cannot be reached`, { hint });
}
