// Are these the keys that the data directory was made with? With another data key nothing that waits could be opened; with
// another id key every record would look new. Asked at each start, before anything else is read.
import type { Keys } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { hmacId, type Random } from "../core/ids.ts";
import { seal, unseal } from "../core/seal.ts";
import type { Blobs } from "./ports.ts";

const name = "key-check";

/** Throws `key-missing` when the data were made with other keys; the first start with a new directory sets the mark. */
export async function checkKeys(blobs: Blobs, keys: Keys, random: Random): Promise<void> {
  const stored = await blobs.get(name);
  if (stored === undefined) {
    await blobs.put(name, seal(keys.data, hmacId(keys.id, name), name, random));
    return;
  }
  sameKeys(stored, keys);
}

/** The same without setting the mark, for commands beside a gateway. */
export async function compareKeys(blobs: Blobs, keys: Keys): Promise<void> {
  const stored = await blobs.get(name);
  if (stored !== undefined) sameKeys(stored, keys);
}

function sameKeys(stored: string, keys: Keys): void {
  if (markOf(stored, keys) === hmacId(keys.id, name)) return;
  throw new SluiceError("key-missing", "this data directory was made with other keys than those configured", {
    hint: "restore the data key and the id key from their back-up; without them the data cannot be used",
  });
}

function markOf(stored: string, keys: Keys): string | undefined {
  try {
    return unseal(keys.data, stored, name).toString("utf8");
  } catch {
    return undefined;
  }
}
