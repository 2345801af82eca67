// What is told of a fault run: how often each fault struck, what became of the exchanges that it struck, and how long that
// took. Time is the test's own: the processes' clocks may differ.
import { setTimeout as delay } from "node:timers/promises";
import { isOpen, type LedgerView } from "./ledger-view.ts";
import type { Traffic } from "./traffic.ts";

export interface FaultLine {
  readonly what: string;
  readonly times: number;
  /** Exchanges that it struck, each once, by the state in which they are now. */
  readonly exchanges: Readonly<Record<string, number>>;
  /** Milliseconds from the fault to the end of an exchange that it struck; undefined = it struck none. */
  readonly recovery: { readonly medianMs: number; readonly longestMs: number } | undefined;
}

export interface Report {
  readonly seconds: number;
  readonly edits: number;
  readonly writes: number;
  readonly takenOver: number;
  /** Notices that a gateway acknowledged. */
  readonly notices: number;
  readonly states: Readonly<Record<string, number>>;
  readonly faults: readonly FaultLine[];
  /** What else is to be said, one sentence each. */
  readonly remarks: readonly string[];
}

const everyMs = 250;

/** Sees, while the run goes on, when each exchange that a fault struck comes to its end. */
export class Recovery {
  readonly #view: LedgerView;
  readonly #traffic: Traffic;
  readonly #ended = new Map<string, number>();
  readonly #over = new AbortController();
  readonly #watching: Promise<void>;

  constructor(view: LedgerView, traffic: Traffic) {
    this.#view = view;
    this.#traffic = traffic;
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  /** To be called when both sides are quiet. */
  async lines(): Promise<readonly FaultLine[]> {
    await this.#look();
    const { happened } = this.#traffic;
    const states = await this.#view.statesOf([...new Set(happened.flatMap((one) => one.rows))]);
    return [...Map.groupBy(happened, (one) => one.what)].map(([what, ones]) => {
      const rows = [...new Set(ones.flatMap((one) => one.rows))].flatMap((row) => states.get(row) ?? []);
      const took = ones
        .flatMap(({ at, rows: struck }) => struck.map((row) => (this.#ended.get(row) ?? 0) - at))
        .filter((ms) => ms >= 0)
        .toSorted((a, b) => a - b);
      const [medianMs, longestMs] = [took[Math.floor(took.length / 2)], took.at(-1)];
      return {
        what,
        times: ones.length,
        exchanges: Object.fromEntries([...Map.groupBy(rows, String)].map(([state, of]) => [state, of.length])),
        recovery: medianMs === undefined || longestMs === undefined ? undefined : { medianMs, longestMs },
      };
    });
  }

  async #watch(): Promise<void> {
    while (!this.#over.signal.aborted) {
      // While the database is away nothing ends.
      await this.#look().catch(() => undefined);
      await delay(everyMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const struck = new Set(this.#traffic.happened.flatMap((one) => one.rows));
    const waiting = [...struck].filter((row) => row !== "" && !this.#ended.has(row));
    if (waiting.length === 0) return;
    const states = await this.#view.statesOf(waiting);
    const now = Date.now();
    for (const [row, state] of states) if (!isOpen(state)) this.#ended.set(row, now);
  }
}

/** As Markdown: fault, times, effect, recovery time. */
export function table({ faults, ...report }: Report, title: string): string {
  const { seconds, edits, writes, takenOver, notices, remarks } = report;
  const lines = faults
    .toSorted((a, b) => (a.what < b.what ? -1 : 1))
    .map(({ what, times, exchanges, recovery }) => {
      const effect = Object.entries(exchanges)
        .toSorted(([, a], [, b]) => b - a)
        .map(([state, count]) => `${count} ${state}`);
      const took = recovery ? `${inSeconds(recovery.medianMs)}, at most ${inSeconds(recovery.longestMs)}` : "-";
      return `| ${what} | ${times} | ${effect.join(", ") || "-"} | ${took} |`;
    });
  return [
    `${title}: ${edits} edits, ${writes} writes sent, ${notices} notices acknowledged, ${takenOver} lanes taken over, ${seconds} s`,
    ...remarks,
    "| fault | times | exchanges that it struck, and how they ended | until they ended (median) |",
    "|---|---|---|---|",
    ...lines,
  ].join("\n");
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
