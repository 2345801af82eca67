// The group commit: all requests that wait go into one transaction, each behind a savepoint, and none is answered before
// COMMIT has returned. A request that fails takes nobody with it; a failure of the store takes them all.
import { seal } from "./audit.ts";
import type { Database } from "./database.ts";
import { asStoreError, storeFailure } from "./failure.ts";
import { plainError } from "./messages.ts";
import type { Answer, Request } from "./messages.ts";
import { isWrite, operations } from "./operations.ts";
import { Transaction } from "./transaction.ts";

export interface Outcome {
  readonly answers: readonly Answer[];
  /** Bytes were erased that still lie in the WAL. */
  readonly erased: boolean;
}

export function commitGroup(db: Database, requests: readonly Request[]): Outcome {
  const writing = requests.some((request) => isWrite(request.name));
  try {
    return commit(db, requests, writing);
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK"); // SQLite may have rolled back by itself
    const failed = plainError(asStoreError(error));
    const refuse = (request: Request): Answer => ({ id: request.id, error: failed });
    if (!writing) return { answers: requests.map(refuse), erased: false };
    // Nothing of the group was applied. Reads need no space on the disk: they are answered on their own.
    const reading = requests.filter((request) => !isWrite(request.name));
    const answers = reading.length > 0 ? commitGroup(db, reading).answers : [];
    return { answers: [...answers, ...requests.filter((request) => isWrite(request.name)).map(refuse)], erased: false };
  }
}

function commit(db: Database, requests: readonly Request[], writing: boolean): Outcome {
  const tx = new Transaction(db);
  // IMMEDIATE: the write lock is had before anything is read, so no other process can come between.
  db.run(writing ? "BEGIN IMMEDIATE" : "BEGIN");
  const answers = requests.map((request) => answer(tx, request));
  seal(tx);
  db.run("COMMIT");
  return { answers, erased: tx.erased };
}

function answer(tx: Transaction, request: Request): Answer {
  const recorded = tx.entries.length;
  const guarded = isWrite(request.name);
  if (guarded) tx.db.run("SAVEPOINT request");
  try {
    const value = call(tx, request);
    if (guarded) tx.db.run("RELEASE request");
    return { id: request.id, value };
  } catch (error) {
    if (storeFailure(error)) throw error;
    tx.entries.length = recorded;
    if (guarded) {
      tx.db.run("ROLLBACK TO request");
      tx.db.run("RELEASE request");
    }
    return { id: request.id, error: plainError(asStoreError(error)) };
  }
}

function call(tx: Transaction, request: Request): unknown {
  // Only thread.ts makes requests, and its types tie the values to the name.
  const operation = operations[request.name] as (tx: Transaction, ...values: readonly unknown[]) => unknown;
  return operation(tx, ...request.values);
}
