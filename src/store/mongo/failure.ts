// What an error of MongoDB, its driver or mongoose means to a caller. Their own texts are dropped: they quote values,
// addresses and user names.
import { mongo } from "mongoose";
import { asSluiceError, SluiceError } from "../../core/errors.ts";

/** Codes of https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const duplicateKey = 11000;
const full = new Set([14031]);
const tooLarge = new Set([10334, 17419, 17420]);
const refused = new Set([13, 18, 33, 8000]);
const noPrimary = new Set([91, 189, 10058, 10107, 11600, 11602, 13435, 13436]);
const slow = new Set([50, 64, 262]);

/** An insert found its `_id` taken. */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === duplicateKey;
}

/** Any error as a SluiceError for the caller. Whether a write that ends in `store-unavailable` took place is not known. */
export function translate(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  if (isFull(error)) return diskFull();
  const code = codeOf(error);
  if (code !== undefined) return byCode(code);
  if (isTooLarge(error)) return oversized();
  if (error instanceof mongo.MongoError) return unavailable("does not answer", reach);
  const name = error instanceof Error ? error.name : "";
  if (mongooseRefusals.has(name)) {
    return new SluiceError("internal", `a document does not have the shape that the store keeps (${name})`);
  }
  return name.startsWith("Mongo") ? unavailable("does not answer", reach) : asSluiceError(error);
}

const mongooseRefusals = new Set(["ValidationError", "CastError", "StrictModeError", "ObjectParameterError"]);
const reach = "check that MongoDB runs and that `production.mongodb` names it, then run `sluice doctor`";

function byCode(code: number): SluiceError {
  if (refused.has(code)) {
    return unavailable("refuses the user or password", "correct `production.mongodb`; the user needs `dbOwner` there");
  }
  if (noPrimary.has(code))
    return unavailable("has no primary at the moment", "wait for the election; see `rs.status()`");
  if (slow.has(code)) return unavailable("did not confirm in time", "look at its load and its replicas");
  if (tooLarge.has(code)) return oversized();
  return unavailable(`refused a command (code ${code})`, "run `sluice doctor`; look at the log of MongoDB");
}

function unavailable(what: string, hint: string): SluiceError {
  return new SluiceError("store-unavailable", `the database ${what}`, { hint });
}

function diskFull(): SluiceError {
  return new SluiceError("store-full", "the disk of the database is full", {
    hint: "free space on the disk that holds MongoDB's data; work goes on by itself",
  });
}

function oversized(): SluiceError {
  return new SluiceError("input-too-large", "a document is larger than the 16 MB that MongoDB keeps");
}

function codeOf(error: unknown): number | undefined {
  return error instanceof mongo.MongoError && typeof error.code === "number" ? error.code : undefined;
}

/** A server says it by its code, or in the words of its operating system. */
function isFull(error: unknown): boolean {
  if (full.has(codeOf(error) ?? 0)) return true;
  return error instanceof mongo.MongoServerError && /no space left on device|disk full/i.test(error.message);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof mongo.MongoInvalidArgumentError && /too large|larger than/i.test(error.message);
}
