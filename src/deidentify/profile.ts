// What the profiles of the single types share: their input, and the small parts that every one of them writes.
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { isFhirId } from "../fhir/ids.ts";
import { parseReference } from "../fhir/references.ts";

export interface Release {
  /**
   * The random code that stands for a record (`Patient/123`) towards this one recipient, from the vault; never derived from
   * the record (45 CFR 164.514(c)).
   */
  readonly pseudonym: (reference: string) => string;
  /** Last year in which the output may be read: see `horizonYear`. */
  readonly horizon: number;
}

const maskedExtension = {
  url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
  valueCode: "masked",
} as const;

/** What stands for an element that must be there and may not be shown. */
export const masked: JsonObject = { extension: [maskedExtension] };

/** A masked instant: R4 has no instant of year precision, so the year goes beside it. */
export function maskedInstant(year: string | undefined): JsonObject {
  return year === undefined ? masked : { extension: [maskedExtension, { url: eventYearUrl, valueDateTime: year }] };
}

/** Extension with the year (`dateTime` of year precision) of an instant that is masked. */
export const eventYearUrl = "urn:x-sluice:event-year";

/** `v3-ObservationValue` ANONYED says what was done; SUBSETTED that nobody may write this back. */
export const releaseMeta: JsonObject = {
  security: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "ANONYED" }],
  tag: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "SUBSETTED" }],
};

/** The pseudonym as a FHIR id. Base64url's `_` is no id character; `.` is not in base64url, so nothing collides. */
export function pseudonymId(release: Release, reference: string): string {
  const id = release.pseudonym(reference).replaceAll("_", ".");
  const original = reference.slice(reference.indexOf("/") + 1);
  if (isFhirId(id) && id !== original) return id;
  throw new SluiceError("internal", "a pseudonym is no FHIR id, or is the record's own id", {
    hint: "the vault must give 1 to 64 random letters, digits, `-`, `.` or `_`",
    retry: "permanent",
  });
}

/** A literal relative reference to one of `types` under its pseudonym; undefined for every other form. */
export function pseudonymReference(
  value: Json | undefined,
  types: readonly string[],
  release: Release,
): JsonObject | undefined {
  const parsed = parseReference(isJsonObject(value) ? value["reference"] : undefined);
  if (!parsed || parsed.base !== undefined || !types.includes(parsed.type)) return undefined;
  return { reference: `${parsed.type}/${pseudonymId(release, `${parsed.type}/${parsed.id}`)}` };
}

export function objectsIn(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}

export function codeIn(value: Json | undefined, codes: ReadonlySet<string>): string | undefined {
  return typeof value === "string" && codes.has(value) ? value : undefined;
}
