// The mark of a data directory whose deployment has moved on to another store. It is a file beside the data file, set at the
// very end of a move: from then on a gateway on it would give out numbers twice and send from a past state.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../../core/errors.ts";
import { isJsonObject, parseJson } from "../../core/json.ts";
import { syncDirectory } from "./mirror.ts";

export interface Moved {
  /** Name of the database that it moved to. */
  readonly database: string;
  /** UTC. */
  readonly at: string;
}

const file = "moved.json";

/** @param directory Of the store. Durable when it returns. */
export function markMoved(directory: string, { database, at }: Moved): void {
  const path = join(directory, file);
  const descriptor = openSync(`${path}.tmp`, "w", 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify({ database, at })}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${path}.tmp`, path);
  syncDirectory(directory);
}

/** Undefined: it has not moved. A mark that cannot be read counts as one. */
export function movedTo(directory: string): Moved | undefined {
  let content: string;
  try {
    content = readFileSync(join(directory, file), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    return unknown;
  }
  return parse(content) ?? unknown;
}

/** Throws `data-moved`. To be asked by everything that would go on from this data. */
export function refuseMoved(directory: string): void {
  const moved = movedTo(directory);
  if (!moved) return;
  throw new SluiceError("data-moved", `this data moved to the database "${moved.database}" at ${moved.at}`, {
    hint: "run `npx sluice serve` and `npx sluice worker`; this directory is an archive (docs/migrate.md says how to go back)",
  });
}

const unknown: Moved = { database: "unknown", at: "an unknown time" };

function parse(content: string): Moved | undefined {
  let value: unknown;
  try {
    value = parseJson(content, 1000);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || typeof value["database"] !== "string" || typeof value["at"] !== "string")
    return undefined;
  return { database: value["database"], at: value["at"] };
}
