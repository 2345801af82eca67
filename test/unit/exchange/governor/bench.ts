// What the tests of the governor share: a clock that stands until it is moved, registers in memory that can fail, and limits.
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../../../src/core/clock.ts";
import { SluiceError } from "../../../../src/core/errors.ts";
import type { Log } from "../../../../src/core/log.ts";
import { Governor } from "../../../../src/exchange/governor/governor.ts";
import { emptyBudget, readBudget, type Budget, type Limits } from "../../../../src/exchange/governor/budget.ts";
import type { Registered, Registers } from "../../../../src/exchange/ports.ts";

export const limits: Limits = { concurrency: 4, breaker: { failures: 3, baseMs: 1_000, capMs: 8_000 } };
export const noon = Date.parse("2026-11-25T12:00:00Z");

export class StillClock implements Clock {
  #now = noon;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        reject(new Error("woken"));
      });
    });
  }

  /** Everything that is due on the way happens, in its order. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const due = this.#sleepers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#sleepers = this.#sleepers.filter((one) => one !== due);
      this.#now = Math.max(this.#now, due.at);
      due.wake();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

/** Whatever can happen without time passing has happened. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 4; n += 1) await turn();
}

export class MemoryRegisters implements Registers {
  readonly #registers = new Map<string, Registered>();
  /** Moves that were made. */
  moves = 0;
  /** While true nothing can be read or moved. */
  isDown = false;
  readonly announced: string[] = [];

  get(name: string): Promise<Registered | undefined> {
    return this.#answer(() => this.#registers.get(name));
  }

  move(name: string, seen: number, value: string, options?: { readonly announce?: boolean }): Promise<boolean> {
    return this.#answer(() => {
      if ((this.#registers.get(name)?.version ?? 0) !== seen) return false;
      this.#registers.set(name, { version: seen + 1, value });
      this.moves += 1;
      if (options?.announce) this.announced.push(name);
      return true;
    });
  }

  list(prefix: string): Promise<readonly (Registered & { readonly name: string })[]> {
    const all = [...this.#registers].map(([name, register]) => ({ name, ...register }));
    return this.#answer(() => all.filter(({ name }) => name.startsWith(prefix)));
  }

  budget(system = "ehr"): Budget {
    return readBudget(this.#registers.get(`budget/${system}`)?.value);
  }

  /** As a person, or another version of the program, might leave it. */
  put(budget: Partial<Budget> | string, system = "ehr"): void {
    const name = `budget/${system}`;
    const value = typeof budget === "string" ? budget : JSON.stringify({ ...emptyBudget(), ...budget });
    this.#registers.set(name, { version: (this.#registers.get(name)?.version ?? 0) + 1, value });
  }

  async #answer<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.isDown) throw new SluiceError("store-unavailable", "the store is down");
    return work();
  }
}

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function governor(id: string, registers: Registers, clock: Clock, own: Partial<Limits> = {}): Governor {
  const log = silent;
  return new Governor({ id, system: "ehr", limits: { ...limits, ...own }, registers, clock, timeZone: "UTC", log });
}
