// How the EHR has written the persons and their visits down: FHIR R4 Patients and Appointments, with narrative and
// identifiers that must never leave the EHR.
import { instant } from "../core/clock.ts";
import type { JsonObject } from "../core/json.ts";
import type { CanarySource } from "./canaries.ts";
import { phoneText, type Person } from "./person.ts";
import type { Prng } from "./prng.ts";
import type { Stamped, Visit } from "./salesforce.ts";
import { practitioners } from "./words.ts";

/** The practice's own system of medical record numbers. */
export const mrnSystem = "urn:oid:2.16.840.1.113883.19.5";
const ssnSystem = "http://hl7.org/fhir/sid/us-ssn";

/** A logical id as servers make them. */
export function fhirId(random: Prng): string {
  return [8, 4, 4, 12].map((length) => random.text("0123456789abcdef", length)).join("-");
}

export function meta({ changedAt }: Stamped, security?: JsonObject): JsonObject {
  return { versionId: "1", lastUpdated: instant(changedAt), ...(security ? { security: [security] } : {}) };
}

const htest = {
  system: "http://terminology.hl7.org/CodeSystem/v3-ActReason",
  code: "HTEST",
  display: "test health data",
};

export function narrative(words: string): JsonObject {
  return { status: "generated", div: `<div xmlns="http://www.w3.org/1999/xhtml">${words}</div>` };
}

export function patient(person: Person, record: Stamped, at: number, canaries: CanarySource): JsonObject {
  return {
    resourceType: "Patient",
    id: record.id,
    meta: meta(record, person.trait === "test-patient" ? htest : undefined),
    text: narrative(canaries.secret()),
    ...(person.trait === "unknown-modifier" ? unknownModifier : {}),
    identifier: [
      { use: "usual", system: mrnSystem, value: person.mrn },
      { use: "official", system: ssnSystem, value: canaries.secret() },
    ],
    active: true,
    name: [
      {
        use: "official",
        family: person.family,
        given: [person.given, ...(person.middle === undefined ? [] : [person.middle])],
      },
    ],
    telecom: telecom(person),
    gender: person.gender,
    ...birth(person),
    ...(person.trait === "deceased" ? { deceasedDateTime: instant(at - 40 * 86_400_000).slice(0, 10) } : {}),
    address: [
      {
        use: "home",
        line: person.street.split("\n"),
        city: person.city,
        state: person.state,
        postalCode: person.zip,
        country: "US",
      },
    ],
    communication: [{ language: { coding: [{ system: "urn:ietf:bcp:47", code: person.language }] }, preferred: true }],
    ...(person.trait === "minor" ? { contact: [guardian(person, canaries)] } : {}),
  };
}

const unknownModifier = {
  modifierExtension: [
    { url: "http://harbor.example/fhir/StructureDefinition/record-under-dispute", valueBoolean: true },
  ],
};

function birth({ trait, birthDate }: Person): JsonObject {
  if (trait === "missing-birth-date") return {};
  return { birthDate: trait === "partial-birth-date" ? birthDate.slice(0, 4) : birthDate };
}

function telecom({ mobile, home, email, trait }: Person): JsonObject[] {
  const style = trait === "formatted-differently" ? "international" : "us";
  return [
    { system: "phone", use: "mobile", value: phoneText(mobile, style) },
    ...(home === undefined ? [] : [{ system: "phone", use: "home", value: phoneText(home, style) }]),
    { system: "email", value: email },
  ];
}

function guardian(person: Person, canaries: CanarySource): JsonObject {
  const relationship = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0131", code: "N" }] };
  return { relationship: [relationship], name: { family: person.family, text: canaries.secret() } };
}

export function appointment(
  patientId: string,
  visit: Visit,
  record: Stamped,
  at: number,
  random: Prng,
  canaries: CanarySource,
): JsonObject {
  const past = visit.start < at;
  return {
    resourceType: "Appointment",
    id: record.id,
    meta: meta(record),
    text: narrative(canaries.secret()),
    status: past
      ? random.pick(["fulfilled", "fulfilled", "noshow"])
      : random.pick(["booked", "booked", "pending", "cancelled"]),
    description: visit.title,
    start: instant(visit.start),
    end: instant(visit.start + visit.minutes * 60_000),
    minutesDuration: visit.minutes,
    comment: `Internal: ${canaries.secret()}`,
    participant: [
      { actor: { reference: `Patient/${patientId}` }, status: "accepted" },
      { actor: { display: random.pick(practitioners) }, status: "accepted" },
    ],
  };
}
