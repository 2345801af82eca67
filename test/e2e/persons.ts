// Invented persons, their visits and consents, as the CRM and the EHR write them, complete enough that two records of one
// person match.
import type { JsonObject } from "../../src/core/json.ts";
import type { Resource } from "../../connectors/fhir-r4/sandbox/index.ts";

/** Marks their names: nobody else is called so. */
const families = ["Lindholm", "Okonkwo", "Marchetti", "Yamada", "Kowalczyk", "Dubois", "Serrano", "Haugen"];

export function contactOf(n: number, over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    LastName: `${families[n % families.length] ?? ""}${letters(n)}`,
    FirstName: `Given${letters(n)}`,
    Birthdate: birthDate(n),
    Gender__c: "Female",
    Email: `person${n}@mail.example`,
    MobilePhone: phone(n),
    MailingStreet: `${n + 1} Quay Lane`,
    MailingCity: "Port Ansel",
    MailingState: "ME",
    MailingPostalCode: "04101",
    MailingCountry: "US",
    Active__c: true,
    ...over,
  };
}

export function patientOf(n: number, over: JsonObject = {}): Resource {
  return {
    resourceType: "Patient",
    id: `patient-${n}`,
    active: true,
    name: [
      {
        use: "official",
        family: `${families[n % families.length] ?? ""}${letters(n)}`,
        given: [`Given${letters(n)}`, "Middle"],
      },
    ],
    gender: "female",
    birthDate: birthDate(n),
    telecom: [
      { system: "phone", use: "mobile", value: phone(n) },
      { system: "email", value: `person${n}@mail.example` },
    ],
    address: [
      {
        use: "home",
        line: [`${n + 1} Quay Lane`],
        city: "Port Ansel",
        state: "ME",
        postalCode: "04101",
        country: "US",
      },
    ],
    ...over,
  };
}

export function eventOf(who: string, over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    WhoId: who,
    Subject: "Follow-up",
    StartDateTime: "2027-03-01T15:00:00.000+0000",
    EndDateTime: "2027-03-01T15:30:00.000+0000",
    Visit_Status__c: "Booked",
    IsAllDayEvent: false,
    IsPrivate: false,
    ...over,
  };
}

export function appointmentOf(id: string, patients: readonly string[], over: JsonObject = {}): Resource {
  return {
    resourceType: "Appointment",
    id,
    status: "booked",
    start: "2027-03-02T15:00:00Z",
    end: "2027-03-02T15:30:00Z",
    participant: patients.map((patient) => ({ actor: { reference: `Patient/${patient}` }, status: "accepted" })),
    ...over,
  };
}

const terminology = "http://terminology.hl7.org/CodeSystem";

/** A consent by which the patient opts out of everything, or, `status: "inactive"`, did so once. */
export function optOut(patient: string, id = `consent-${patient}`): Resource {
  return {
    resourceType: "Consent",
    id,
    status: "active",
    scope: { coding: [{ system: `${terminology}/consentscope`, code: "patient-privacy" }] },
    category: [{ coding: [{ system: "http://loinc.org", code: "59284-0" }] }],
    patient: { reference: `Patient/${patient}` },
    dateTime: "2026-01-05T10:00:00Z",
    policyRule: { coding: [{ system: `${terminology}/v3-ActCode`, code: "OPTOUT" }] },
  };
}

function letters(n: number): string {
  return [...String(n)].map((digit) => "abcdefghij".charAt(Number(digit))).join("");
}

/** Another day for each, so that each person has a lane of their own; for 10,000 persons it is in the past. */
function birthDate(n: number): string {
  return new Date(Date.UTC(1950, 0, 1 + n * 2)).toISOString().slice(0, 10);
}

function phone(n: number): string {
  return `(555) 555-${String(n % 10_000).padStart(4, "0")}`;
}
