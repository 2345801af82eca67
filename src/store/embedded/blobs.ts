// Sealed bytes that must wait in the store and cannot be read again; erased, not only forgotten.
import { text } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

export function put(tx: Transaction, id: string, sealed: string): void {
  if (tx.db.one("SELECT 1 FROM blobs WHERE id = ?", id)) tx.erased = true;
  tx.db.run("INSERT OR REPLACE INTO blobs (id, sealed) VALUES (?, ?)", id, sealed);
}

export function get(tx: Transaction, id: string): string | undefined {
  const row = tx.db.one("SELECT sealed FROM blobs WHERE id = ?", id);
  return row && text(row, "sealed");
}

export function erase(tx: Transaction, id: string): void {
  if (tx.db.run("DELETE FROM blobs WHERE id = ?", id) > 0) tx.erased = true;
}
