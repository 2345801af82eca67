// Waits for polls: a fault run is over when every type on both sides was polled three times with nothing left to do.
import { setTimeout as delay } from "node:timers/promises";
import type { LedgerView } from "./ledger-view.ts";
import type { Traffic } from "./traffic.ts";

export interface Wanted {
  readonly times: number;
  /** Counting begins anew with every write, and while an exchange is open. */
  readonly quiet: boolean;
  readonly withinMs: number;
}

/**
 * True once every type was polled so often, false when that did not come about in time. Polls are counted by their stamps,
 * whose clocks may differ; the first new one may be of a poll that began before, so one more is waited for.
 */
export async function pollsDone(view: LedgerView, traffic: Traffic, wanted: Wanted): Promise<boolean> {
  const until = performance.now() + wanted.withinMs;
  let last = new Map(await view.polls());
  let times = new Map<string, number>();
  let writes = traffic.writes.length;
  while (performance.now() < until) {
    const polls = await view.polls();
    for (const [name, at] of polls) if (last.get(name) !== at) times.set(name, (times.get(name) ?? 0) + 1);
    last = new Map(polls);
    if (wanted.quiet && (traffic.writes.length !== writes || (await view.open()).length > 0)) {
      times = new Map();
      writes = traffic.writes.length;
    } else if (polls.size > 0 && [...polls.keys()].every((name) => (times.get(name) ?? 0) > wanted.times)) {
      return true;
    }
    await delay(100);
  }
  return false;
}
