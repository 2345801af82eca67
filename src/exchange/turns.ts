// Periodic work that one of several processes does for all: whoever moves the register has the turn. Losing a turn to a
// process that then dies costs one period, no more.
import type { Clock } from "../core/clock.ts";
import type { Registers } from "./ports.ts";

/** Clocks differ by seconds and timers come late: a turn counts as over a little before its period is. */
const part = 0.9;

export class Turns {
  readonly #registers: Registers;
  readonly #clock: Clock;

  constructor(registers: Registers, clock: Clock) {
    this.#registers = registers;
    this.#clock = clock;
  }

  /** True when the work `name` is due and this process is the one to do it. */
  async take(name: string, everyMs: number): Promise<boolean> {
    const register = `turn/${name}`;
    const last = await this.#registers.get(register);
    const now = this.#clock.now();
    if (last && Math.abs(now - Number(last.value)) < everyMs * part) return false;
    return this.#registers.move(register, last?.version ?? 0, String(now));
  }
}
