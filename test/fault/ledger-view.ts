// How a fault run looks into the ledger from outside, beside the processes under test and without their knowledge: what is
// found is durable, whatever they believe. One implementation a store; each promise rejects while the store is away.
import { parseJson } from "../../src/core/json.ts";

export interface OpenRow {
  readonly id: string;
  readonly channel: string;
  readonly state: string;
  readonly next: number;
}

export interface LedgerView {
  /** Whether the audit log itself (not only an index of it) holds an entry under this key. */
  hasAudit(key: string): Promise<boolean>;
  /** Rows that are not at their end. */
  open(): Promise<readonly OpenRow[]>;
  /** Rows by channel, state and cause, for a report. */
  states(): Promise<Readonly<Record<string, number>>>;
  /** The state of each of these rows; unknown ones are left out. */
  statesOf(rows: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** The state of the row of each of these marks; marks without a row are left out. */
  statesOfMarks(marks: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** When the last good poll of each type began, by the clock of the process that polled. */
  polls(): Promise<ReadonlyMap<string, number>>;
  /** What is on record about the outcome of each request, by request id; of entries under one key the first counts. */
  outcomes(): Promise<ReadonlyMap<string, string>>;
  close(): Promise<void>;
}

export function isOpen(state: string): boolean {
  return ["queued", "sending", "applied"].includes(state);
}

/** @param entries All of the audit log, in order. */
export function outcomesIn(
  entries: Iterable<{ readonly key?: string; readonly header?: string }>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { key = "", header = "{}" } of entries) {
    const request = /^(.+)\.outcome$/.exec(key)?.[1];
    const { outcome } = parseJson(header) as { readonly outcome?: string };
    if (request !== undefined && outcome !== undefined && !found.has(request)) found.set(request, outcome);
  }
  return found;
}
