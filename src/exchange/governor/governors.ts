// The governors of all systems in this process.
import type { Clock } from "../../core/clock.ts";
import type { SystemConfig } from "../../core/configuration.ts";
import { SluiceError } from "../../core/errors.ts";
import { newId, type Random } from "../../core/ids.ts";
import type { Log } from "../../core/log.ts";
import type { Registers } from "../ports.ts";
import { registerPrefix } from "./budget.ts";
import { Governor } from "./governor.ts";

export interface GovernorsParts {
  readonly systems: ReadonlyMap<string, SystemConfig>;
  readonly timeZone: string;
  readonly registers: Registers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Governors {
  readonly #governors: ReadonlyMap<string, Governor>;

  constructor({ systems, random, ...parts }: GovernorsParts) {
    const made = [...systems.values()].map((limits) => {
      const governor = new Governor({ ...parts, id: newId(random), system: limits.id, limits });
      return [limits.id, governor] as const;
    });
    this.#governors = new Map(made);
  }

  /** Throws `config-invalid` for an unknown system. */
  of(system: string): Governor {
    const governor = this.#governors.get(system);
    if (governor) return governor;
    throw new SluiceError("config-invalid", `there is no system ${system}`);
  }

  /**
   * Reads what was known before this process began; `alone`: no other process can be at work, so who is in a budget has
   * ended. A budget that cannot be read is read again before the first request.
   */
  async load(alone: boolean): Promise<void> {
    for (const governor of this.#governors.values()) {
      await (alone ? governor.strikeOthers() : governor.heard()).catch(() => undefined);
    }
  }

  /**
   * Another process announced a register; one that is no budget is passed over. One that cannot be read is read again before
   * the next request to its system: it must not stop all the others.
   */
  async heard(register: string): Promise<void> {
    if (!register.startsWith(registerPrefix)) return;
    await this.#governors
      .get(register.slice(registerPrefix.length))
      ?.heard()
      .catch(() => undefined);
  }

  /** Synchronous, from memory: no request to this system goes through for now. */
  isShut(system: string): boolean {
    return this.#governors.get(system)?.isShut() ?? false;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#governors.values()].map((governor) => governor.close()));
  }
}
