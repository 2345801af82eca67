// How the CRM has written the persons and their visits down: Salesforce Contacts and Events, with the custom fields of the
// example mapping and with data that must never leave the CRM.
import type { JsonObject } from "../core/json.ts";
import type { CanarySource } from "./canaries.ts";
import { phoneText, type Person } from "./person.ts";
import type { Prng } from "./prng.ts";

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** An 18-character record id: key prefix, instance, number, checksum. */
export function salesforceId(prefix: "003" | "00U" | "005", n: number): string {
  let number = "";
  for (let rest = n; number.length < 8; rest = Math.floor(rest / 62)) number = base62.charAt(rest % 62) + number;
  return withChecksum(`${prefix}Hb00${number}`);
}

/** The 15-character id and three letters, each saying which of five letters are upper case. */
export function withChecksum(id: string): string {
  const letters = [0, 5, 10].map((start) => {
    const bits = [...id.slice(start, start + 5)].reduce(
      (sum, letter, i) => sum + (/[A-Z]/.test(letter) ? 1 << i : 0),
      0,
    );
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".charAt(bits);
  });
  return id + letters.join("");
}

/** Salesforce writes `2026-11-25T10:00:00.000+0000`. */
export function salesforceTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "+0000");
}

export interface Stamped {
  readonly id: string;
  readonly changedAt: number;
}

function stamps({ id, changedAt }: Stamped): JsonObject {
  const time = salesforceTime(changedAt);
  return {
    Id: id,
    IsDeleted: false,
    CreatedDate: time,
    LastModifiedDate: time,
    SystemModstamp: time,
    Sluice_Link_Id__c: null,
  };
}

const genders = { male: "Male", female: "Female", other: "Other", unknown: "Unknown" } as const;

export function contact(person: Person, record: Stamped, canaries: CanarySource): JsonObject {
  const odd = person.trait === "formatted-differently";
  const plain: JsonObject = {
    ...stamps(record),
    LastName: person.family,
    FirstName: person.given,
    Birthdate: person.birthDate,
    Gender__c: genders[person.gender],
    MRN__c: null,
    Email: odd ? person.email.toUpperCase() : person.email,
    MobilePhone: phoneText(person.mobile, odd ? "dashes" : "us"),
    HomePhone: person.home === undefined ? null : phoneText(person.home, "us"),
    MailingStreet: person.street,
    MailingCity: person.city,
    MailingState: person.state,
    MailingPostalCode: person.zip,
    MailingCountry: "US",
    Active__c: true,
    Deceased__c: person.trait === "deceased",
    LeadSource: "Web",
    SSN__c: canaries.secret(),
    Description: `Prefers calls in the evening. ${canaries.secret()}`,
  };
  return { ...plain, ...defects(person) };
}

/** What people and imports do to records. */
function defects({ trait, family, given }: Person): JsonObject {
  if (trait === "bad-birth-date") return { Birthdate: "2031-02-28" };
  if (trait === "placeholder-birth-date") return { Birthdate: "1900-01-01" };
  if (trait === "control-character") return { LastName: `${family}\u0007`, MailingStreet: "12 Quay Lane\u0000" };
  if (trait === "unknown-picklist") return { Gender__c: "Two-Spirit" };
  if (trait === "missing-fields")
    return { LastName: given, FirstName: null, Email: null, MobilePhone: "ask her sister", MailingPostalCode: null };
  return {};
}

/** Where a visit is in time and what it is called. */
export interface Visit {
  readonly start: number;
  readonly minutes: number;
  /** A phi canary is in it. */
  readonly title: string;
}

/** @param at "Today": what is before has taken place. */
export function event(
  who: string,
  visit: Visit,
  record: Stamped,
  at: number,
  random: Prng,
  canaries: CanarySource,
): JsonObject {
  const past = visit.start < at;
  return {
    ...stamps(record),
    WhoId: who,
    OwnerId: salesforceId("005", 1),
    Subject: visit.title,
    StartDateTime: salesforceTime(visit.start),
    EndDateTime: salesforceTime(visit.start + visit.minutes * 60_000),
    Visit_Status__c: past
      ? random.pick(["Completed", "Completed", "No Show"])
      : random.pick(["Booked", "Booked", "Pending"]),
    IsAllDayEvent: false,
    IsPrivate: false,
    Location: "Video",
    Description: `Internal: ${canaries.secret()}`,
  };
}

/** Entries of the calendar that are no visits: a whole day, a private matter, a meeting without a patient. */
export function noVisits(
  who: string,
  visit: Visit,
  records: readonly Stamped[],
  at: number,
  random: Prng,
  canaries: CanarySource,
): JsonObject[] {
  const [wholeDay, personal, meeting] = records;
  const made: JsonObject[] = [];
  const midnight = Math.floor(visit.start / 86_400_000) * 86_400_000;
  if (wholeDay) {
    const start = salesforceTime(midnight);
    made.push({
      ...event(who, visit, wholeDay, at, random, canaries),
      IsAllDayEvent: true,
      Subject: canaries.secret(),
      StartDateTime: start,
      EndDateTime: start,
    });
  }
  if (personal)
    made.push({ ...event(who, visit, personal, at, random, canaries), IsPrivate: true, Subject: canaries.secret() });
  if (meeting)
    made.push({ ...event(who, visit, meeting, at, random, canaries), WhoId: null, Subject: canaries.secret() });
  return made;
}
