// Configurations by their hash, and which was activated last, in MongoDB: activations are numbered by a claimed `_id`.
import type { Versions } from "../../exchange/ports.ts";
import { owesField, owesIndex, type Announced, type Announcements } from "./announcing.ts";
import { change, type Versioned } from "./changing.ts";
import { kind, number, text, type Database, type Keyed } from "./database.ts";

interface ConfigurationDocument extends Keyed {
  readonly _id: string;
  readonly configuration: string;
}

export const configurationKind = kind<ConfigurationDocument>("configurations", { _id: text, configuration: text });

/** `_id` is its number as 12 digits, so that the order of the ids is the order of the numbers. */
interface ActivationDocument extends Announced {
  readonly hash: string;
  readonly at: number;
  readonly reason: string;
}

export const activationKind = kind<ActivationDocument>(
  "activations",
  { _id: text, rev: number, hash: text, at: number, reason: text, ...owesField },
  [owesIndex],
);

interface DecidedDocument extends Versioned {
  readonly version: string;
}

export const decidedKind = kind<DecidedDocument>("decided_under", { _id: text, rev: number, version: text });

export const versionKinds = [configurationKind, activationKind, decidedKind];

export function activationId(number: number): string {
  return String(number).padStart(12, "0");
}

export function versionsOf(database: Database, announcements: Announcements): Versions {
  async function last(): Promise<ActivationDocument | undefined> {
    const query = database.model(activationKind).findOne().sort({ _id: -1 });
    return (await query.lean<ActivationDocument>()) ?? undefined;
  }

  async function activate(hash: string, configuration: string, at: number, reason: string): Promise<void> {
    await database.insert(configurationKind, { _id: hash, configuration });
    for (;;) {
      const number = Number((await last())?._id ?? 0) + 1;
      const document = { _id: activationId(number), rev: 1, hash, at, reason, owes: hash };
      if (!(await database.insert(activationKind, document))) continue;
      await announcements.pay({ collection: activationKind.collection, change: "configuration" }, document);
      return;
    }
  }

  return {
    activate,
    current: async () => (await last())?.hash,
    get: async (hash) => (await database.get(configurationKind, hash))?.configuration,
    decidedUnder: async (channel) => (await database.get(decidedKind, channel))?.version,
    setDecidedUnder: async (channel, version) => {
      await change<DecidedDocument>(database, decidedKind, channel, (now) =>
        now?.version === version ? undefined : { version },
      );
    },
  };
}
