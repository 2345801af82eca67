// Small values that the store suites write: rows, intents, entries, links.
import type { AuditEntry } from "../../../src/audit/entry.ts";
import type { Hold, Intent, Ledger, Link, NewRow, Problem } from "../../../src/exchange/ports.ts";

let serial = 0;
export const fresh = (prefix: string): string => `${prefix}-${++serial}`;

export function newRow(over: Partial<NewRow> = {}): NewRow {
  const n = ++serial;
  return {
    id: `row-${n}`,
    lane: `lane-${n}`,
    channel: "crm-to-ehr",
    source: { system: "crm", type: "Contact", id: `record-${n}` },
    kind: "change",
    mark: `mark-${n}`,
    priority: "live",
    acceptedAt: 1000 + n,
    configuration: "configuration",
    ...over,
  };
}

export function intent(over: Partial<Intent> = {}): Intent {
  return {
    n: 1,
    operation: "create",
    target: { system: "ehr", type: "Patient", id: undefined },
    linkId: "link",
    expectedVersion: undefined,
    contentHash: "hash",
    at: 5000,
    link: undefined,
    ...over,
  };
}

export function entry(key = fresh("entry")): AuditEntry {
  return { key, header: `{"key":"${key}","step":"disclosure"}`, sealed: "c2VhbGVk", commitment: "Y29tbWl0bWVudA" };
}

export const problem: Problem = {
  group: "no-match",
  owner: "EHR analyst",
  text: "Nobody was found.",
  fix: "Add the patient.",
};

export function newLink(over: Partial<Link> = {}): Link {
  const n = ++serial;
  return {
    id: `link-${n}`,
    person: `person-${n}`,
    kind: "person",
    records: [
      { system: "crm", type: "Contact", id: `c${n}` },
      { system: "ehr", type: "Patient", id: `p${n}` },
    ],
    base: { family: "hmac" },
    versions: { ehr: "1" },
    fence: 1,
    seq: 1,
    ...over,
  };
}

/** Takes the lane as it stands. */
export async function take(ledger: Ledger, lane: string): Promise<Hold> {
  const state = await ledger.peek(lane);
  const hold = await ledger.claim(lane, state ?? { fence: 0, beat: 0 });
  if (!hold) throw new Error("the lane was not free to take");
  return hold;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
