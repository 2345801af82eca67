// Systems that take no requests just now: one whose credential was refused pauses once, instead of failing a thousand
// exchanges, and is tried again now and then until it lets us in.
import type { Clock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Systems } from "./ports.ts";

export class Pauses {
  readonly #systems: Systems;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #paused = new Map<string, { readonly cause: string; readonly fix: string }>();

  constructor(systems: Systems, clock: Clock, log: Log) {
    this.#systems = systems;
    this.#clock = clock;
    this.#log = log;
  }

  /** Reads what an earlier process left. */
  async load(ids: Iterable<string>): Promise<void> {
    for (const id of ids) await this.reload(id);
  }

  /** Another process may have paused or resumed it. */
  async reload(id: string): Promise<void> {
    const { paused } = await this.#systems.get(id);
    if (paused) this.#paused.set(id, paused);
    else this.#paused.delete(id);
  }

  has(system: string): boolean {
    return this.#paused.has(system);
  }

  all(): readonly string[] {
    return [...this.#paused.keys()];
  }

  /** Throws `system-paused`, naming the fix, when the system is paused. */
  check(system: string): void {
    const paused = this.#paused.get(system);
    if (paused) throw new SluiceError("system-paused", `${system} is paused: ${paused.cause}`, { hint: paused.fix });
  }

  async pause(system: string, cause: string, fix: string): Promise<void> {
    if (this.#paused.has(system)) return;
    this.#paused.set(system, { cause, fix });
    if (await this.#systems.pause(system, this.#clock.now(), cause, fix)) {
      this.#log.error({ system, cause, fix }, "system paused");
    }
  }

  async resume(system: string): Promise<void> {
    if (!this.#paused.delete(system)) return;
    await this.#systems.resume(system);
    this.#log.info({ system }, "system resumed");
  }
}
