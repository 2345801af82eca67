// The production store: the ports of an exchange over a MongoDB database that any number of processes share.
import { systemClock } from "../../core/clock.ts";
import type { Clock } from "../../core/clock.ts";
import { systemRandom, type Random } from "../../core/ids.ts";
import type { AuditLog, MirroredStore, Store } from "../../exchange/ports.ts";
import { Announcements, type Announcing } from "./announcing.ts";
import { refuseHalfArrived } from "./arrival.ts";
import { AuditChain } from "./audit-chain.ts";
import { AuditWriter } from "./audit-writer.ts";
import { ChangeLog } from "./changes.ts";
import { openDatabase, translate, type Database } from "./database.ts";
import { consentKind, factsOf } from "./facts.ts";
import { makeIndexes } from "./indexes.ts";
import { inspect, type Inspection } from "./inspect.ts";
import { kinds } from "./kinds.ts";
import { ledgerOf } from "./ledger.ts";
import { linksOf } from "./links.ts";
import { moveMirror } from "./mirrored-head.ts";
import { cursorsOf, registerKind, registersOf, systemKind, systemsOf } from "./registers.ts";
import { checkVersion, migrate } from "./schema.ts";
import { blobsOf, vaultOf } from "./sealed.ts";
import { translatedPort } from "./translated.ts";
import { activationKind, versionsOf } from "./versions.ts";

export type { Inspection };

export interface MongoOptions {
  /** `mongodb://…`; never printed. */
  readonly uri: string;
  /** Name of the database, the deployment's prefix. */
  readonly database: string;
  /** The file of this process's machine to which the audit head is mirrored; each machine has its own. */
  readonly mirrorHeadTo: string;
  readonly clock?: Clock;
  readonly random?: Random;
  /** `check`: makes nothing, for a look at a store whose processes may be of another version. Default `make`. */
  readonly indexes?: "make" | "check";
}

export interface MongoStore extends MirroredStore {
  /** For `sluice doctor`. */
  inspect(): Promise<Inspection>;
}

/**
 * Opens the store. Every promise of it rejects with a SluiceError only: `store-unavailable` (whether a write took place is
 * not known), `store-full`, `input-too-large`, `audit-broken`, `store-newer` (here, and by `flush`).
 */
export async function openMongoStore(options: MongoOptions): Promise<MongoStore> {
  const database = await openDatabase(options);
  try {
    return await assemble(database, options);
  } catch (error) {
    await database.close().catch(() => undefined);
    throw translate(error);
  }
}

const announcing: readonly Announcing[] = [
  { collection: consentKind.collection, change: "consent" },
  { collection: systemKind.collection, change: "system" },
  { collection: activationKind.collection, change: "configuration" },
  { collection: registerKind.collection, change: "register" },
];

async function assemble(database: Database, options: MongoOptions): Promise<MongoStore> {
  const { clock = systemClock, random = systemRandom, indexes = "make", mirrorHeadTo } = options;
  await refuseHalfArrived(database);
  const chain = new AuditChain(database);
  const changes = new ChangeLog(database);
  if (indexes === "make") {
    await migrate(database);
    await makeIndexes(database, kinds);
    await Promise.all([chain.begin(), changes.begin()]);
  } else {
    await checkVersion(database);
  }
  const writer = new AuditWriter(chain, clock, random);
  const announcements = new Announcements(database, changes);
  const audit: AuditLog = {
    append: (entries) => writer.append(entries),
    has: (key) => chain.has(key),
    read: (from) => chain.read(from),
    head: () => chain.tail(),
  };
  const blobs = blobsOf(database);
  const ledger = ledgerOf(database, audit, blobs, clock);
  const ports: Omit<Store, "close"> = {
    ledger,
    audit,
    links: linksOf(database, random),
    facts: factsOf(database, announcements),
    cursors: cursorsOf(database, (lane) => ledger.peek(lane)),
    systems: systemsOf(database, announcements),
    versions: versionsOf(database, announcements),
    changes,
    registers: registersOf(database, announcements),
    blobs,
    vault: vaultOf(database),
  };
  const flush = async (): Promise<void> => {
    await checkVersion(database);
    await refuseHalfArrived(database);
    // First: a mirror that cannot be written must not keep others from hearing of a revocation.
    await announcements.payForOthers(announcing);
    await moveMirror(mirrorHeadTo, chain);
  };
  const close = async (): Promise<void> => {
    await writer.idle();
    try {
      await moveMirror(mirrorHeadTo, chain);
    } finally {
      await database.close();
    }
  };
  return {
    ...translated(ports),
    mirrorPath: mirrorHeadTo,
    ...translatedPort({ flush, close }),
    inspect: () => inspect(database, clock),
  };
}

/** All ports, each error of which is a SluiceError. */
function translated(ports: Omit<Store, "close">): Omit<Store, "close"> {
  return Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, translatedPort(port as object)]),
  ) as unknown as Omit<Store, "close">;
}
