// Decides whether an audit log is whole: numbers without a gap, each batch bound to the one before, each hash right, and
// the ends where the heads say. It trusts no row: a damaged one is a named problem, never an exception.
import { isJsonObject } from "../core/json.ts";
import { SluiceError } from "../core/errors.ts";
import { emptyHead, hashBatch, headOf, isEntry } from "./batch.ts";
import type { AuditBatch, AuditHead } from "./entry.ts";

export interface AuditProblem {
  /** The batch that is damaged, missing or too many. */
  readonly n: number;
  /** Key of the entry, when the damage can be pinned on one. */
  readonly entry?: string;
  readonly what: string;
}

export interface Verification {
  readonly ok: boolean;
  /** Batches and entries found right before the first problem. */
  readonly batches: number;
  readonly entries: number;
  /** The last batch found right. */
  readonly head: AuditHead;
  /** The first problem. */
  readonly problem?: AuditProblem;
}

interface Progress {
  batches: number;
  entries: number;
  head: AuditHead;
}

/**
 * Reads the whole chain and answers the first problem.
 *
 * @param batches From batch 1 on. An iterator that throws `audit-broken` at a row it cannot decode is a problem of that row;
 *   its other errors (a store that gives no answer) are passed on.
 * @param head The log's own head. Of a log in use give a function: it is asked before and after, so batches that are
 *   appended meanwhile are no problem.
 * @param mirrored The head as kept outside the store; it may lag behind, but must be on the chain.
 */
export async function verifyChain(
  batches: AsyncIterable<unknown>,
  head: AuditHead | (() => Promise<AuditHead>),
  mirrored?: AuditHead,
): Promise<Verification> {
  const progress: Progress = { batches: 0, entries: 0, head: emptyHead };
  try {
    const problem = await walk(
      batches,
      typeof head === "function" ? head : () => Promise.resolve(head),
      mirrored,
      progress,
    );
    return problem ? { ok: false, ...progress, problem } : { ok: true, ...progress };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "audit-broken") throw error;
    return { ok: false, ...progress, problem: { n: progress.head.n + 1, what: error.message } };
  }
}

async function walk(
  batches: AsyncIterable<unknown>,
  head: () => Promise<AuditHead>,
  mirrored: AuditHead | undefined,
  progress: Progress,
): Promise<AuditProblem | undefined> {
  const before = await head();
  for await (const found of batches) {
    const batch = readBatch(found, progress.head.n + 1);
    if ("what" in batch) return batch;
    const problem =
      chainProblem(batch, progress.head) ??
      markProblem(batch, before, "head") ??
      markProblem(batch, mirrored, "mirrored head");
    if (problem) return problem;
    progress.batches += 1;
    progress.entries += batch.entries.length;
    progress.head = headOf(batch);
  }
  const last = progress.head;
  return (
    endProblem(last, before, "head") ?? endProblem(last, mirrored, "mirrored head") ?? excessProblem(last, await head())
  );
}

/** The row as a batch, or what is wrong with its shape. */
function readBatch(found: unknown, expected: number): AuditBatch | AuditProblem {
  if (!isJsonObject(found)) return { n: expected, what: "the batch is not an object" };
  const { n, batch, prev, hash, entries } = found;
  if (typeof n !== "number" || !Number.isSafeInteger(n)) return { n: expected, what: "the batch has no whole number" };
  if (typeof batch !== "string" || typeof prev !== "string" || typeof hash !== "string") {
    return { n, what: "batch, prev or hash is not text" };
  }
  if (!Array.isArray(entries)) return { n, what: "the entries are not a list" };
  if (entries.length === 0) return { n, what: "the batch holds no entry" };
  const list: readonly unknown[] = entries;
  if (list.every(isEntry)) return { n, batch, prev, hash, entries: list };
  const wrong = list.findIndex((entry) => !isEntry(entry));
  return { n, ...nameOf(list[wrong]), what: `entry ${wrong + 1} of the batch is malformed` };
}

function nameOf(entry: unknown): { entry?: string } {
  return isJsonObject(entry) && typeof entry["key"] === "string" ? { entry: entry["key"] } : {};
}

function chainProblem(batch: AuditBatch, last: AuditHead): AuditProblem | undefined {
  if (batch.n < last.n + 1) return { n: batch.n, what: `batch ${batch.n} is not part of the chain` };
  if (batch.n > last.n + 1)
    return { n: last.n + 1, what: `batch ${last.n + 1} is missing: batch ${batch.n} follows ${last.n}` };
  // With one entry in the batch the damage is that entry's or its frame's; with more, the hash cannot say whose.
  const [only, second] = batch.entries;
  const entry = only !== undefined && second === undefined ? { entry: only.key } : {};
  if (hashBatch(batch) !== batch.hash)
    return { n: batch.n, ...entry, what: "the content does not match the batch's hash" };
  if (batch.prev !== last.hash) return { n: batch.n, what: "prev is not the hash of the batch before" };
  return undefined;
}

function markProblem(batch: AuditBatch, mark: AuditHead | undefined, name: string): AuditProblem | undefined {
  if (mark === undefined || mark.n !== batch.n || mark.hash === batch.hash) return undefined;
  return { n: batch.n, what: `the ${name} holds another hash for this batch` };
}

function endProblem(last: AuditHead, mark: AuditHead | undefined, name: string): AuditProblem | undefined {
  if (mark === undefined) return undefined;
  if (!Number.isSafeInteger(mark.n) || mark.n < 0) return { n: last.n, what: `the ${name} is malformed` };
  if (mark.n > last.n)
    return { n: last.n + 1, what: `batch ${last.n + 1} is missing: the ${name} names batch ${mark.n}` };
  return mark.n === 0 && mark.hash !== emptyHead.hash ? { n: 0, what: `the ${name} is malformed` } : undefined;
}

function excessProblem(last: AuditHead, after: AuditHead): AuditProblem | undefined {
  if (after.n < last.n)
    return { n: after.n + 1, what: `batch ${after.n + 1} lies behind the head, which names batch ${after.n}` };
  return after.n === last.n && after.hash !== last.hash
    ? { n: last.n, what: "the head holds another hash for this batch" }
    : undefined;
}
