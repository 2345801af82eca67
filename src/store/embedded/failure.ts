// What an error of SQLite means to a caller. SQLite's own text is dropped: it can quote values.
import { asSluiceError, SluiceError } from "../../core/errors.ts";

/** Primary result codes (https://www.sqlite.org/rescode.html) that say something about the file, not about the request. */
const full = 13;
const unavailable = new Map([
  [5, "is locked by another process"],
  [6, "is locked"],
  [7, "got no memory"],
  [8, "is read-only"],
  [10, "had a disk error"],
  [11, "is damaged"],
  [14, "cannot be opened"],
  [15, "had a locking error"],
  [26, "is not a database"],
]);

/** The failure of the store as a whole, or undefined when only the request that ran is at fault. */
export function storeFailure(error: unknown): SluiceError | undefined {
  if (error instanceof SluiceError) return undefined;
  const code = primaryCode(error);
  if (code === undefined) return undefined;
  if (code === full) {
    return new SluiceError("store-full", "the disk of the embedded store is full; nothing was changed", {
      hint: "free space on the disk that holds the data directory; work goes on by itself",
    });
  }
  const what = unavailable.get(code);
  if (what === undefined) return undefined;
  return new SluiceError("store-unavailable", `the embedded store ${what} (SQLite result ${code})`, {
    hint: "run `sluice doctor`; look at the disk and the rights of the data directory",
  });
}

/** Any error as a SluiceError for the caller. */
export function asStoreError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const failure = storeFailure(error);
  if (failure) return failure;
  const code = primaryCode(error);
  if (code === undefined) return asSluiceError(error);
  return new SluiceError("internal", `the embedded store refused a statement (SQLite result ${code})`);
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}
