// The mark of a database that a deployment moves into: while it is only half there no process may work on it.
import { SluiceError } from "../../core/errors.ts";
import { flag, kind, text, type Database, type Keyed } from "./database.ts";

interface ArrivalDocument extends Keyed {
  readonly _id: string;
  /** Hash of the first batch of the audit log that arrives: no two deployments have the same. */
  readonly from: string;
  readonly complete: boolean;
}

export const arrivalKind = kind<ArrivalDocument>("arrival", { _id: text, from: text, complete: flag });

export const arrivalId = "embedded";

/** Throws `data-foreign` while a move into this database is not complete. */
export async function refuseHalfArrived(database: Database): Promise<void> {
  const arrival = await database.get(arrivalKind, arrivalId);
  if (!arrival || arrival.complete) return;
  throw new SluiceError("data-foreign", "a deployment is on its way into this database, and is not all there", {
    hint: "run `npx sluice migrate --to production` again: it goes on where it was",
  });
}
