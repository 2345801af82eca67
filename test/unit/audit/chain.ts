// Builds a whole audit chain in memory.
import { emptyHead, headOf, sealBatch } from "../../../src/audit/batch.ts";
import type { AuditBatch, AuditEntry } from "../../../src/audit/entry.ts";

export function entryOf(key: string): AuditEntry {
  return { key, header: `{"key":"${key}"}`, sealed: "", commitment: "" };
}

/** One batch for each list of keys. */
export function chainOf(...keys: readonly (readonly string[])[]): AuditBatch[] {
  let head = emptyHead;
  return keys.map((list, index) => {
    const batch = sealBatch(head, `batch-${index}`, list.map(entryOf));
    head = headOf(batch);
    return batch;
  });
}

export async function* feed(rows: readonly unknown[]): AsyncGenerator {
  for (const row of rows) yield await Promise.resolve(row);
}
