// Brings the mirrored audit head (`../mirror.ts`) up to the log in SQLite.
import { readMirror, syncDirectory, writeMirror } from "../mirror.ts";
import { broken, hashAt, head } from "./audit.ts";
import type { Transaction } from "./transaction.ts";

export { readMirror, syncDirectory };

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
