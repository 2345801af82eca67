// The sandboxes' records read by the test itself, without Sluice's mapping engine: both sides as the same flat values.
import { isJsonObject, type Json, type JsonObject } from "../../src/core/json.ts";
import type { Fields } from "../../connectors/salesforce/sandbox/index.ts";

export type Values = Readonly<Record<string, string | undefined>>;

/** Names of values that the CRM's users edit, and of those that the EHR's users edit: never the same ones. */
export const editedIn = { crm: ["mobile", "status"], ehr: ["street", "start", "end"] } as const;

export function readContact(fields: Fields): Values {
  return {
    given: text(fields["FirstName"]),
    family: text(fields["LastName"]),
    birthDate: text(fields["Birthdate"]),
    email: text(fields["Email"]),
    mobile: text(fields["MobilePhone"]),
    home: text(fields["HomePhone"]),
    street: text(fields["MailingStreet"]),
    city: text(fields["MailingCity"]),
    state: text(fields["MailingState"]),
    zip: text(fields["MailingPostalCode"]),
    country: text(fields["MailingCountry"]),
  };
}

export function readPatient(patient: JsonObject): Values {
  const name = first(patient["name"], (one) => one["use"] === "official");
  const home = first(patient["address"], (one) => one["use"] === "home");
  const phone = (use: string): string | undefined =>
    text(first(patient["telecom"], (one) => one["system"] === "phone" && one["use"] === use)["value"]);
  return {
    given: text(list(name["given"])[0]),
    family: text(name["family"]),
    birthDate: text(patient["birthDate"]),
    email: text(first(patient["telecom"], (one) => one["system"] === "email")["value"]),
    mobile: phone("mobile"),
    home: phone("home"),
    street: list(home["line"]).map(text).join("\n"),
    city: text(home["city"]),
    state: text(home["state"]),
    zip: text(home["postalCode"]),
    country: text(home["country"]),
  };
}

/** @param personOf The person's key of a Contact id. */
export function readEvent(fields: Fields, personOf: (id: string) => string | undefined): Values {
  return {
    person: personOf(text(fields["WhoId"]) ?? ""),
    status: text(fields["Visit_Status__c"])?.toLowerCase(),
    start: time(fields["StartDateTime"]),
    end: time(fields["EndDateTime"]),
  };
}

/** @param personOf The person's key of a Patient id. */
export function readAppointment(resource: JsonObject, personOf: (id: string) => string | undefined): Values {
  const references = list(resource["participant"]).map((one) =>
    isJsonObject(one) && isJsonObject(one["actor"]) ? text(one["actor"]["reference"]) : undefined,
  );
  const patient = references.find((reference) => reference?.startsWith("Patient/") === true);
  return {
    person: personOf(patient?.slice("Patient/".length) ?? ""),
    status: text(resource["status"]),
    start: time(resource["start"]),
    end: time(resource["end"]),
  };
}

/** Identifiers of Sluice's own system in a resource. */
export function linkIdsOf(resource: JsonObject, system: string): readonly string[] {
  const items = list(resource["identifier"]).filter(isJsonObject);
  return items.filter((one) => one["system"] === system).map((one) => text(one["value"]) ?? "");
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function first(value: Json | undefined, wanted: (one: JsonObject) => boolean): JsonObject {
  return list(value).filter(isJsonObject).find(wanted) ?? {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function time(value: unknown): string | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
