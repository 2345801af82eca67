// What a collection holds, as one number that does not depend on the order in which it is read: the sum of the SHA-256 of
// all documents. Both sides are read once, as they lie, and nothing is kept.
import { createHash } from "node:crypto";
import { SluiceError } from "../../core/errors.ts";
import { canonicalJson } from "../../core/json.ts";

const modulus = 1n << 256n;

export class Content {
  #count = 0;
  #sum = 0n;

  add(document: string): void {
    this.#count += 1;
    this.#sum = (this.#sum + BigInt(`0x${createHash("sha256").update(document).digest("hex")}`)) % modulus;
  }

  get count(): number {
    return this.#count;
  }

  /** Hexadecimal, 64 digits. */
  get hash(): string {
    return this.#sum.toString(16).padStart(64, "0");
  }
}

/** The same text for the same document on both sides: members sorted, absent ones left out. */
export function textOf(document: object): string {
  return canonicalJson(plain(document));
}

/** Only what JSON has: anything else would be compared as if it were empty. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new SluiceError("internal", `a document holds a ${value.constructor.name}, which cannot be compared`);
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
