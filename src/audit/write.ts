// Makes a log entry from a header and a detail, and opens one again. The detail is sealed under the person's own key,
// so that destroying that key later makes it unreadable while the chain stays valid (ARCHITECTURE, Audit log).
import { canonicalJson, isJsonObject, parseJson, type JsonObject } from "../core/json.ts";
import { sha256, type Random } from "../core/ids.ts";
import { seal, unseal } from "../core/seal.ts";
import type { AuditEntry } from "./entry.ts";
import type { AuditDetail, AuditHeader } from "./event.ts";

const saltBytes = 16;

/** @param personKey 32 bytes; without it the detail must be empty. */
export function makeEntry(
  key: string,
  header: AuditHeader,
  detail: AuditDetail | undefined,
  personKey: Buffer | undefined,
  random: Random,
): AuditEntry {
  const canonical = canonicalJson(header);
  if (!detail || !personKey) return { key, header: canonical, sealed: "", commitment: "" };
  const salt = random(saltBytes);
  const plaintext = Buffer.concat([salt, Buffer.from(canonicalJson(detail))]);
  return { key, header: canonical, sealed: seal(personKey, plaintext, key, random), commitment: sha256(plaintext) };
}

/** The header of an entry; throws `input-malformed` when it is no JSON object. */
export function headerOf(entry: AuditEntry): JsonObject {
  const header = parseJson(entry.header);
  return isJsonObject(header) ? header : {};
}

/** The sealed part; undefined when nothing is sealed. Throws `audit-broken` on a wrong key. */
export function detailOf(entry: AuditEntry, personKey: Buffer): JsonObject | undefined {
  if (entry.sealed === "") return undefined;
  const detail = parseJson(unseal(personKey, entry.sealed, entry.key).subarray(saltBytes).toString("utf8"));
  return isJsonObject(detail) ? detail : undefined;
}
