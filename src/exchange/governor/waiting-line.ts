// Who is next at a system within this process: channels take turns, live work goes before backfill, and after some live
// requests in a row one of the backfill goes, so that it does not starve.
import type { AdmissionRequest, Place } from "../../connector/admission.ts";
import type { SluiceError } from "../../core/errors.ts";

/** Live requests in a row while backfill waits. */
const liveInARow = 8;

export interface Waiter {
  readonly request: AdmissionRequest;
  readonly resolve: (place: Place) => void;
  readonly reject: (error: SluiceError) => void;
}

export class WaitingLine {
  readonly #live = new Map<string, Set<Waiter>>();
  readonly #background = new Map<string, Set<Waiter>>();
  #inARow = 0;

  get size(): number {
    return sizeOf(this.#live) + sizeOf(this.#background);
  }

  add(waiter: Waiter): void {
    const lines = this.#linesOf(waiter);
    const line = lines.get(waiter.request.channel);
    if (line) line.add(waiter);
    else lines.set(waiter.request.channel, new Set([waiter]));
  }

  remove(waiter: Waiter): void {
    const lines = this.#linesOf(waiter);
    const line = lines.get(waiter.request.channel);
    line?.delete(waiter);
    if (line?.size === 0) lines.delete(waiter.request.channel);
  }

  /** Takes the next one out. */
  next(): Waiter | undefined {
    const isBackgroundsTurn = this.#live.size === 0 || (this.#inARow >= liveInARow && this.#background.size > 0);
    this.#inARow = isBackgroundsTurn ? 0 : this.#inARow + 1;
    return takeFrom(isBackgroundsTurn ? this.#background : this.#live);
  }

  all(): readonly Waiter[] {
    return [...this.#live.values(), ...this.#background.values()].flatMap((line) => [...line]);
  }

  #linesOf({ request }: Waiter): Map<string, Set<Waiter>> {
    return request.background ? this.#background : this.#live;
  }
}

function sizeOf(lines: ReadonlyMap<string, ReadonlySet<unknown>>): number {
  let size = 0;
  for (const line of lines.values()) size += line.size;
  return size;
}

/** The first of the first channel, which then stands last. */
function takeFrom(lines: Map<string, Set<Waiter>>): Waiter | undefined {
  for (const [channel, line] of lines) {
    const [first] = line;
    if (first === undefined) return undefined;
    line.delete(first);
    lines.delete(channel);
    if (line.size > 0) lines.set(channel, line);
    return first;
  }
  return undefined;
}
