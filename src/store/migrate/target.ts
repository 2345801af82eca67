// The database that a deployment moves into: whether it is empty, half full of this deployment, complete, or another's.
import { arrivalId, arrivalKind } from "../mongo/arrival.ts";
import { headKind } from "../mongo/audit-chain.ts";
import { markKind } from "../mongo/changes.ts";
import type { Database } from "../mongo/database.ts";
import { makeIndexes } from "../mongo/indexes.ts";
import { kinds } from "../mongo/kinds.ts";
import { checkVersion, migrate, schemaKinds } from "../mongo/schema.ts";
import { foreign } from "./copy.ts";

/**
 * Throws `data-foreign` when the database holds anything that does not come from the same audit log.
 *
 * @param from Hash of its first batch.
 */
export async function isArrived(to: Database, from: string | undefined): Promise<"nothing" | "half" | "complete"> {
  await checkVersion(to);
  const arrival = await to.get(arrivalKind, arrivalId);
  if (!arrival) {
    await refuseFilled(to);
    return "nothing";
  }
  if (arrival.from !== from) throw foreign("it has the audit log of another deployment");
  return arrival.complete ? "complete" : "half";
}

/** Puts the mark first, so that no process begins to work on what follows. */
export async function prepare(to: Database, from: string): Promise<void> {
  await migrate(to);
  await makeIndexes(to, kinds);
  if (!(await to.insert(arrivalKind, { _id: arrivalId, from, complete: false }))) {
    throw foreign("another move into it has just begun");
  }
  // A command may have looked at the database before: then it holds the ends of empty logs.
  for (const { collection } of [headKind, markKind]) await to.raw(collection).deleteMany({ n: 0 });
  await refuseFilled(to, [arrivalKind.collection]);
}

async function refuseFilled(to: Database, but: readonly string[] = []): Promise<void> {
  const allowed = new Set([...schemaKinds.map(({ collection }) => collection), ...but]);
  const emptyEnds = new Set([headKind.collection, markKind.collection]);
  for await (const { name } of to.database.listCollections({}, { nameOnly: true })) {
    if (allowed.has(name) || name.startsWith("system.")) continue;
    const beyond = emptyEnds.has(name) ? { n: { $ne: 0 } } : {};
    if (await to.raw(name).findOne(beyond)) throw foreign(`there is something in "${name}" already`);
  }
}
