// Moves a deployment from SQLite to MongoDB: copies everything, compares both sides, and only then lets the new side work and
// the old one no more. Killed at any point it is run again and goes on; at no point can both sides work.
import { verifyChain, type Verification } from "../../audit/verify.ts";
import type { AuditHead } from "../../audit/entry.ts";
import { instant, type Clock } from "../../core/clock.ts";
import { SluiceError } from "../../core/errors.ts";
import { Export, type PageSize } from "../embedded/export.ts";
import { markMoved, movedTo, refuseMoved } from "../embedded/moved.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../embedded/open.ts";
import { readMirror } from "../mirror.ts";
import { arrivalId, arrivalKind } from "../mongo/arrival.ts";
import { AuditChain } from "../mongo/audit-chain.ts";
import { openDatabase, translate, type Database } from "../mongo/database.ts";
import { comparePart, copyPart, foreign, type Compared, type Sides } from "./copy.ts";
import { parts } from "./parts.ts";
import { isArrived, prepare } from "./target.ts";

export interface MoveOptions {
  /** Of the embedded store, on which nobody else works. */
  readonly directory: string;
  /** `mongodb://…`; never printed. */
  readonly uri: string;
  /** Name of the database. */
  readonly database: string;
  readonly clock: Clock;
  /** Looks at the store before anything is written to the database; what it throws ends the move. */
  readonly check: (store: EmbeddedStore) => Promise<void>;
  /** Called once, before the first document is copied. */
  readonly putOnRecord: (store: EmbeddedStore) => Promise<void>;
  readonly progress?: (progress: Progress) => void;
  readonly page?: PageSize;
}

export interface Progress {
  readonly step: "copy" | "compare";
  readonly collection: string;
  /** Documents, over all collections. */
  readonly done: number;
  readonly total: number;
}

export interface Move {
  /** It was complete before; nothing was changed. */
  readonly already: boolean;
  /** The end of the audit log, on both sides the same; when it was complete before, of the archive's. */
  readonly head: AuditHead;
  /** What both sides hold; empty when it was complete before. */
  readonly collections: readonly Compared[];
}

const defaultPage: PageSize = { rows: 500, chars: 1024 * 1024 };

/**
 * Throws `data-foreign` (the database holds something else), `data-moved` (this directory has moved elsewhere),
 * `audit-broken`, `store-unavailable`, `store-full`.
 */
export async function moveStore(options: MoveOptions): Promise<Move> {
  const store = await openEmbeddedStore({ directory: options.directory });
  try {
    await options.check(store);
    const database = await openDatabase(options);
    try {
      return await move(store, database, options);
    } finally {
      await database.close().catch(() => undefined);
    }
  } catch (error) {
    throw translate(error);
  } finally {
    await store.close();
  }
}

async function move(store: EmbeddedStore, to: Database, options: MoveOptions): Promise<Move> {
  const { directory } = options;
  const moved = movedTo(directory);
  const arrived = await isArrived(to, await firstHash(store));
  if (moved && (arrived === "nothing" || moved.database !== options.database)) refuseMoved(directory);
  if (arrived === "complete") return complete(store, to, moved !== undefined);
  if (arrived === "nothing") {
    await options.putOnRecord(store);
    await prepare(to, (await firstHash(store)) ?? "");
  }
  const from = Export.open(directory);
  try {
    const sides = { from, to, size: options.page ?? defaultPage };
    const head = await wholeOf("the data directory", () => verifySource(store));
    const collections = await copyAndCompare(sides, options.progress ?? (() => undefined));
    const arrivedHead = await wholeOf("the database", () => verifyTarget(to));
    if (head.n !== arrivedHead.n || head.hash !== arrivedHead.hash) throw foreign("its audit log has another end");
    // In this order: killed in between, neither side works, and the next run finds everything there.
    markMoved(directory, { database: options.database, at: instant(options.clock.now()) });
    await to.model(arrivalKind).updateOne({ _id: arrivalId }, { $set: { complete: true } });
    return { already: false, head, collections };
  } finally {
    from.close();
  }
}

async function firstHash(store: EmbeddedStore): Promise<string | undefined> {
  for await (const batch of store.audit.read(1)) return batch.hash;
  return undefined;
}

/** The database may have gone on since; what was moved must still be the beginning of its log. */
async function complete(store: EmbeddedStore, to: Database, marked: boolean): Promise<Move> {
  if (!marked) throw foreign("the move into it was completed, and this directory has been put to work again since");
  const head = await store.audit.head();
  if ((await new AuditChain(to).hashAt(head.n)) !== head.hash) throw foreign("it has another audit log");
  return { already: true, head, collections: [] };
}

async function copyAndCompare(sides: Sides, tell: (progress: Progress) => void): Promise<readonly Compared[]> {
  const total = parts.reduce((sum, { sql }) => sum + sides.from.count(sql), 0);
  let done = 0;
  for (const part of parts) {
    await copyPart(part, sides, (documents) => {
      tell({ step: "copy", collection: part.collection, done: (done += documents), total });
    });
  }
  done = 0;
  const compared: Compared[] = [];
  for (const part of parts) {
    const found = await comparePart(part, sides, (documents) => {
      tell({ step: "compare", collection: part.collection, done: (done += documents), total });
    });
    compared.push(found);
  }
  return compared;
}

function verifySource({ audit, mirrorPath }: EmbeddedStore): Promise<Verification> {
  return verifyChain(audit.read(), () => audit.head(), readMirror(mirrorPath));
}

function verifyTarget(to: Database): Promise<Verification> {
  const chain = new AuditChain(to);
  return verifyChain(chain.read(), () => chain.named());
}

async function wholeOf(side: string, verify: () => Promise<Verification>): Promise<AuditHead> {
  const { ok, head, problem } = await verify();
  if (ok) return head;
  throw new SluiceError("audit-broken", `the audit log of ${side} is damaged: ${problem?.what ?? "unknown"}`, {
    hint: "keep both sides as they are, run `npx sluice audit verify`, tell the privacy officer; nothing was switched",
  });
}
