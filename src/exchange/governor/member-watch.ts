// Which members of a budget stand still, as this process has itself seen: no two clocks are compared. A member makes no
// request once its last move is `leaseMs` ago; a little later it is struck, and its places are given to others. What it had
// under way then ends with it, if it was killed; if it was only cut off from the store, at its time limit at the latest: that
// is the one case in which more may be under way for a while than `concurrency` says.
import type { Clock } from "../../core/clock.ts";
import { Stopwatch } from "../../core/stopwatch.ts";
import type { Member } from "./budget.ts";

/** A process that could not move the budget for so long makes no request. */
export const leaseMs = 3_000;
const graceMs = 1_000;

export class MemberWatch {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly beat: number; readonly since: Stopwatch }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Members whose beat has not changed for that long. To be called with each budget that is read. */
  stalled(members: readonly Member[]): ReadonlySet<string> {
    const there = new Set(members.map((member) => member.id));
    for (const id of this.#seen.keys()) if (!there.has(id)) this.#seen.delete(id);
    const still = new Set<string>();
    for (const { id, beat } of members) {
      const before = this.#seen.get(id);
      if (before?.beat !== beat) this.#seen.set(id, { beat, since: new Stopwatch(this.#clock) });
      else if (before.since.elapsed() > leaseMs + graceMs) still.add(id);
    }
    return still;
  }
}
