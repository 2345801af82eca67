// Identifiers: random ones from an injected source, derived ones by HMAC-SHA-256 under the deployment's id key, so that
// no identifier of Sluice's own says anything about a patient.
import { createHash, createHmac, randomBytes } from "node:crypto";
import { secretKey } from "./secret-key.ts";

/** Returns `size` random bytes. Injected, so that tests repeat. */
export type Random = (size: number) => Buffer;

export const systemRandom: Random = (size) => randomBytes(size);

/** 128 random bits, base64url, 22 characters. */
export function newId(random: Random): string {
  return random(16).toString("base64url");
}

/** HMAC-SHA-256 over the parts (length-prefixed, so that no two lists collide), base64url, 43 characters. */
export function hmacId(key: Buffer, ...parts: readonly string[]): string {
  let text = "";
  for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`;
  return createHmac("sha256", secretKey(key)).update(text).digest("base64url");
}

/** SHA-256 of text or bytes, base64url. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("base64url");
}
