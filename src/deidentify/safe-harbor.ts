// The strict Safe Harbor profile, 45 CFR 164.514(b)(2): a closed world in which only what a rule names survives, all else
// is dropped, and what cannot be understood is refused whole.
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { isFhirId } from "../fhir/ids.ts";
import { releaseAppointment } from "./appointment.ts";
import { releasePatient } from "./patient.ts";
import { masked, pseudonymId, releaseMeta, type Release } from "./profile.ts";
import { assertShape, malformed } from "./shape.ts";
import { horizonYear } from "./years.ts";

export interface DeidentifyOptions {
  /** Random code of a record (`Patient/123`) for this recipient, from the vault. */
  readonly pseudonym: (reference: string) => string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whole years for which the output will be kept: ages are judged at their end. Default 0. */
  readonly horizonYears?: number;
}

export interface Deidentified {
  readonly resource: JsonObject;
  /** What may be claimed of the result, from the operations used: nothing hashed, encrypted or shifted. */
  readonly claim: "safe-harbor";
  /** Paths without type or index that are in the result, reduced ones included. */
  readonly released: readonly string[];
  /** Paths of the input that are not. */
  readonly withheld: readonly string[];
}

const profiles: Readonly<Record<string, (resource: JsonObject, release: Release) => Record<string, Json | undefined>>> =
  {
    Patient: releasePatient,
    Appointment: releaseAppointment,
  };

/** Resource types that the profile releases at all. */
export const safeHarborTypes: readonly string[] = Object.keys(profiles);

/**
 * Throws `input-unknown-type` for a type without a profile, `resource-withheld` on a modifier that is not known and
 * `input-malformed` on anything that is not R4's form; `detail.elements` has the path, never a value.
 */
export function deidentify(resource: JsonObject, options: DeidentifyOptions): Deidentified {
  const type = resource["resourceType"];
  const profile = typeof type === "string" && Object.hasOwn(profiles, type) ? profiles[type] : undefined;
  if (typeof type !== "string" || profile === undefined) {
    throw new SluiceError("input-unknown-type", "this resource type has no Safe Harbor profile", {
      hint: `release only ${safeHarborTypes.join(", ")} in a de-identified feed`,
    });
  }
  assertShape(resource, type);
  const { id } = resource;
  if (!isFhirId(id)) throw malformed(`${type}.id`);
  const release = { pseudonym: options.pseudonym, horizon: horizonYear(options.at, options.horizonYears ?? 0) };
  const members = profile(resource, release);
  const out: Record<string, Json> = {
    resourceType: type,
    id: pseudonymId(release, `${type}/${id}`),
    meta: releaseMeta,
  };
  for (const [name, value] of Object.entries(members)) if (value !== undefined) out[name] = value;
  return { resource: out, claim: "safe-harbor", ...account(resource, out) };
}

function account(input: JsonObject, output: JsonObject): { released: readonly string[]; withheld: readonly string[] } {
  const released = new Set(pathsIn(output));
  const withheld = new Set(pathsIn(input).filter((path) => !released.has(path)));
  return { released: [...released].sort(), withheld: [...withheld].sort() };
}

/** Names only, down to the leaves; what is in an extension, a narrative or a contained resource is not looked into. */
function pathsIn(value: Json | undefined, path = ""): string[] {
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap((item) => pathsIn(item, path));
  if (!isJsonObject(value)) return [path];
  return Object.entries(value).flatMap(([name, member]) => {
    if (member === masked || (path === "" && name === "resourceType")) return [];
    const prefix = path === "" ? "" : `${path}.`;
    if (name.startsWith("_")) return [`${prefix}${name.slice(1)}.extension`];
    return opaque.has(name) ? [prefix + name] : pathsIn(member, prefix + name);
  });
}

const opaque = new Set(["extension", "contained", "text", "meta"]);
