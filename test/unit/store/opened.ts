// Opens embedded stores in directories that go away after the test, and a second hand at their file.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openEmbeddedStore } from "../../../src/store/embedded/open.ts";
import type { EmbeddedOptions, EmbeddedStore } from "../../../src/store/embedded/open.ts";

const directories: string[] = [];
const stores: EmbeddedStore[] = [];

export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
  directories.push(directory);
  return directory;
}

export async function openStore(
  directory = newDirectory(),
  options: Omit<EmbeddedOptions, "directory"> = {},
): Promise<EmbeddedStore> {
  const store = await openEmbeddedStore({ directory, ...options });
  stores.push(store);
  return store;
}

export async function closeAll(): Promise<void> {
  for (const store of stores.splice(0)) await store.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
}

/** Works on the store's file as somebody from outside would. */
export function outside<T>(directory: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(directory, "sluice.sqlite"));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** Whether any file of the directory holds the bytes. */
export function onDisk(directory: string, bytes: string): boolean {
  return readdirSync(directory).some((name) => readFileSync(join(directory, name)).includes(bytes));
}
