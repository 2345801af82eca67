// What is kept sealed by others, in MongoDB: bytes that must wait and cannot be read again, wrapped keys, and pseudonyms.
import type { Blobs, Vault } from "../../exchange/ports.ts";
import { kind, text, type Database, type Keyed } from "./database.ts";

interface BlobDocument extends Keyed {
  readonly _id: string;
  readonly sealed: string;
}

export const blobKind = kind<BlobDocument>("blobs", { _id: text, sealed: text });

export function blobsOf(database: Database): Blobs {
  const blobs = database.model(blobKind);
  return {
    put: async (id, sealed) => {
      for (;;) {
        if (await database.insert(blobKind, { _id: id, sealed })) return;
        if ((await blobs.updateOne({ _id: id }, { $set: { sealed } })).matchedCount === 1) return;
      }
    },
    get: async (id) => (await database.get(blobKind, id))?.sealed,
    erase: async (id) => {
      await blobs.deleteOne({ _id: id });
    },
  };
}

interface KeptDocument extends Keyed {
  readonly _id: string;
  readonly kept: string;
}

export const personKeyKind = kind<KeptDocument>("person_keys", { _id: text, kept: text });
export const pseudonymKind = kind<KeptDocument>("pseudonyms", { _id: text, kept: text });

export const sealedKinds = [blobKind, personKeyKind, pseudonymKind];

export function vaultOf(database: Database): Vault {
  /** What is there, or else `make`: of many who make one at once the first stays. */
  async function first(of: typeof personKeyKind, id: string, make: string | undefined): Promise<string | undefined> {
    const known = await database.get(of, id);
    if (known || make === undefined) return known?.kept;
    if (await database.insert(of, { _id: id, kept: make })) return make;
    return (await database.get(of, id))?.kept;
  }
  return {
    personKey: (person, make) => first(personKeyKind, person, make),
    pseudonym: async (recipient, record, make) =>
      (await first(pseudonymKind, pseudonymKey(recipient, record), make)) ?? make,
  };
}

export function pseudonymKey(recipient: string, record: string): string {
  return JSON.stringify([recipient, record]);
}
