// The connection to MongoDB, and how a kind of document is declared: a mongoose schema that refuses what it does not know,
// a unique `_id` as the only claim, durable writes, reads from the primary.
import { mongo, Mongoose, Schema } from "mongoose";
import type { Connection, Model, SchemaDefinition } from "mongoose";
import { SluiceError } from "../../core/errors.ts";
import { isDuplicate, translate } from "./failure.ts";

export { isDuplicate, translate };

/** Fields in their order, 1 up or −1 down. None is unique, partial or with a lifetime: nothing relies on such. */
export type Index = Readonly<Record<string, 1 | -1>>;

/** A kind of document: its collection, schema and indexes. */
export interface Kind<T extends Keyed> {
  readonly collection: string;
  readonly schema: Schema<T>;
  readonly indexes: readonly Index[];
}

export interface Keyed {
  readonly _id: string | number;
}

type Plain = Record<string, unknown> & { _id: string | number };

/** Every field of T as mongoose takes it: `text` and its like, a constructor, a `part(…)`, a list of one of them. */
export type Fields<T> = { readonly [Name in keyof T]-?: unknown };

/** @param fields `_id` included, which is `text` or `number`. */
export function kind<T extends Keyed>(collection: string, fields: Fields<T>, indexes: readonly Index[] = []): Kind<T> {
  const schema = new Schema<T>(fields as SchemaDefinition<T>, { ...options, collection, minimize: false });
  return { collection, indexes, schema };
}

/** The schema of an object inside a document. */
export function part<T>(fields: Fields<T>): Schema<T> {
  return new Schema<T>(fields as SchemaDefinition<T>, { ...options, _id: false, minimize: false });
}

// "" is a text like any other; mongoose's own rule takes it for none.
Schema.Types.String.checkRequired((value: unknown) => typeof value === "string");

/** Fields that must be there. */
export const text = { type: String, required: true } as const;
export const number = { type: Number, required: true } as const;
export const flag = { type: Boolean, required: true } as const;

const options = { strict: "throw", strictQuery: "throw", versionKey: false, id: false } as const;

export interface DatabaseOptions {
  /** `mongodb://…`; never printed. */
  readonly uri: string;
  /** Name of the database, 1 to 38 letters, digits, `_` or `-`. */
  readonly database: string;
}

export class Database {
  readonly connection: Connection;
  /** A replica set (or a cluster of them) rather than a server that stands alone. */
  readonly replicated: boolean;
  readonly #models = new Map<string, unknown>();

  constructor(connection: Connection, replicated: boolean) {
    this.connection = connection;
    this.replicated = replicated;
  }

  /** The same model for the same kind. Use `.lean()` with every query. */
  model<T extends Keyed>(of: Kind<T>): Model<T> {
    const known = this.#models.get(of.collection);
    if (known !== undefined) return known as Model<T>;
    const model = this.connection.model<T>(of.collection, of.schema);
    this.#models.set(of.collection, model);
    return model;
  }

  async get<T extends Keyed>(of: Kind<T>, id: T["_id"]): Promise<T | undefined> {
    return (await this.model(of).findById(id).lean<T>()) ?? undefined;
  }

  /**
   * Inserts one document, durably. False: its `_id` is taken, and nothing was changed. When it rejects, whether the document
   * is there is not known: look before you repeat.
   */
  async insert<T extends Keyed>(of: Kind<T>, document: T): Promise<boolean> {
    const checked = await this.#checked(of, document);
    try {
      await this.raw(of.collection).insertOne(checked);
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }

  /** Inserts many documents, in any order. Answers the `_id`s that are taken; of those nothing was changed. */
  async insertAll<T extends Keyed>(of: Kind<T>, documents: readonly T[]): Promise<ReadonlySet<T["_id"]>> {
    if (documents.length === 0) return new Set();
    const checked = await Promise.all(documents.map((document) => this.#checked(of, document)));
    try {
      await this.raw(of.collection).insertMany(checked, { ordered: false });
      return new Set();
    } catch (error) {
      return new Set(takenOf(error).map((index) => documents[index]?._id ?? ""));
    }
  }

  /** Replaces the document while it still is at `rev`. False: it has moved on, and nothing was changed. */
  async replace<T extends Keyed>(of: Kind<T>, document: T, rev: number): Promise<boolean> {
    const checked = await this.#checked(of, document);
    const { matchedCount } = await this.raw(of.collection).replaceOne({ _id: document._id, rev }, checked);
    return matchedCount === 1;
  }

  async #checked<T extends Keyed>(of: Kind<T>, document: T): Promise<Plain> {
    const checked = new (this.model(of))(document);
    await checked.validate();
    return checked.toObject() as unknown as Plain;
  }

  /** The driver's own database. */
  get database(): mongo.Db {
    const { db } = this.connection;
    if (!db) throw new SluiceError("store-unavailable", "the store is closed");
    return db;
  }

  /** The collection without its schema. */
  raw(collection: string): mongo.Collection<Plain> {
    return this.connection.collection(collection) as unknown as mongo.Collection<Plain>;
  }

  async close(): Promise<void> {
    await this.connection.close(true);
  }
}

/** Places of the documents that were not inserted since their `_id` is taken. Throws every other error. */
function takenOf(error: unknown): readonly number[] {
  if (!isDuplicate(error) || !(error instanceof mongo.MongoBulkWriteError)) throw error;
  // Then it is not known whether the others are there to stay.
  if (error.result.getWriteConcernError()) throw error;
  const failed = [error.writeErrors].flat() as readonly { readonly code: number; readonly index: number }[];
  if (failed.some((one) => one.code !== 11_000)) throw error;
  return failed.map((one) => one.index);
}

/** Where the address does not say otherwise. */
const timeouts = {
  serverSelectionTimeoutMS: 5_000,
  connectTimeoutMS: 5_000,
  // A server that hangs is noticed by the heartbeat, a command that hangs by its socket.
  heartbeatFrequencyMS: 5_000,
  socketTimeoutMS: 20_000,
  waitQueueTimeoutMS: 10_000,
};

/** Rejects with `store-unavailable` when there is no primary within 5 s, with `config-invalid` for an address that is none. */
export async function openDatabase({ uri, database }: DatabaseOptions): Promise<Database> {
  if (!/^[A-Za-z0-9_-]{1,38}$/.test(database)) {
    throw new SluiceError("config-invalid", "the prefix is no name for a database", {
      hint: "set `production.prefix` to 1 to 38 letters, digits, _ or -",
    });
  }
  // An instance of its own: its settings are nobody else's.
  const mongoose = new Mongoose({ autoIndex: false, autoCreate: false, bufferCommands: false, runValidators: true });
  const connection = mongoose.createConnection();
  try {
    await connection.openUri(uri, {
      ...unless(uri, timeouts),
      dbName: database,
      appName: "sluice",
      autoIndex: false,
      autoCreate: false,
      writeConcern: { w: "majority", journal: true },
      readPreference: "primary",
      ignoreUndefined: true,
    });
    const hello = await connection.db?.admin().command({ hello: 1 });
    return new Database(connection, hello?.["setName"] !== undefined || hello?.["msg"] === "isdbgrid");
  } catch (error) {
    await connection.close(true).catch(() => undefined);
    if (error instanceof Error && (error.name === "MongoParseError" || error.name === "MongoAPIError")) {
      throw new SluiceError("config-invalid", "the address of MongoDB is malformed", {
        hint: "`production.mongodb` is mongodb://USER:PASSWORD@HOST:PORT/ or mongodb+srv://…",
      });
    }
    throw translate(error);
  }
}

/** The options that the address does not set itself. */
function unless(uri: string, options: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !new RegExp(`[?&]${name}=`, "i").test(uri)));
}
