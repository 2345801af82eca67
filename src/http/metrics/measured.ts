// Counts what passes through the store: the same ports with a count behind each verb, so that the exchange itself knows
// nothing of metrics. What was not written is not counted, and counting never changes an answer.
import type { AuditEntry } from "../../audit/entry.ts";
import type { Clock } from "../../core/clock.ts";
import { asSluiceError } from "../../core/errors.ts";
import type { AuditLog, Cursors, Hold, Ledger, Store } from "../../exchange/ports.ts";
import { countEntry } from "./entry-counts.ts";
import { HeldLanes } from "./held-lanes.ts";
import { word, type Meters } from "./meters.ts";

/** The store with every write counted. Everything else of it is as it was. */
export function measured(store: Store, meters: Meters, clock: Clock): Store {
  const write = writes(meters, clock);
  const lanes = new HeldLanes(meters);
  return over(store, {
    ledger: over(store.ledger, {
      ...holding(store.ledger, lanes),
      ...counting(store.ledger, meters, write, lanes),
    }),
    audit: over<AuditLog>(store.audit, {
      append: (entries) => write("append", entries, () => store.audit.append(entries)),
    }),
    cursors: over<Cursors>(store.cursors, {
      move: async (name, to, hold) => lanes.kept(hold, await store.cursors.move(name, to, hold)),
    }),
  });
}

/** Some members of a port replaced; the others are the port's own. */
function over<T extends object>(port: T, replaced: Partial<T>): T {
  return new Proxy(port, {
    get(target, name): unknown {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}

type Write = <T>(step: string, entries: readonly AuditEntry[], run: () => Promise<T>) => Promise<T>;

/** Runs a write; counts its time and its entries when it was done, its code when it was refused. */
function writes(meters: Meters, clock: Clock): Write {
  return async (step, entries, run) => {
    const since = clock.monotonic();
    const answer = await run().catch((error: unknown) => {
      meters.storeFailures.inc({ step, code: asSluiceError(error).code });
      throw error;
    });
    // False: the lane was lost, and nothing was written.
    if (answer === false || entries.length === 0) return answer;
    meters.auditWait.observe({ step }, Math.max(0, clock.monotonic() - since) / 1000);
    for (const entry of entries) countEntry(meters, entry);
    return answer;
  };
}

/** Verbs that take, keep and give back a lane. */
function holding(ledger: Ledger, lanes: HeldLanes): Partial<Ledger> {
  return {
    claim: async (lane, seen) => lanes.taken(await ledger.claim(lane, seen)),
    renew: async (hold) => lanes.kept(hold, await ledger.renew(hold)),
    move: async (row, to, hold) => lanes.kept(hold, await ledger.move(row, to, hold)),
    settle: async (row, applied, hold) => lanes.kept(hold, await ledger.settle(row, applied, hold)),
    async release(hold) {
      lanes.gone(hold);
      return ledger.release(hold);
    },
    async head(hold) {
      const row = await ledger.head(hold);
      if (row) lanes.inHand(hold, row.channel);
      return row;
    },
  };
}

/** Verbs that put something on record or change a row's state. */
function counting(ledger: Ledger, meters: Meters, write: Write, lanes: HeldLanes): Partial<Ledger> {
  const kept = async (
    step: string,
    entries: readonly AuditEntry[],
    hold: Hold,
    run: () => Promise<boolean>,
  ): Promise<boolean> => lanes.kept(hold, await write(step, entries, run));
  return {
    async accept(rows) {
      const results = await write("accept", [], () => ledger.accept(rows));
      for (const [index, result] of results.entries()) {
        meters.notices.inc({ channel: word(rows[index]?.channel), result });
      }
      return results;
    },
    begin: (row, intent, entries, hold, bytes) =>
      kept("begin", entries, hold, () => ledger.begin(row, intent, entries, hold, bytes)),
    unsend: (row, entries, hold) => kept("unsend", entries, hold, () => ledger.unsend(row, entries, hold)),
    async defer(row, wait, entries, hold) {
      const done = await kept("defer", entries, hold, () => ledger.defer(row, wait, entries, hold));
      const labels = { channel: lanes.channelOf(hold), cause: word(wait.cause) };
      if (done && wait.failed) meters.retries.inc(labels);
      if (done && wait.waiting) meters.waits.inc(labels);
      return done;
    },
    async quarantine(row, cause, problem, entries, hold, attempt) {
      const put = (): Promise<boolean> => ledger.quarantine(row, cause, problem, entries, hold, attempt);
      const done = await kept("quarantine", entries, hold, put);
      if (done) meters.quarantines.inc({ channel: lanes.channelOf(hold), cause: word(cause) });
      return done;
    },
    async finish(row, end, entries, hold) {
      const done = await kept("finish", entries, hold, () => ledger.finish(row, end, entries, hold));
      if (done) meters.ended.inc({ channel: lanes.channelOf(hold), state: end.state });
      return done;
    },
  };
}
