// Elapsed time by the larger of wall and monotonic clock: a jump of either only makes the one who measures more careful.
import type { Clock } from "./clock.ts";

export class Stopwatch {
  readonly #clock: Clock;
  readonly #wall: number;
  readonly #monotonic: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wall = clock.now();
    this.#monotonic = clock.monotonic();
  }

  /** Milliseconds. */
  elapsed(): number {
    return Math.max(this.#clock.now() - this.#wall, this.#clock.monotonic() - this.#monotonic);
  }
}
