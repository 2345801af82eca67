// Poll positions. A poll is a sweep over (SystemModstamp, Id), in pages; the stamp alone would loop or lose records when
// more of them share a second than fit a page. The next sweep starts behind the source's clock as it was at the first page
// of this one, by resolution and overlap: a transaction that became visible late is then still ahead of it.
import { z } from "zod";
import type { Cursor } from "../../src/connector/contract.ts";
import { SluiceError } from "../../src/core/errors.ts";
import { parseJson } from "../../src/core/json.ts";
import { instantLiteral, textLiteral } from "./soql.ts";

/** Salesforce stamps have whole seconds. */
export const stampResolutionMs = 1_000;

const stamp = z.number().int().nonnegative().max(8.64e15);

const positionSchema = z.strictObject({
  /** Where the sweep starts, inclusive; absent = from the beginning. Milliseconds. */
  from: stamp.optional(),
  /** Inside a sweep: the last record seen. */
  after: z.strictObject({ stamp, id: z.string().regex(/^[a-zA-Z0-9]{15,18}$/) }).optional(),
  /** Inside a sweep: where the next one will start; absent when the source told no time. */
  next: stamp.optional(),
});

export type Position = z.infer<typeof positionSchema>;

/** Throws `input-malformed` on anything that `writeCursor` did not make. */
export function readCursor(cursor: Cursor | undefined): Position {
  if (cursor === undefined) return {};
  const position = positionSchema.safeParse(parseJson(cursor, 1_000));
  if (position.success) return position.data;
  throw new SluiceError("input-malformed", "the poll position is not one of this connector's", {
    hint: "start a backfill of this channel, which polls from the beginning",
  });
}

export function writeCursor(position: Position): Cursor {
  return JSON.stringify(position);
}

/** The SOQL condition for the next page; undefined = all records. */
export function condition(position: Position): string | undefined {
  const { from, after } = position;
  if (after) {
    const at = instantLiteral(after.stamp);
    return `(SystemModstamp = ${at} AND Id > ${textLiteral(after.id)}) OR SystemModstamp > ${at}`;
  }
  return from === undefined ? undefined : `SystemModstamp >= ${instantLiteral(from)}`;
}

export interface SeenPage {
  /** The last record of the page, if it has one. */
  readonly last: { readonly stamp: number; readonly id: string } | undefined;
  readonly more: boolean;
  /** The source's clock at this page. */
  readonly at: number | undefined;
  readonly overlapMs: number;
}

/** The position after a page. Never moves a sweep's start backwards. */
export function advance(position: Position, page: SeenPage): Position {
  const { from } = position;
  const next = position.after ? position.next : startOfNext(from, page);
  const start = from === undefined ? {} : { from };
  const following = next === undefined ? {} : { next };
  if (page.more && page.last) return { ...start, after: page.last, ...following };
  return next === undefined ? start : { from: next };
}

function startOfNext(from: number | undefined, page: SeenPage): number | undefined {
  if (page.at === undefined) return from;
  return Math.max(from ?? 0, page.at - stampResolutionMs - page.overlapMs, 0);
}
