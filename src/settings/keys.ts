// Key material: makes it once (files that only their owner can read) and reads it at each start. A key that is missing is
// never made up silently: data encrypted under the old one would be lost.
import { link, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import type { Configuration, Keys } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import type { Random } from "../core/ids.ts";
import { isJsonObject, parseJson, type JsonObject } from "../core/json.ts";
import { resolveBytes, type ReferenceBase } from "./references.ts";

/** `keys:` of `config/sluice.yaml`: `env:` and `file:` references. */
export interface KeyReferences {
  readonly data: string;
  readonly id: string;
  readonly signing: readonly string[];
}

const missingHint =
  "npx sluice init makes keys for a new deployment (npx sluice demo makes its own); for an old one, restore them from backup";

/**
 * Reads all keys. `warn` hears of key files that others than their owner can read. Throws `key-missing` for a key that is
 * not there, `config-invalid` for one that is malformed or given twice.
 */
export async function loadKeys(
  references: KeyReferences,
  base: ReferenceBase,
  warn: (message: string) => void = () => undefined,
): Promise<Keys> {
  const data = keyBytes(await read("data", references.data, base, warn), "data");
  const id = keyBytes(await read("id", references.id, base, warn), "id");
  if (data.equals(id)) {
    throw new SluiceError("config-invalid", "the data key and the id key are the same", {
      hint: "make two keys: openssl rand 32",
    });
  }
  const signing: JsonObject[] = [];
  for (const reference of references.signing) {
    const jwk = privateJwk(await read("signing", reference, base, warn));
    if (signing.some((other) => other.kid === jwk.kid)) {
      throw new SluiceError("config-invalid", "two signing keys have the same kid", {
        hint: "give each key its own kid",
      });
    }
    signing.push(jwk);
  }
  return { data, id, signing };
}

/** Throws `key-missing` when a connection names (`signingKeyId`) a key that is not there. */
export function requireSigningKeys(configuration: Pick<Configuration, "systems">, keys: Keys): void {
  const known = keys.signing.flatMap((key) => (typeof key.kid === "string" ? [key.kid] : []));
  for (const system of configuration.systems.values()) {
    const wanted = system.connection.signingKeyId;
    if (typeof wanted !== "string" || known.includes(wanted)) continue;
    throw new SluiceError("key-missing", `system "${system.id}" signs with the key "${wanted}", which is not there`, {
      hint: `signing keys that are there: ${known.join(", ") || "none"}; see keys.signing in sluice.yaml`,
    });
  }
}

async function read(
  name: string,
  reference: string,
  base: ReferenceBase,
  warn: (message: string) => void,
): Promise<Buffer> {
  const bytes = await resolveBytes(reference, base);
  if (!Buffer.isBuffer(bytes)) {
    throw new SluiceError("key-missing", `the ${name} key is missing: ${bytes.message}`, { hint: missingHint });
  }
  if (reference.startsWith("file:")) await warnIfOpen(resolve(base.dir, reference.slice(5)), warn);
  return bytes;
}

/** 45 CFR 164.312(a)(1): a key that everybody on the machine can read protects nothing. */
async function warnIfOpen(path: string, warn: (message: string) => void): Promise<void> {
  if (process.platform === "win32") return;
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) warn(`${path} can be read by others than its owner: chmod 600 ${path}`);
}

/** 32 bytes, raw, or as base64 or base64url text. */
function keyBytes(bytes: Buffer, name: string): Buffer {
  if (bytes.length === 32) return bytes;
  const text = bytes.toString("latin1").trim();
  const decoded = /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : undefined;
  if (decoded?.length === 32) return decoded;
  throw new SluiceError("config-invalid", `the ${name} key is not 32 bytes`, {
    hint: "32 raw bytes or their base64 are wanted: openssl rand -base64 32",
  });
}

function privateJwk(bytes: Buffer): JsonObject {
  let jwk: unknown;
  try {
    jwk = parseJson(bytes.toString("utf8"), 64 * 1024);
  } catch {
    jwk = undefined;
  }
  const usable =
    isJsonObject(jwk) && ["kty", "kid", "alg", "d"].every((name) => typeof jwk[name] === "string" && jwk[name] !== "");
  if (usable) return jwk as JsonObject;
  throw new SluiceError("config-invalid", "a signing key is no private JWK with kid and alg", {
    hint: "npx sluice init makes them",
  });
}

const signingAlgorithms = ["ES384", "RS384", "RS256"] as const;

/** File names that `makeKeys` makes; the `kid` of a signing key is its file's name without `.json`. */
export const keyFiles = {
  data: "data.key",
  id: "id.key",
  signing: ["sluice-es384.json", "sluice-rs384.json", "sluice-rs256.json"],
} as const;

/**
 * Makes the keys that are not yet in `dir` (directory 0700, files 0600, flushed to disk) and never touches one that is.
 * SMART Backend Services wants ES384 or RS384, Salesforce's JWT bearer RS256.
 */
export async function makeKeys(
  dir: string,
  random: Random,
): Promise<{ readonly references: KeyReferences; readonly made: readonly string[] }> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const made: string[] = [];
  const put = async (file: string, content: () => Promise<string>): Promise<string> => {
    const path = resolve(join(dir, file));
    if (await writeOnce(path, content)) made.push(path);
    return `file:${path}`;
  };
  const data = await put(keyFiles.data, () => Promise.resolve(`${random(32).toString("base64")}\n`));
  const id = await put(keyFiles.id, () => Promise.resolve(`${random(32).toString("base64")}\n`));
  const signing: string[] = [];
  for (const [index, alg] of signingAlgorithms.entries()) {
    const file = keyFiles.signing[index] ?? `sluice-${alg.toLowerCase()}.json`;
    signing.push(await put(file, () => newSigningKey(alg, file.replace(/\.json$/, ""))));
  }
  return { references: { data, id, signing }, made };
}

async function newSigningKey(alg: string, kid: string): Promise<string> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 3072 });
  const jwk = await exportJWK(privateKey);
  return `${JSON.stringify({ ...jwk, kid, alg, use: "sig" })}\n`;
}

/** False when the file was there. Written beside and linked into place, so that a crash leaves no half key under the name. */
async function writeOnce(path: string, content: () => Promise<string>): Promise<boolean> {
  if (await exists(path)) return false;
  const text = await content();
  const beside = `${path}.new`;
  try {
    await rm(beside, { force: true });
    await writeFile(beside, text, { flag: "wx", mode: 0o600, flush: true });
    await link(beside, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw new SluiceError("config-invalid", `the key file ${path} cannot be written`, {
      hint: "check who may write there",
    });
  } finally {
    await rm(beside, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
