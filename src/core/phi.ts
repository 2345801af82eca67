// A wrapper that keeps protected health information out of logs, errors and inspection by accident. Only the stages that
// must look inside call `open`.
import { inspect } from "node:util";

export class Phi<T> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  /** The value itself. Throws a TypeError on anything that is not a real Phi. */
  static open<T>(phi: Phi<T>): T {
    return phi.#value;
  }
  toString(): string {
    return "[PHI]";
  }
  toJSON(): string {
    return "[PHI]";
  }
  [Symbol.toPrimitive](): string {
    return "[PHI]";
  }
  [inspect.custom](): string {
    return "[PHI]";
  }
}
