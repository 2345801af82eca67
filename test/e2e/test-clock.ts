// A clock for tests of the running product: real time, which a test can move, and periodic tasks that come round sooner.
import { systemClock, type Clock } from "../../src/core/clock.ts";

/** Longest sleep, so that what happens once a minute happens while a test looks. */
const longestSleepMs = 250;

export class TestClock implements Clock {
  #offset: number;

  /** @param at Wall time at the start; default now. */
  constructor(at?: number) {
    this.#offset = at === undefined ? 0 : at - systemClock.now();
  }

  now(): number {
    return systemClock.now() + this.#offset;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(Math.min(ms, longestSleepMs), signal);
  }

  jump(ms: number): void {
    this.#offset += ms;
  }
}
