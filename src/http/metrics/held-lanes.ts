// Which lanes this process holds, and of which channel the row is that each holder has in hand. A lane that was lost is
// not given back: the first write that finds another fence ends it here.
import type { Hold } from "../../exchange/ports.ts";
import { word, type Meters } from "./meters.ts";

export class HeldLanes {
  readonly #meters: Meters;
  readonly #channels = new Map<Hold, string | undefined>();

  constructor(meters: Meters) {
    this.#meters = meters;
  }

  taken(hold: Hold | undefined): Hold | undefined {
    if (!hold || this.#channels.has(hold)) return hold;
    this.#channels.set(hold, undefined);
    this.#meters.lanesRunning.inc({ kind: laneKind(hold.lane) });
    return hold;
  }

  gone(hold: Hold): void {
    if (this.#channels.delete(hold)) this.#meters.lanesRunning.dec({ kind: laneKind(hold.lane) });
  }

  /** `written`: what a write under the hold answered. */
  kept(hold: Hold, written: boolean): boolean {
    if (!written) this.gone(hold);
    return written;
  }

  inHand(hold: Hold, channel: string): void {
    if (this.#channels.has(hold)) this.#channels.set(hold, channel);
  }

  channelOf(hold: Hold): string {
    return word(this.#channels.get(hold));
  }
}

/** `person`, `resolve`, `visits`, `feed`, `poll`: what kind of lane it is, without its name. */
function laneKind(lane: string): string {
  const colon = lane.indexOf(":");
  return colon < 0 ? "person" : word(lane.slice(0, colon));
}
