// Looks into the database of the production profile with a connection of its own, from the primary.
import { mongo } from "mongoose";
import type { AuditBatch } from "../../src/audit/entry.ts";
import { isOpen, outcomesIn, type LedgerView, type OpenRow } from "./ledger-view.ts";
import { canariesIn } from "./traces.ts";

interface RowDocument {
  readonly _id: string;
  readonly channel: string;
  readonly mark: string;
  readonly state: string;
  readonly next: number;
  readonly cause?: string;
  readonly group?: string;
}

type BatchDocument = Omit<AuditBatch, "n"> & { readonly _id: number };

/** After a restart of the server the next look finds it within this time. */
const noticeMs = 500;

export class MongoView implements LedgerView {
  readonly #client: mongo.MongoClient;
  readonly #database: mongo.Db;

  constructor(url: string, database: string) {
    this.#client = new mongo.MongoClient(url, {
      readPreference: "primary",
      serverSelectionTimeoutMS: 2_000,
      connectTimeoutMS: 2_000,
      socketTimeoutMS: 20_000,
      heartbeatFrequencyMS: noticeMs,
      minHeartbeatFrequencyMS: noticeMs,
    });
    this.#database = this.#client.db(database);
  }

  async hasAudit(key: string): Promise<boolean> {
    const found = await this.#audit.findOne({ "entries.key": key }, { projection: { "entries.key": 1 } });
    return found?.entries.some((one) => one.key === key) ?? false;
  }

  async open(): Promise<readonly OpenRow[]> {
    const rows = await this.#rows.find({ state: { $in: ["queued", "sending", "applied"] } }).toArray();
    return rows.filter((row) => isOpen(row.state)).map((row) => ({ ...row, id: row._id }));
  }

  async states(): Promise<Readonly<Record<string, number>>> {
    const found: Record<string, number> = {};
    for await (const { channel, state, cause, group } of this.#rows.find()) {
      const name = `${channel} ${state} ${group ?? cause ?? ""}`;
      found[name] = (found[name] ?? 0) + 1;
    }
    return found;
  }

  async statesOf(rows: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = await this.#rows.find({ _id: { $in: [...rows] } }, { projection: { state: 1 } }).toArray();
    return new Map(found.map((row) => [row._id, row.state]));
  }

  async statesOfMarks(marks: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const wanted = new Set(marks);
    const found = await this.#rows.find({}, { projection: { mark: 1, state: 1 } }).toArray();
    return new Map(found.filter((row) => wanted.has(row.mark)).map((row) => [row.mark, row.state]));
  }

  async polls(): Promise<ReadonlyMap<string, number>> {
    const cursors = this.#database.collection<{ readonly _id: string; readonly goodAt: number }>("cursors");
    return new Map((await cursors.find().toArray()).map((one) => [one._id, one.goodAt]));
  }

  async outcomes(): Promise<ReadonlyMap<string, string>> {
    const batches = await this.#audit.find().sort({ _id: 1 }).toArray();
    return outcomesIn(batches.flatMap((batch) => batch.entries));
  }

  /** Collections with a document whose bytes hold one of the strings. */
  async collectionsWith(canaries: readonly string[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { collectionName } of await this.#database.collections()) {
      for await (const document of this.#database.collection(collectionName).find()) {
        if (canariesIn(Buffer.from(mongo.BSON.serialize(document)), canaries).length === 0) continue;
        found.push(`the collection ${collectionName}`);
        break;
      }
    }
    return found;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  get #rows(): mongo.Collection<RowDocument> {
    return this.#database.collection<RowDocument>("rows");
  }

  get #audit(): mongo.Collection<BatchDocument> {
    return this.#database.collection<BatchDocument>("audit");
  }
}
