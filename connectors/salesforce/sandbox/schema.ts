// The objects and fields of the sandbox org, and what a value of each type must look like. Standard fields after the
// Object Reference, custom ones as a practice would add them for Sluice.
import { Refusal } from "./refusal.ts";

export type Value = string | number | boolean | null;
export type Fields = Readonly<Record<string, Value>>;

export type FieldType =
  "id" | "string" | "textarea" | "email" | "phone" | "picklist" | "boolean" | "date" | "datetime" | "reference" | "int";

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly length: number;
  readonly required: boolean;
  readonly readOnly: boolean;
  readonly externalId: boolean;
  readonly initial: Value;
}

export interface SandboxObject {
  readonly name: string;
  /** First three characters of its ids. */
  readonly keyPrefix: string;
  readonly fields: ReadonlyMap<string, Field>;
}

type Flag = "required" | "readOnly" | "externalId";

function field(name: string, type: FieldType, length = 255, ...flags: readonly Flag[]): Field {
  return {
    name,
    type,
    length,
    required: flags.includes("required"),
    readOnly: flags.includes("readOnly"),
    externalId: flags.includes("externalId"),
    initial: type === "boolean" ? name === "Active__c" : null,
  };
}

const system: readonly Field[] = [
  field("Id", "id", 18, "readOnly"),
  field("CreatedDate", "datetime", 0, "readOnly"),
  field("LastModifiedDate", "datetime", 0, "readOnly"),
  field("SystemModstamp", "datetime", 0, "readOnly"),
  field("IsDeleted", "boolean", 0, "readOnly"),
  field("Sluice_Link_Id__c", "string", 64, "externalId"),
];

const contact: readonly Field[] = [
  field("LastName", "string", 80, "required"),
  field("FirstName", "string", 40),
  field("MiddleName", "string", 40),
  field("Suffix", "string", 40),
  field("Salutation", "picklist", 40),
  field("Name", "string", 121, "readOnly"),
  field("Birthdate", "date"),
  field("Email", "email", 80),
  field("Phone", "phone", 40),
  field("MobilePhone", "phone", 40),
  field("HomePhone", "phone", 40),
  field("OtherPhone", "phone", 40),
  field("MailingStreet", "textarea"),
  field("MailingCity", "string", 40),
  field("MailingState", "string", 80),
  field("MailingPostalCode", "string", 20),
  field("MailingCountry", "string", 80),
  field("Description", "textarea", 32_000),
  field("LeadSource", "picklist", 40),
  field("AccountId", "reference", 18),
  field("HasOptedOutOfEmail", "boolean"),
  field("DoNotCall", "boolean"),
  field("Gender__c", "picklist"),
  field("MRN__c", "string", 64),
  field("SSN__c", "string", 40),
  field("Active__c", "boolean"),
  field("Deceased__c", "boolean"),
  field("Deceased_Date__c", "datetime"),
  field("Preferred_Language__c", "picklist"),
];

const event: readonly Field[] = [
  field("Subject", "string", 255),
  field("WhoId", "reference", 18),
  field("OwnerId", "reference", 18),
  field("WhatId", "reference", 18),
  field("StartDateTime", "datetime"),
  field("EndDateTime", "datetime"),
  field("ActivityDate", "date"),
  field("DurationInMinutes", "int"),
  field("IsAllDayEvent", "boolean"),
  field("IsPrivate", "boolean"),
  field("Location", "string", 255),
  field("Description", "textarea", 32_000),
  field("ShowAs", "picklist", 40),
  field("Visit_Status__c", "picklist"),
  field("Visit_Type__c", "picklist"),
  field("Visit_Reason__c", "string", 255),
];

/** The org's objects; `custom` adds text fields of the deployment's own, by object. */
export function orgSchema(
  custom: Readonly<Record<string, readonly string[]>> = {},
): ReadonlyMap<string, SandboxObject> {
  const object = (name: string, keyPrefix: string, own: readonly Field[]): [string, SandboxObject] => {
    const added = (custom[name] ?? []).map((added) => field(added, "string"));
    return [name, { name, keyPrefix, fields: new Map([...system, ...own, ...added].map((each) => [each.name, each])) }];
  };
  return new Map([object("Contact", "003", contact), object("Event", "00U", event)]);
}

/** A datetime as Salesforce answers it. */
export function stampText(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "+0000");
}

/** The value as it is stored. Throws Refusal as the org would answer. */
export function checkValue(field: Field, value: unknown): Value {
  if (value === null || value === "") return field.type === "boolean" ? wrongType(field) : null;
  switch (field.type) {
    case "boolean":
      return typeof value === "boolean" ? value : wrongType(field);
    case "int":
      return typeof value === "number" && Number.isInteger(value) ? value : wrongType(field);
    case "date":
      return checkDate(field, value);
    case "datetime":
      return checkInstant(field, value);
    default:
      return checkText(field, value);
  }
}

function checkText(field: Field, value: unknown): string {
  if (typeof value !== "string") return wrongType(field);
  if (value.length > field.length) {
    throw new Refusal(
      400,
      "STRING_TOO_LONG",
      `${field.name}: data value too large: ${value} (max length=${field.length})`,
      [field.name],
    );
  }
  if (field.type === "email" && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(value)) {
    throw new Refusal(400, "INVALID_EMAIL_ADDRESS", `${field.name}: invalid email address: ${value}`, [field.name]);
  }
  if (field.type === "reference" && !/^[a-zA-Z0-9]{15}([a-zA-Z0-9]{3})?$/.test(value)) {
    throw new Refusal(400, "MALFORMED_ID", `${field.name}: id value of incorrect type: ${value}`, [field.name]);
  }
  return value;
}

function checkDate(field: Field, value: unknown): string {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return wrongType(field);
  const at = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value) ? value : wrongType(field);
}

function checkInstant(field: Field, value: unknown): string {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})$/.test(value))
    return wrongType(field);
  const at = Date.parse(value);
  return Number.isNaN(at) ? wrongType(field) : stampText(Math.floor(at / 1000) * 1000);
}

function wrongType(field: Field): never {
  throw new Refusal(400, "JSON_PARSER_ERROR", `Cannot deserialize instance of ${field.type} for field ${field.name}`, [
    field.name,
  ]);
}
