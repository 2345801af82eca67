// What may be named in a request and what counts as a proper resource in an answer: types from a closed list, ids by
// FHIR's own pattern, and an answer only when it is the record that was asked for.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import { Phi } from "../../src/core/phi.ts";
import type { SourceRecord } from "../../src/core/records.ts";
import { malformed } from "./discovery.ts";

export const types = ["Patient", "Appointment", "Consent"] as const;
/** Consents are read as facts; Sluice never writes one. */
const writable: ReadonlySet<string> = new Set(["Patient", "Appointment"]);

/** FHIR R4 datatypes, `id`. */
const idPattern = /^[A-Za-z0-9\-.]{1,64}$/;

export function isId(text: unknown): text is string {
  return typeof text === "string" && idPattern.test(text) && text !== "." && text !== "..";
}

/** Throws `input-unknown-type`. */
export function checkType(type: string): void {
  if ((types as readonly string[]).includes(type)) return;
  throw new SluiceError("input-unknown-type", "this connector does not handle that resource type", {
    hint: `it handles ${types.join(", ")}`,
  });
}

/** Throws `input-unknown-type`. */
export function checkWritable(type: string): void {
  checkType(type);
  if (!writable.has(type)) throw new SluiceError("input-unknown-type", `${type} is only read from a FHIR system`);
}

/** Throws `input-malformed` for an id that could leave its place in the URL. */
export function checkId(id: string): void {
  if (!isId(id)) throw new SluiceError("input-malformed", "that is not a FHIR resource id");
}

/** A resource of that type as a record. Throws `system-answer-malformed`. */
export function recordOf(system: string, type: string, resource: unknown, etag: string | null = null): SourceRecord {
  if (!isJsonObject(resource) || resource["resourceType"] !== type) throw malformed(`the answer is not a ${type}`);
  const id = resource["id"];
  if (!isId(id)) throw malformed(`the answer holds a ${type} without a proper id`);
  return {
    ref: { system, type, id },
    version: metaText(resource, "versionId") ?? versionIn(etag),
    changedAt: metaText(resource, "lastUpdated"),
    body: new Phi(resource),
  };
}

/** A resource that the server marks as cut short must not be taken for the whole record (code SUBSETTED, FHIR R4 3.1.1.5). */
export function refuseSubset(record: SourceRecord): SourceRecord {
  const meta = Phi.open(record.body)["meta"];
  const tags = isJsonObject(meta) && Array.isArray(meta["tag"]) ? (meta["tag"] as readonly unknown[]) : [];
  if (!tags.some((tag) => isJsonObject(tag) && tag["code"] === "SUBSETTED")) return record;
  throw malformed("the system sent only a part of the record");
}

export function metaText(resource: JsonObject, name: "versionId" | "lastUpdated"): string | undefined {
  const meta = resource["meta"];
  const value = isJsonObject(meta) ? meta[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The version in an ETag: `W/"3"` is 3 (FHIR R4 3.1.0.3). */
export function versionIn(etag: string | null): string | undefined {
  return /^(?:W\/)?"([A-Za-z0-9\-.]{1,64})"$/.exec(etag?.trim() ?? "")?.[1];
}

/** The link id among a resource's identifiers. */
export function linkIdOf(resource: JsonObject, linkSystem: string): string | undefined {
  const identifiers: unknown = resource["identifier"];
  if (!Array.isArray(identifiers)) return undefined;
  const own = (identifiers as readonly unknown[]).find((one) => isJsonObject(one) && one["system"] === linkSystem);
  return isJsonObject(own) && typeof own["value"] === "string" ? own["value"] : undefined;
}
