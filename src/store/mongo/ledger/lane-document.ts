// A lane as a document of MongoDB: who holds it, and a hint of what is due in it. The hint may err only towards "due": it is
// written after the rows that it speaks of, and the holder derives it anew from the rows at release.
import { flag, kind, number, text, type Keyed } from "../database.ts";
import type { LaneState } from "../../../exchange/ports.ts";

export interface LaneDocument extends Keyed {
  readonly _id: string;
  readonly fence: number;
  readonly beat: number;
  readonly free: boolean;
  readonly movedTo?: string;
  /** Last place given out. */
  readonly last: number;
  /** `next` of the head, or earlier; `never` = no row is open. */
  readonly due: number;
  /** When the head was accepted. */
  readonly since: number;
  /** The head's channel; "" = not known, so that no pause of a channel hides the lane. */
  readonly channel: string;
  /** 1: an open row of priority live may be there, at any place. */
  readonly live: number;
  /** One more with each hint by somebody who does not hold the lane. */
  readonly hints: number;
}

/** Later than any time. */
export const never = Number.MAX_SAFE_INTEGER;

export const laneKind = kind<LaneDocument>(
  "lanes",
  {
    _id: text,
    fence: number,
    beat: number,
    free: flag,
    movedTo: String,
    last: number,
    due: number,
    since: number,
    channel: text,
    live: number,
    hints: number,
  },
  [{ free: 1, live: 1, due: 1 }],
);

export function newLane(lane: string): LaneDocument {
  return { _id: lane, fence: 0, beat: 0, free: true, last: 0, due: never, since: 0, channel: "", live: 0, hints: 0 };
}

export function readLane(stored: LaneDocument): LaneState {
  const { _id: lane, fence, beat, free, movedTo } = stored;
  return { lane, fence, beat, free, movedTo };
}
