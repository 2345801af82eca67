// The two guards that stand before every request (ARCHITECTURE, Order of writes): while an exchange reads, no write
// passes; while it sends, exactly one write passes, and only if the lane is still ours and what was judged is still so
// in that instant.
import type { RequestGuard } from "../connector/guard.ts";
import { SluiceError } from "../core/errors.ts";
import type { Row } from "./ports.ts";
import type { Run } from "./run.ts";

// By row: the row object is one for the whole run, the run is copied as it learns more.
const letThrough = new WeakSet<Row>();
const answered = new WeakSet<Row>();

/** A write of this run has been put on a connection. */
export function wasLetThrough(run: Run): boolean {
  return letThrough.has(run.row);
}

/** The write of this run has been answered with success: whatever fails from here on, it was applied. */
export function markAnswered(run: Run): void {
  answered.add(run.row);
}

export function wasAnswered(run: Run): boolean {
  return answered.has(run.row);
}

function laneCheck(run: Run, timeoutMs: number): void {
  if (run.lane.remaining() <= timeoutMs) {
    throw new SluiceError("not-sent", "too little time is left on the lane for this request");
  }
}

function forWhom({ row, channel, n }: Run): Omit<RequestGuard, "check"> {
  return { requestId: `${row.id}.${n}`, channel: channel.id, background: row.priority === "backfill" };
}

export function readingGuard(run: Run): RequestGuard {
  return {
    ...forWhom(run),
    check({ unsafe, timeoutMs }) {
      if (unsafe) throw new SluiceError("not-sent", "a write was tried before it was on record");
      laneCheck(run, timeoutMs);
    },
  };
}

/** @param stillPermitted Synchronous: true while consents, agreements and configuration are those that were judged. */
export function sendingGuard(run: Run, stillPermitted: () => boolean): RequestGuard {
  let writes = 0;
  return {
    ...forWhom(run),
    check({ unsafe, timeoutMs }) {
      laneCheck(run, timeoutMs);
      if (!unsafe) return;
      if (writes > 0) throw new SluiceError("not-sent", "one attempt makes one write");
      if (run.gateway.pauses.has(run.channel.to)) {
        throw new SluiceError("not-sent", `${run.channel.to} was paused meanwhile`);
      }
      if (run.gateway.brakes.has(run.channel.id)) {
        throw new SluiceError("not-sent", "the channel's brake stopped it meanwhile");
      }
      if (!run.gateway.hot.isFresh()) {
        throw new SluiceError("not-sent", "it could not be seen lately whether anything changed after it was judged");
      }
      if (!run.gateway.isCurrent() || !stillPermitted()) {
        throw new SluiceError("not-sent", "a consent, an agreement or the configuration changed after it was judged");
      }
      writes += 1;
      letThrough.add(run.row);
    },
  };
}
