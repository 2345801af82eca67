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

/** True once every type was polled so often, false when that did not come about in time. */
export async function pollsDone(view: LedgerView, traffic: Traffic, wanted: Wanted): Promise<boolean> {
  const until = performance.now() + wanted.withinMs;
  let counts = new Map<string, { readonly last: number; readonly times: number }>();
  let since = Date.now();
  let writes = traffic.writes.length;
  while (performance.now() < until) {
    if (wanted.quiet && (traffic.writes.length !== writes || view.open().length > 0)) {
      counts = new Map();
      since = Date.now();
      writes = traffic.writes.length;
    }
    const polls = view.polls();
    for (const [name, at] of polls) {
      const { last, times } = counts.get(name) ?? { last: since, times: 0 };
      if (at > last) counts.set(name, { last: at, times: times + 1 });
    }
    if (polls.size > 0 && [...polls.keys()].every((name) => (counts.get(name)?.times ?? 0) >= wanted.times))
      return true;
    await delay(100);
  }
  return false;
}
