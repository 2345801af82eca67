// Where polling of one resource type stands. A sweep is one search with all its pages; `since` moves only when a sweep
// has read its last page, to the server's own time at the sweep's start less the overlap.
import { z } from "zod";
import { SluiceError } from "../../src/core/errors.ts";
import { parseJson } from "../../src/core/json.ts";

const schema = z.strictObject({
  /** Whole seconds of the server's clock: the running sweep asks for changes from here on; absent = all. */
  since: z.int().optional(),
  /** Next page of the running sweep. */
  next: z.string().optional(),
  /** Server time, milliseconds, at the running sweep's start. */
  started: z.number().optional(),
  /** Latest change time read in this sweep, whole seconds; absent when the server does not sort. */
  upTo: z.int().optional(),
  /** Hashes of record versions already reported, with their change time in seconds: the overlap reads them again. */
  seen: z.record(z.string(), z.int()),
});

export type Position = z.infer<typeof schema>;

/** More than this many remembered versions only means that some are reported twice. */
const mostSeen = 500;

export function readCursor(text: string | undefined): Position {
  if (text === undefined) return { seen: {} };
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SluiceError("input-malformed", "the poll cursor is not one of this connector", {
    hint: "reset the cursor; the type is then read from the beginning",
  });
}

export function writeCursor(position: Position): string {
  const newest = Object.entries(position.seen)
    .sort(([, left], [, right]) => right - left)
    .slice(0, mostSeen);
  return JSON.stringify({ ...position, seen: Object.fromEntries(newest) });
}
