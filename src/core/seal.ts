// Authenticated encryption of what must wait in a store: AES-256-GCM, the context bound as additional data, so that a
// sealed value moved to another place does not open.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { SluiceError } from "./errors.ts";
import type { Random } from "./ids.ts";
import { secretKey } from "./secret-key.ts";

const ivBytes = 12;
const tagBytes = 16;

/** Base64 of iv ‖ tag ‖ ciphertext. `context` must be given again to open it. */
export function seal(key: Buffer, plaintext: Buffer | string, context: string, random: Random): string {
  const iv = random(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", secretKey(key), iv).setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64");
}

/** Throws `audit-broken` when the key, the context or a byte is not what it was. */
export function unseal(key: Buffer, sealed: string, context: string): Buffer {
  const bytes = Buffer.from(sealed, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", secretKey(key), bytes.subarray(0, ivBytes))
      .setAAD(Buffer.from(context))
      .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]);
  } catch {
    throw new SluiceError("audit-broken", "a stored value cannot be opened: wrong key, or it was altered", {
      hint: "check that the data key of config/sluice.yaml is the one this data directory was made with",
    });
  }
}
