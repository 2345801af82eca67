// Lanes that this process has woken and not yet run, and since when: the sweep wakes those again only when the queue seems
// to have lost them, since a lane woken twice is held twice for nothing.
import type { Clock } from "../core/clock.ts";
import type { Gateway } from "./gateway.ts";

/** After so long without a run a wake-up counts as lost. */
const lostMs = 5_000;

export class Woken {
  readonly #clock: Clock;
  readonly #since = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called before the queue is: the lane may run before the queue has answered. */
  mark(lane: string): void {
    const now = this.#clock.monotonic();
    this.#since.delete(lane);
    this.#since.set(lane, now);
    // Others may have run it: what is old is forgotten, oldest first.
    for (const [oldest, since] of this.#since) {
      if (now - since < lostMs) break;
      this.#since.delete(oldest);
    }
  }

  /** It runs, or it could not be woken. */
  forget(lane: string): void {
    this.#since.delete(lane);
  }

  /** Woken, not yet run, and not so long ago that the queue must have lost it. */
  has(lane: string): boolean {
    const since = this.#since.get(lane);
    return since !== undefined && this.#clock.monotonic() - since < lostMs;
  }
}

const ofGateways = new WeakMap<Gateway, Woken>();

export function wokenOf(gateway: Gateway): Woken {
  const known = ofGateways.get(gateway) ?? new Woken(gateway.clock);
  ofGateways.set(gateway, known);
  return known;
}
