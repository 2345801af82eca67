// How audit entries become a link of the chain: which bytes the hash of a batch covers, and what stands before batch 1.
import { createHash } from "node:crypto";
import { isJsonObject } from "../core/json.ts";
import type { AuditBatch, AuditEntry, AuditHead } from "./entry.ts";

/** The head of a log without batches; its hash is the `prev` of batch 1. */
export const emptyHead: AuditHead = { n: 0, hash: "" };

const fields = ["key", "header", "sealed", "commitment"];

/** Exactly the four members, all well-formed text: half a surrogate pair has no bytes of its own that a hash could cover. */
export function isEntry(value: unknown): value is AuditEntry {
  return (
    isJsonObject(value) && Object.keys(value).length === fields.length && fields.every((name) => isText(value[name]))
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.isWellFormed();
}

/** The members of a batch that its hash covers. */
export type BatchContent = Omit<AuditBatch, "hash">;

/**
 * SHA-256 (base64url) over `n`, `batch`, `prev`, the number of entries and the four fields of each entry, in this order,
 * each as UTF-8 behind `<bytes>:`. The strings are taken as stored and never written anew, so no two lists collide.
 */
export function hashBatch(content: BatchContent): string {
  const hash = createHash("sha256");
  const add = (field: string): void => {
    hash.update(`${Buffer.byteLength(field)}:${field}`);
  };
  add(String(content.n));
  add(content.batch);
  add(content.prev);
  add(String(content.entries.length));
  for (const entry of content.entries) {
    add(entry.key);
    add(entry.header);
    add(entry.sealed);
    add(entry.commitment);
  }
  return hash.digest("base64url");
}

/** The batch that follows `head`. `batch` is a random id. */
export function sealBatch(head: AuditHead, batch: string, entries: readonly AuditEntry[]): AuditBatch {
  const content: BatchContent = { n: head.n + 1, batch, prev: head.hash, entries };
  return { ...content, hash: hashBatch(content) };
}

export function headOf(batch: AuditBatch): AuditHead {
  return { n: batch.n, hash: batch.hash };
}
