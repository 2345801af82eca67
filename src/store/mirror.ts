// The audit head kept in a file outside the database, so that cutting the end off the log, head and all, can be seen.
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { AuditHead } from "../audit/entry.ts";
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, parseJson } from "../core/json.ts";

/** Replaces the file in one step: after a crash it holds the old head or the new one. */
export function writeMirror(path: string, head: AuditHead): void {
  // A name of its own: commands may run beside a process on the same directory.
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
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
export function syncDirectory(path: string): void {
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
