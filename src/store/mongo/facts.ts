// Consents as the sources gave them, by subject, in MongoDB.
import { refKey } from "../../core/records.ts";
import type { RecordRef } from "../../core/records.ts";
import type { ConsentFact, Facts } from "../../exchange/ports.ts";
import { owesField, owesIndex, type Announced, type Announcements } from "./announcing.ts";
import { flag, kind, number, part, text, type Database } from "./database.ts";

interface ConsentDocument extends Announced {
  readonly system: string;
  readonly id: string;
  readonly version: string;
  readonly subject: RecordRef;
  /** The subject's key, by which it is found. */
  readonly of: string;
  readonly sealed: string;
  readonly gone: boolean;
}

export const consentKind = kind<ConsentDocument>(
  "consents",
  {
    _id: text,
    rev: number,
    system: text,
    id: text,
    version: text,
    subject: { type: part<RecordRef>({ system: text, type: text, id: text }), required: true },
    of: text,
    sealed: text,
    gone: flag,
    ...owesField,
  },
  [{ of: 1 }, owesIndex],
);

/** Subjects looked up at a time. */
const pageSize = 500;

export function factsOf(database: Database, announcements: Announcements): Facts {
  const consents = database.model(consentKind);

  /** A removal or another subject under a known version is news: sources delete without a new version. */
  function putConsent(fact: ConsentFact): Promise<boolean> {
    const { system, id, version, subject, sealed, gone } = fact;
    const of = refKey(subject);
    return announcements.change(consentKind, "consent", consentKey(system, id), `${system}/${id}`, (now) => {
      if (now && now.version === version && now.gone === gone && now.of === of) return undefined;
      return { system, id, version, subject, of, sealed, gone };
    });
  }

  async function consentsOf(subjects: readonly RecordRef[]): Promise<readonly ConsentFact[]> {
    const found: ConsentFact[] = [];
    for (let at = 0; at < subjects.length; at += pageSize) {
      const keys = subjects.slice(at, at + pageSize).map(refKey);
      const documents = await consents.find({ of: { $in: keys } }).lean<ConsentDocument[]>();
      const sorted = documents.toSorted((a, b) => compare(a.system, b.system) || compare(a.id, b.id));
      for (const key of keys) found.push(...sorted.filter((document) => document.of === key).map(readFact));
    }
    return found;
  }

  return {
    putConsent,
    consentsOf,
    consent: async (system, id) => {
      const document = await database.get(consentKind, consentKey(system, id));
      return document && readFact(document);
    },
    all: async function* () {
      for await (const document of consents.find().lean<ConsentDocument[]>().cursor({ batchSize: pageSize })) {
        yield readFact(document);
      }
    },
  };
}

export function consentKey(system: string, id: string): string {
  return JSON.stringify([system, id]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function readFact({ system, id, version, subject, sealed, gone }: ConsentDocument): ConsentFact {
  return { system, id, version, subject: { system: subject.system, type: subject.type, id: subject.id }, sealed, gone };
}
