// Symmetric keys as Node's KeyObject, made once for each key buffer: with bare bytes node:crypto takes ten times as long for
// a short HMAC, since it makes such an object at every call.
import { createSecretKey, type KeyObject } from "node:crypto";

const known = new WeakMap<Buffer, KeyObject>();

/** The same object for the same buffer, whose bytes must not change; it lives no longer than the buffer. */
export function secretKey(key: Buffer): KeyObject {
  const before = known.get(key);
  if (before) return before;
  const made = createSecretKey(key);
  known.set(key, made);
  return made;
}
