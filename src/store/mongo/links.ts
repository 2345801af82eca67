// Which record is whose, and which records are one, in MongoDB. A claim is an insert of the record's `_id`; a link moves by
// compare-and-swap, and before it moves its old version is put into the history: so that holds exactly what once stood.
import { canonicalJson, parseJson } from "../../core/json.ts";
import { refKey } from "../../core/records.ts";
import type { RecordRef } from "../../core/records.ts";
import { newId, type Random } from "../../core/ids.ts";
import type { Link, Links } from "../../exchange/ports.ts";
import { SluiceError } from "../../core/errors.ts";
import type { Versioned } from "./changing.ts";
import { kind, number, text, type Database, type Keyed } from "./database.ts";

interface RecordDocument extends Keyed {
  readonly _id: string;
  readonly system: string;
  readonly type: string;
  readonly id: string;
  readonly person: string;
  /** Which call made it. */
  readonly claim: string;
}

export const recordKind = kind<RecordDocument>(
  "records",
  { _id: text, system: text, type: text, id: text, person: text, claim: text },
  [{ person: 1 }],
);

interface LinkDocument extends Versioned {
  readonly person: string;
  /** Keys of its records. */
  readonly records: readonly string[];
  readonly fence: number;
  readonly seq: number;
  readonly at: number;
  /** Canonical JSON: the names of mapped fields hold dots. */
  readonly link: string;
}

export const linkKind = kind<LinkDocument>(
  "links",
  { _id: text, rev: number, person: text, records: [String], fence: number, seq: number, at: number, link: text },
  [{ person: 1 }, { records: 1 }],
);

interface HistoryDocument extends Keyed {
  readonly _id: string;
  readonly id: string;
  readonly rev: number;
  readonly at: number;
  readonly link: string;
}

export const historyKind = kind<HistoryDocument>(
  "link_history",
  { _id: text, id: text, rev: number, at: number, link: text },
  [{ id: 1, rev: 1 }],
);

export const linkKinds = [recordKind, linkKind, historyKind];

type Claimed = Awaited<ReturnType<Links["claim"]>>;

/** Rounds of a claim that others keep getting in the way of. */
const maxRounds = 20;

export function linksOf(database: Database, random: Random): Links {
  const records = database.model(recordKind);
  const links = database.model(linkKind);

  async function linksWith(record: RecordRef): Promise<readonly Link[]> {
    const documents = await links.find({ records: recordKey(record) }).lean<LinkDocument[]>();
    return documents.toSorted((a, b) => (a._id < b._id ? -1 : 1)).map(readLink);
  }

  /** A claim goes before a link. */
  async function personOf(record: RecordRef): Promise<string | undefined> {
    const claimed = await database.get(recordKind, recordKey(record));
    return claimed ? claimed.person : (await linksWith(record))[0]?.person;
  }

  /** A conflict claims nothing. Who finds a record taken meanwhile takes back what he claimed, and looks again. */
  async function claim(asked: readonly RecordRef[], person: string): Promise<Claimed> {
    const sorted = [...new Map(asked.map((record) => [recordKey(record), record])).values()].toSorted((a, b) =>
      recordKey(a) < recordKey(b) ? -1 : 1,
    );
    for (let round = 0; round < maxRounds; round += 1) {
      const owners = await Promise.all(sorted.map(personOf));
      const persons = [...new Set(owners.filter((owner) => owner !== undefined))].sort();
      if (persons.length > 1) return { conflict: persons };
      const winner = persons[0] ?? person;
      if (await claimAll(sorted, winner)) return { person: winner };
    }
    throw new SluiceError("store-unavailable", "others kept claiming the same records", { hint: "it is tried again" });
  }

  async function claimAll(sorted: readonly RecordRef[], person: string): Promise<boolean> {
    const token = newId(random);
    for (const record of sorted) {
      const { system, type, id } = record;
      const own = { _id: recordKey(record), system, type, id, person, claim: token };
      if (await database.insert(recordKind, own)) continue;
      if ((await database.get(recordKind, own._id))?.person === person) continue;
      await records.deleteMany({ _id: { $in: sorted.map(recordKey) }, claim: token });
      return false;
    }
    return true;
  }

  /** Equal (fence, seq) is the same holder at the same row, who may write again; the same content again is no new history. */
  async function put(link: Link, at: number): Promise<boolean> {
    const content = canonicalJson(link);
    const { person, fence, seq } = link;
    const document = { _id: link.id, person, records: link.records.map(recordKey), fence, seq, at, link: content };
    for (;;) {
      const now = await database.get(linkKind, link.id);
      if (!now) {
        if (await database.insert(linkKind, { ...document, rev: 1 })) return true;
        continue;
      }
      if ((fence - now.fence || seq - now.seq) < 0) return false;
      if (now.link === content) return true;
      await remember(now);
      if (await database.replace(linkKind, { ...document, rev: now.rev + 1 }, now.rev)) return true;
    }
  }

  async function remember({ _id: id, rev, at, link }: LinkDocument): Promise<void> {
    await database.insert(historyKind, { _id: `${id}/${rev}`, id, rev, at, link });
  }

  /** Oldest first; the last one is the link as it stands. */
  async function history(id: string): Promise<readonly (Link & { readonly at: number })[]> {
    const now = await database.get(linkKind, id);
    if (!now) return [];
    const query = database.model(historyKind).find({ id, rev: { $lt: now.rev } });
    const before = await query.sort({ rev: 1 }).lean<HistoryDocument[]>();
    return [...before, now].map((document) => ({ ...readLink(document), at: document.at }));
  }

  async function recordsOf(person: string): Promise<readonly RecordRef[]> {
    const claimed = await records.find({ person }).lean<RecordDocument[]>();
    const linked = (await links.find({ person }).lean<LinkDocument[]>()).map(readLink);
    const found = [...claimed, ...linked.flatMap((link) => link.records)];
    const byKey = new Map(found.map(({ system, type, id }) => [refKey({ system, type, id }), { system, type, id }]));
    return [...byKey.values()].toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  return {
    pairOf: async (record, other) => {
      const own = refKey(record);
      const isPartner = (ref: RecordRef): boolean => ref.system === other && refKey(ref) !== own;
      return (await linksWith(record)).find((link) => link.records.some(isPartner));
    },
    get: async (id) => {
      const document = await database.get(linkKind, id);
      return document && readLink(document);
    },
    personOf,
    recordsOf,
    claim,
    put,
    history,
  };
}

export function recordKey({ system, type, id }: RecordRef): string {
  return JSON.stringify([system, type, id]);
}

/** System, type, id, each as a whole. */
function order({ system, type, id }: RecordRef): string {
  return [system, type, id].join("\u0000");
}

function readLink({ link }: { readonly link: string }): Link {
  return parseJson(link) as Link;
}
