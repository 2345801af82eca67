// What is told of a fault run: how often each fault struck, and how long the exchanges that it struck took to their end.
import type { LedgerView } from "./ledger-view.ts";
import type { Happened } from "./traffic.ts";

export interface Report {
  readonly seconds: number;
  readonly edits: number;
  readonly writes: number;
  readonly takenOver: number;
  readonly states: Readonly<Record<string, number>>;
  readonly faults: readonly { readonly what: string; readonly times: number; readonly medianMs: number | undefined }[];
}

export function summarise(happened: readonly Happened[], view: LedgerView): Report["faults"] {
  const ended = view.endedAt(happened.flatMap((one) => one.rows));
  return [...Map.groupBy(happened, (one) => one.what)].map(([what, ones]) => {
    const times = ones.flatMap(({ at, rows }) =>
      rows.flatMap((row) => (ended.has(row) ? [(ended.get(row) ?? 0) - at] : [])),
    );
    const sorted = times.filter((ms) => ms >= 0).sort((a, b) => a - b);
    return { what, times: ones.length, medianMs: sorted[Math.floor(sorted.length / 2)] };
  });
}
