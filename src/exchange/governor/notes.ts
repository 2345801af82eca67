// What a process has seen of a system and not yet told the others: taken out for a move of the budget, and put back when
// the move failed, so that nothing is told twice and nothing is forgotten.
import { nothingSeen, seenAfter, type Seen } from "./circuit.ts";

interface Told {
  readonly seen: Seen;
  /** Wall time; 0 = the system did not ask us to wait. */
  readonly closedUntil: number;
  readonly spent: number;
}

const nothing: Told = { seen: nothingSeen, closedUntil: 0, spent: 0 };

export class Notes {
  #kept = nothing;
  /** On its way. */
  #told = nothing;

  /** Including what is on its way. */
  get failures(): number {
    return this.#all().seen.failures;
  }

  get closedUntil(): number {
    return this.#all().closedUntil;
  }

  get spent(): number {
    return this.#all().spent;
  }

  saw(seen: Seen): void {
    this.#kept = { ...this.#kept, seen: seenAfter(this.#kept.seen, seen) };
  }

  mustWait(until: number): void {
    this.#kept = { ...this.#kept, closedUntil: Math.max(this.#kept.closedUntil, until) };
  }

  /** A request was made; -1: it was not, after all. */
  spend(requests: 1 | -1): void {
    this.#kept = { ...this.#kept, spent: this.#kept.spent + requests };
  }

  tell(): Told {
    this.#told = this.#kept;
    this.#kept = nothing;
    return this.#told;
  }

  told(): void {
    this.#told = nothing;
  }

  notTold(): void {
    this.#kept = this.#all();
    this.#told = nothing;
  }

  #all(): Told {
    const { seen, closedUntil, spent } = this.#told;
    return {
      seen: seenAfter(seen, this.#kept.seen),
      closedUntil: Math.max(closedUntil, this.#kept.closedUntil),
      spent: spent + this.#kept.spent,
    };
  }
}
