// How a run ends before its last stage. A stage throws a Stop; `conclude.ts` writes what it means into the ledger.
import type { Decision } from "../core/decision.ts";
import type { RecordRef, RowState } from "../core/records.ts";
import type { Problem } from "./ports.ts";

/** What a decision rested on: a denial is worth nothing once that has changed. */
export interface Basis {
  readonly subjects: readonly RecordRef[];
  readonly version: string;
}

export type End =
  /** A rule said no: the row ends, on record. */
  | { readonly kind: "denied"; readonly decision: Decision; readonly basis?: Basis }
  /** No answer could be had: nothing is released, the row waits, no attempt is counted. */
  | { readonly kind: "waiting"; readonly cause: string; readonly afterMs?: number }
  /** Nothing to send. */
  | { readonly kind: "ended"; readonly state: RowState; readonly cause: string | undefined }
  /** A person must decide. */
  | { readonly kind: "quarantine"; readonly cause: string; readonly problem: Problem }
  /** The row has gone to another lane; its new lane runs it. */
  | { readonly kind: "moved"; readonly lane: string }
  /** Run the same row again at once: something that earlier stages relied on has changed. */
  | { readonly kind: "again" };

export class Stop extends Error {
  override readonly name = "Stop";
  readonly end: End;
  constructor(end: End) {
    super(end.kind);
    this.end = end;
  }
}

export const ended = (state: RowState, cause?: string): Stop => new Stop({ kind: "ended", state, cause });
export const waiting = (cause: string, afterMs?: number): Stop =>
  new Stop({ kind: "waiting", cause, ...(afterMs === undefined ? {} : { afterMs }) });
