// Stage: what is left after minimum necessary or de-identification. `Minimal` can be made only here, from a `Judged`.
import { Phi } from "../core/phi.ts";
import { Judged, type Permit } from "./judge.ts";

/** What a reduction gives: the data, and the names of the elements that stay and that go. */
export interface Reduction<T> {
  readonly data: T;
  readonly released: readonly string[];
  readonly withheld: readonly string[];
}

export class Minimal<T> {
  readonly #data: Phi<T>;
  readonly permit: Permit;
  readonly released: readonly string[];
  readonly withheld: readonly string[];
  private constructor(reduction: Reduction<T>, permit: Permit) {
    this.#data = new Phi(reduction.data);
    this.permit = permit;
    this.released = reduction.released;
    this.withheld = reduction.withheld;
  }

  /** @param by Throws when the resource must be withheld as a whole. */
  static reduce<T, U>(judged: Judged<T>, by: (data: T) => Reduction<U>): Minimal<U> {
    return new Minimal(by(Judged.open(judged)), judged.permit);
  }

  static open<T>(minimal: Minimal<T>): T {
    return Phi.open(minimal.#data);
  }
}
