// What a process keeps in memory (consents, pauses, brakes, which configuration is current) and others change: read again
// by the number of the newest change. When that number could not be read lately, nothing may leave (ARCHITECTURE, What
// always holds 1): an answer out of an old memory is no answer.
import type { Clock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { Stopwatch } from "../core/stopwatch.ts";
import type { Change, Changes } from "./ports.ts";

/** Several processes: a memory that was brought up to date longer ago decides nothing. */
export const sharedMaxAgeMs = 1_000;
export const catchUpEveryMs = 500;

const pageSize = 500;

export class HotReads {
  readonly #changes: Changes;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #reload: (change: Change) => Promise<void>;
  #upTo = 0;
  #good: Stopwatch | undefined;
  #reading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /**
   * @param reload Brings what the change names up to date; must be idempotent.
   * @param maxAgeMs `Infinity` where nobody else writes what is decided on (one process).
   */
  constructor(changes: Changes, clock: Clock, maxAgeMs: number, reload: (change: Change) => Promise<void>) {
    this.#changes = changes;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.#reload = reload;
  }

  /** To be called before anything is loaded: whatever changes from here on is read again. */
  async begin(): Promise<void> {
    const good = new Stopwatch(this.#clock);
    this.#upTo = await this.#changes.head();
    this.#good = good;
  }

  /** Reads every change that was announced before this call. Rejects when the store does not answer. */
  catchUp(): Promise<void> {
    // One reading that has not begun yet serves all who ask meanwhile.
    this.#next ??= this.#reading
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        this.#reading = this.#read();
        return this.#reading;
      });
    return this.#next;
  }

  /** Synchronous, for the instant of sending. */
  isFresh(): boolean {
    return this.#maxAgeMs === Infinity || (this.#good !== undefined && this.#good.elapsed() <= this.#maxAgeMs);
  }

  /** Throws `facts-stale` (no answer, no attempt) when the memory cannot be brought up to date. */
  async need(): Promise<void> {
    if (this.isFresh()) return;
    await this.catchUp().catch(() => undefined);
    if (this.isFresh()) return;
    throw new SluiceError(
      "facts-stale",
      "the store does not say whether consents, pauses or the configuration changed",
      {
        hint: "see that the database answers; exchanges wait and go on by themselves",
      },
    );
  }

  async #read(): Promise<void> {
    const good = new Stopwatch(this.#clock);
    for (let more = true; more;) {
      const changes = await this.#changes.since(this.#upTo, pageSize);
      for (const change of changes) {
        await this.#reload(change);
        this.#upTo = change.n;
      }
      more = changes.length === pageSize;
    }
    this.#good = good;
  }
}
