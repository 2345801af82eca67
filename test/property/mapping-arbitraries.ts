// Records for the laws of the two example mappings: valid, but in every shape that reality has: lists in any order,
// absent, null, empty and masked values, combining characters, partial dates, elements that no mapping names.
import fc from "fast-check";
import type { Json, JsonObject } from "../../src/core/json.ts";

const masked = {
  extension: [{ url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" }],
};
const letters = fc.constantFrom(
  "a",
  "Z",
  " ",
  "e\u0301",
  "é",
  "Å",
  "ß",
  "שׁ",
  "'",
  "=",
  "-",
  "\u0323",
  "🙂",
  "한",
  "\r\n",
  "\t",
);
const words = fc.array(letters, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(""));
/** Not blank, and not what means masked. */
const text = words.filter((one) => one.trim() !== "");
const line = text.map((one) => one.replaceAll(/[\r\n\t]/g, "-"));
const id = fc.stringMatching(/^[A-Za-z0-9]{15}$/);
const day = fc
  .date({ min: new Date("1901-01-01"), max: new Date("2026-11-20"), noInvalidDate: true })
  .map((one) => one.toISOString().slice(0, 10));
const moment = fc.date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true });
const offsets = fc.constantFrom<[string, number]>(["Z", 0], ["+02:00", 120], ["-05:30", -330]);

/** The instant as a local time with any offset, with or without milliseconds. */
const fhirInstant = fc.tuple(moment, offsets, fc.boolean()).map(([at, [zone, minutes], short]) => {
  const local = new Date(at.getTime() + minutes * 60_000).toISOString().slice(0, -1);
  return (short ? local.slice(0, -4) : local) + zone;
});
const crmInstant = moment.map((at) => at.toISOString().replace("Z", "+0000"));

/** Members in any order, each there or not; null stands for "not there". */
function object(
  members: Record<string, fc.Arbitrary<Json>>,
  sure: Record<string, fc.Arbitrary<Json>> = {},
): fc.Arbitrary<JsonObject> {
  return fc
    .tuple(
      fc.record(members, { requiredKeys: [] }),
      fc.record(sure),
      fc.array(fc.nat(99), { minLength: 12, maxLength: 12 }),
    )
    .map(([some, all, order]) => {
      const entries = Object.entries({ ...all, ...some } as Record<string, Json>);
      return Object.fromEntries(
        entries
          .map((entry, at) => ({ entry, key: order[at] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry),
      );
    });
}

const extras = {
  id: fc.constant("x1"),
  extension: fc.constant([{ url: "urn:x", valueString: "kept" }]),
  period: fc.constant({ start: "2001" }),
};
const name = object(
  {
    ...extras,
    use: fc.constantFrom("usual", "old"),
    given: fc.array(text, { minLength: 1, maxLength: 3 }),
    prefix: fc.constant(["Dr"]),
  },
  { family: text },
);
const official = object(
  { ...extras, given: fc.array(text, { minLength: 1, maxLength: 3 }), suffix: fc.constant(["III"]) },
  { use: fc.constant("official"), family: text },
);
const telecom = object({
  ...extras,
  system: fc.constantFrom("phone", "email", "url"),
  use: fc.constantFrom("home", "mobile", "work"),
  value: line,
  rank: fc.constant(1),
  _value: fc.constant(masked),
}).map((one) => (one["value"] === undefined ? one : { ...one, _value: undefined }));
const address = object({
  ...extras,
  use: fc.constantFrom("home", "work"),
  line: fc.array(line, { minLength: 1, maxLength: 3 }),
  city: text,
  state: text,
  postalCode: text,
  country: text,
  district: text,
});

/** No member that is undefined: the resource is what JSON can hold. */
const clean = (resource: JsonObject): JsonObject => JSON.parse(JSON.stringify(resource)) as JsonObject;

const birth = fc.oneof(
  day.map((birthDate) => ({ birthDate })),
  day.map((one) => ({ birthDate: one.slice(0, 7) })),
  day.map((one) => ({
    birthDate: one.slice(0, 4),
    _birthDate: { extension: [{ url: "urn:birth-time", valueString: "x" }] },
  })),
  fc.constantFrom({ birthDate: "1900-01-01" }, { _birthDate: masked }, {}),
);
const death = fc.constantFrom(
  {},
  { deceasedBoolean: false },
  { deceasedBoolean: true },
  { deceasedDateTime: "2020-01" },
);

export const patient: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.tuple(fc.array(name, { maxLength: 2 }), official, fc.array(official, { maxLength: 1 })),
    object({
      active: fc.boolean(),
      gender: fc.constantFrom("male", "female", "other", "unknown"),
      telecom: fc.array(telecom, { minLength: 1, maxLength: 4 }),
      address: fc.array(address, { minLength: 1, maxLength: 3 }),
      identifier: fc.constant([{ system: "urn:oid:2.16.840.1.113883.19.5", value: "M1" }, { value: "other" }]),
      maritalStatus: fc.constant({ text: "kept" }),
      contact: fc.constant([{ name: { family: "kept" } }]),
      notInR4: fc.constant({ kept: true }),
    }),
    birth,
    death,
  )
  .map(([[before, one, after], rest, birthDate, deceased]) =>
    clean({ resourceType: "Patient", id: "p1", ...birthDate, name: [...before, one, ...after], ...rest, ...deceased }),
  );

const empty = fc.constantFrom(null, "", "  ");
const maybe = (value: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: empty });

export const contact: fc.Arbitrary<JsonObject> = fc.record(
  {
    LastName: text,
    FirstName: maybe(text),
    Birthdate: maybe(fc.oneof(day, fc.constant("1900-01-01"))),
    Gender__c: maybe(fc.constantFrom("Male", "Female", "Other", "Unknown")),
    MRN__c: maybe(text),
    Email: maybe(line),
    MobilePhone: maybe(line),
    HomePhone: maybe(fc.constantFrom("000-000-0000", "555 1234 x9", "REDACTED")),
    MailingStreet: maybe(text),
    MailingCity: maybe(text),
    MailingState: maybe(text),
    MailingPostalCode: maybe(text),
    MailingCountry: maybe(text),
    Active__c: maybe(fc.boolean()),
    Deceased__c: maybe(fc.boolean()),
  },
  { requiredKeys: ["LastName"] },
);

const otherParticipant = fc.constantFrom<Json>(
  { actor: { reference: "Practitioner/1", display: "Dr" }, status: "accepted" },
  { type: [{ text: "room" }], actor: { reference: "Location/2" }, status: "tentative" },
  { type: [{ text: "none yet" }], status: "needs-action" },
);
const patientParticipant = fc
  .tuple(id, fc.constantFrom("", "https://ehr.example/r4/"), fc.constantFrom("", "/_history/3"))
  .map(([one, base, version]): Json => ({
    id: "x1",
    actor: { display: "kept if equal", reference: `${base}Patient/${one}${version}` },
    status: "declined",
  }));
const relative = id.map((one): Json => ({
  actor: { reference: `Patient/${one}`, display: "kept if equal" },
  required: "required",
  status: "declined",
}));

export const appointment: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.array(otherParticipant, { maxLength: 2 }),
    relative,
    fc.array(fc.oneof(otherParticipant, relative, patientParticipant), { maxLength: 2 }),
    object(
      { description: text, minutesDuration: fc.constant(30), comment: fc.constant("kept") },
      { start: fhirInstant, end: fhirInstant, status: fc.constantFrom("booked", "noshow", "cancelled") },
    ),
  )
  .map(([before, one, after, rest]) =>
    clean({ resourceType: "Appointment", id: "a1", ...rest, participant: [...before, one, ...after] }),
  );

export const event: fc.Arbitrary<JsonObject> = fc.record(
  {
    WhoId: id,
    StartDateTime: crmInstant,
    EndDateTime: crmInstant,
    Visit_Status__c: fc.constantFrom("Booked", "Cancelled", "No Show"),
    Subject: maybe(text),
  },
  { requiredKeys: ["WhoId", "StartDateTime", "EndDateTime", "Visit_Status__c"] },
);
