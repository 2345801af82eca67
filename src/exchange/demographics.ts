// The parts of a Patient that a strict search and a person's own claim rest on. Placeholders (1900-01-01, TEST, Baby Girl)
// identify nobody, so they give nothing.
import type { PersonQuery } from "../connector/contract.ts";
import { hmacId } from "../core/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { RecordRef } from "../core/records.ts";

const placeholderDates: ReadonlySet<string> = new Set(["1900-01-01", "1901-01-01", "1111-11-11"]);
const placeholderName = /^(test|unknown|unk|n\/a|none|baby|baby ?(boy|girl)|xxx+|\?+|-+)$/i;

/** Undefined when a part is missing, partial or a placeholder. */
export function personQuery(patient: JsonObject): PersonQuery | undefined {
  const name = firstObject(patient["name"]);
  const family = text(name?.["family"]);
  const given = text(Array.isArray(name?.["given"]) ? (name["given"] as readonly Json[])[0] : undefined);
  const birthDate = text(patient["birthDate"]);
  if (!family || !given || !birthDate || !/^\d{4}-\d{2}-\d{2}$/.test(birthDate)) return undefined;
  if (placeholderDates.has(birthDate) || placeholderName.test(family) || placeholderName.test(given)) return undefined;
  return { family, given, birthDate };
}

/** A record that stands for "the person of this name and birth date", claimed like any other; its id is an HMAC. */
export function demographicRecord(idKey: Buffer, query: PersonQuery): RecordRef {
  const parts = [query.family, query.given, query.birthDate].map((part) => part.normalize("NFKC").toLowerCase().trim());
  return { system: "~", type: "demographics", id: hmacId(idKey, "demographics", ...parts) };
}

function firstObject(value: Json | undefined): JsonObject | undefined {
  const first = Array.isArray(value) ? (value as readonly Json[])[0] : undefined;
  return isJsonObject(first) ? first : undefined;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}
