// Holding a lane (ARCHITECTURE, Lanes): by compare-and-swap on its fence; a lane that somebody else holds is taken only
// after this process has itself seen the same (fence, beat) for the lease and two seconds more. No two clocks are
// compared.
import type { Clock } from "../core/clock.ts";
import { SluiceError } from "../core/errors.ts";
import { Stopwatch } from "../core/stopwatch.ts";
import type { Hold, LaneState, Ledger } from "./ports.ts";

const graceMs = 2_000;

/** A lane that this process holds, and how long it still may believe so. */
export class HeldLane {
  readonly hold: Hold;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  #since: Stopwatch;
  #lost = false;

  constructor(hold: Hold, ledger: Ledger, clock: Clock, leaseMs: number, since: Stopwatch) {
    this.hold = hold;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#since = since;
  }

  /** Milliseconds for which nobody else can take the lane. */
  remaining(): number {
    return this.#lost ? 0 : this.#leaseMs - this.#since.elapsed();
  }

  /** Makes sure that `neededMs` remain. Throws `lane-lost`. */
  async need(neededMs: number): Promise<void> {
    if (this.remaining() > neededMs) return;
    const since = new Stopwatch(this.#clock);
    if (!(await this.#ledger.renew(this.hold))) this.lost();
    this.#since = since;
    if (this.remaining() <= neededMs) throw laneLost();
  }

  /** A write that renewed the lane (begin) was sent at `since`. */
  watch(): Stopwatch {
    return new Stopwatch(this.#clock);
  }
  renewed(since: Stopwatch): void {
    this.#since = since;
  }

  /** Throws when a conditional write found another fence. */
  kept(written: boolean): void {
    if (!written) this.lost();
  }

  lost(): never {
    this.#lost = true;
    throw laneLost();
  }

  async release(): Promise<void> {
    if (!this.#lost) await this.#ledger.release(this.hold);
  }
}

/** For dry runs: never expires, and no conditional write under it succeeds. */
export function dryLane(ledger: Ledger, clock: Clock): HeldLane {
  return new HeldLane({ lane: "dry-run", fence: -1 }, ledger, clock, Number.MAX_SAFE_INTEGER, new Stopwatch(clock));
}

export function laneLost(): SluiceError {
  return new SluiceError("lane-lost", "another holder has taken this lane");
}

/** Remembers since when each held lane has shown the same (fence, beat). */
export class LaneWatch {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly fence: number; readonly beat: number; readonly since: Stopwatch }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when the state has stood still for the lease and the grace. */
  stalled(state: LaneState, leaseMs: number): boolean {
    const before = this.#seen.get(state.lane);
    if (before?.fence !== state.fence || before.beat !== state.beat) {
      this.#seen.set(state.lane, { fence: state.fence, beat: state.beat, since: new Stopwatch(this.#clock) });
      return false;
    }
    return before.since.elapsed() > leaseMs + graceMs;
  }

  /** Forgets lanes that are held no more. */
  keepOnly(lanes: ReadonlySet<string>): void {
    for (const lane of this.#seen.keys()) if (!lanes.has(lane)) this.#seen.delete(lane);
  }

  forget(lane: string): void {
    this.#seen.delete(lane);
  }
}

/** Takes the lane if it is free or its holder has stalled; follows `movedTo`. */
export async function takeLane(
  lane: string,
  ledger: Ledger,
  watch: LaneWatch,
  clock: Clock,
  leaseMs: number,
): Promise<HeldLane | undefined> {
  let name = lane;
  for (let hops = 0; hops < 8; hops += 1) {
    const state = await ledger.peek(name);
    if (state?.movedTo !== undefined) {
      name = state.movedTo;
      continue;
    }
    if (state && !state.free && !watch.stalled(state, leaseMs)) return undefined;
    const since = new Stopwatch(clock);
    const hold = await ledger.claim(name, state ?? { fence: 0, beat: 0 });
    watch.forget(name);
    return hold && new HeldLane(hold, ledger, clock, leaseMs, since);
  }
  return undefined;
}
