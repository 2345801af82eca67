// Safe Harbor for a Patient: builds a new resource of what may stay, and copies nothing else (45 CFR 164.514(b)(2)).
import type { Json, JsonObject } from "../core/json.ts";
import { addressUses, genders, isUnitedStates, linkTypes, stateCode } from "./codes.ts";
import { codeIn, masked, objectsIn, pseudonymReference, type Release } from "./profile.ts";
import { malformed } from "./shape.ts";
import { birthYear, yearOf } from "./years.ts";
import { zip3 } from "./zip3.ts";

type Members = Record<string, Json | undefined>;

/** Elements besides id and meta. Throws `input-malformed` on a modifier or date that cannot be read. */
export function releasePatient(patient: JsonObject, release: Release): Members {
  const addresses = objectsIn(patient["address"])
    .map(releaseAddress)
    .filter((one) => one !== undefined);
  const links = objectsIn(patient["link"]).map((link) => releaseLink(link, release));
  return {
    // Modifiers are kept: without them the record would claim to be current, alive and whole.
    ...modifier(patient, "active"),
    gender: codeIn(patient["gender"], genders),
    ...releaseBirth(patient, release.horizon),
    ...releaseDeath(patient),
    address: addresses.length > 0 ? addresses : undefined,
    link: links.length > 0 ? links : undefined,
  };
}

/** A modifier whose value is absent stays masked. */
function modifier(patient: JsonObject, name: string): Members {
  if (patient[name] !== undefined) return { [name]: patient[name] };
  return patient[`_${name}`] === undefined ? {} : { [`_${name}`]: masked };
}

/** (C): the year, unless it shows an age over 89; then the element is masked, which says "90 or older" or unknown. */
function releaseBirth(patient: JsonObject, horizon: number): Members {
  const { birthDate, _birthDate } = patient;
  if (birthDate === undefined) return _birthDate === undefined ? {} : { _birthDate: masked };
  const born = yearOf(birthDate);
  if (born === undefined) throw malformed("Patient.birthDate");
  const year = birthYear(born, horizon, deathYear(patient));
  return year === undefined ? { _birthDate: masked } : { birthDate: year };
}

/** (C): that the person died, never when. */
function releaseDeath(patient: JsonObject): Members {
  if (patient["deceasedDateTime"] !== undefined) return { deceasedBoolean: true };
  if (patient["_deceasedDateTime"] !== undefined) return { _deceasedBoolean: masked };
  return modifier(patient, "deceasedBoolean");
}

function deathYear(patient: JsonObject): number | undefined {
  const died = patient["deceasedDateTime"];
  if (died === undefined) return undefined;
  const year = yearOf(died);
  if (year === undefined) throw malformed("Patient.deceasedDateTime");
  return year;
}

/** (B): State and ZIP3 of a US address; of any other address nothing. */
function releaseAddress(address: JsonObject): JsonObject | undefined {
  const { country, postalCode, use } = address;
  const foreign = (country !== undefined && !isUnitedStates(country)) || address["_country"] !== undefined;
  const state = stateCode(address["state"]);
  // A state that is none of the United States is a foreign address, whatever its postal code looks like.
  const elsewhere = address["state"] !== undefined && state === undefined;
  if (foreign || elsewhere || (state === undefined && typeof postalCode !== "string")) return undefined;
  const kept: Members = {
    use: codeIn(use, addressUses),
    state,
    postalCode: typeof postalCode === "string" ? zip3(postalCode) : undefined,
    country: country === undefined ? undefined : "US",
  };
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
}

/** A link is a modifier (this record may be replaced), so it stays, under pseudonyms or masked. */
function releaseLink(link: JsonObject, release: Release): JsonObject {
  const type = codeIn(link["type"], linkTypes);
  if (type === undefined) throw malformed("Patient.link.type");
  return { other: pseudonymReference(link["other"], ["Patient", "RelatedPerson"], release) ?? masked, type };
}
