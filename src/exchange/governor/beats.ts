// When a governor moves the shared budget: beats one after the other while there is work, sooner when something happens, and
// never closer together than the shortest time.
import type { Clock } from "../../core/clock.ts";
import { Stopwatch } from "../../core/stopwatch.ts";

/** Whatever happens: a burst of news is told at once, not one by one. */
const shortestMs = 50;

/** After a beat: rest for so many milliseconds, go on at once, or end. */
export type Next = { readonly restMs: number } | "on" | "end";

export class Beats {
  readonly #clock: Clock;
  readonly #beat: () => Promise<Next>;
  #running: Promise<void> | undefined;
  #rest = new AbortController();
  #isNudged = false;
  #isStopping = false;

  /** @param beat Must not throw. Beats never overlap. */
  constructor(clock: Clock, beat: () => Promise<Next>) {
    this.#clock = clock;
    this.#beat = beat;
  }

  get areRunning(): boolean {
    return this.#running !== undefined;
  }

  /** The next beat comes now; they begin if they had ended. */
  nudge(): void {
    this.#isNudged = true;
    this.#rest.abort();
    this.begin();
  }

  begin(): void {
    if (this.#isStopping || this.#running) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // Something happened while the last beat was ending.
      if (this.#isNudged) this.begin();
    });
  }

  /** One more beat if they run, without a rest before it. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#rest.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      const began = new Stopwatch(this.#clock);
      this.#isNudged = false;
      const next = await this.#beat();
      if (next === "end") return;
      if (next !== "on") await this.#restFor(next.restMs, began);
    }
  }

  async #restFor(ms: number, began: Stopwatch): Promise<void> {
    if (this.#isStopping) return;
    this.#rest = new AbortController();
    if (!this.#isNudged) await this.#clock.sleep(ms, this.#rest.signal).catch(() => undefined);
    const early = shortestMs - began.elapsed();
    if (early > 0) await this.#clock.sleep(early).catch(() => undefined);
  }
}
