// The audit head kept in a file outside the database, so that cutting the end off the log, head and all, can be seen.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { AuditHead } from "../../audit/entry.ts";
import { SluiceError } from "../../core/errors.ts";
import { isJsonObject, parseJson } from "../../core/json.ts";
import { broken, hashAt, head } from "./audit.ts";
import type { Transaction } from "./transaction.ts";

/**
 * Brings the mirror up to the log's head. It never goes back: a log that lacks the mirrored batch was cut or written anew,
 * so the mirror is left as the evidence and `audit-broken` is thrown.
 */
export function moveMirror(path: string, tx: Transaction): void {
  const kept = readMirror(path); // before the head: other processes move both, and the head only grows
  const now = head(tx);
  if (kept && hashAt(tx, kept.n) !== kept.hash) {
    throw broken(`it does not hold batch ${kept.n} as the mirrored head has it`);
  }
  if (now.n > (kept?.n ?? 0)) writeMirror(path, now);
}

/** Replaces the file in one step: after a crash it holds the old head or the new one. */
function writeMirror(path: string, head: AuditHead): void {
  const draft = `${path}.tmp`;
  const file = openSync(draft, "w", 0o600);
  try {
    writeSync(file, `${JSON.stringify({ n: head.n, hash: head.hash })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncDirectory(dirname(path));
}

/** Makes the new name durable. Not every platform lets a directory be opened; there the rename is as durable as it gets. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** The mirrored head; undefined when there is no file. Throws `audit-broken` when it holds something else. */
export function readMirror(path: string): AuditHead | undefined {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new SluiceError("store-unavailable", "the mirrored audit head cannot be read");
  }
  const head = parse(content);
  if (head) return head;
  throw new SluiceError("audit-broken", "the mirrored audit head is malformed", {
    hint: "keep the file as it is and tell the privacy officer",
  });
}

function parse(content: string): AuditHead | undefined {
  let value: unknown;
  try {
    value = parseJson(content, 1000);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || typeof value["n"] !== "number" || typeof value["hash"] !== "string") return undefined;
  return { n: value["n"], hash: value["hash"] };
}
