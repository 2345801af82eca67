// The strict Safe Harbor profile: what is left of a Patient and an Appointment, and what is refused.
import assert from "node:assert/strict";
import { SluiceError, type ErrorCode } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { deidentify, type Deidentified } from "../../../src/deidentify/safe-harbor.ts";

const at = Date.parse("2026-11-24T12:00:00Z");
const masked = {
  extension: [{ url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" }],
};

function run(resource: JsonObject, horizonYears?: number): Deidentified {
  const pseudonyms = new Map<string, string>();
  const pseudonym = (reference: string): string => {
    if (!pseudonyms.has(reference)) pseudonyms.set(reference, `random_${pseudonyms.size}`);
    return pseudonyms.get(reference) ?? "";
  };
  return deidentify(resource, { pseudonym, at, ...(horizonYears === undefined ? {} : { horizonYears }) });
}

/** What is left besides type, id and meta. */
function left(resource: JsonObject): JsonObject {
  const { resourceType: _type, id: _id, meta: _meta, ...rest } = run(resource).resource;
  return rest;
}

function patient(elements: JsonObject): JsonObject {
  return { resourceType: "Patient", id: "secret-1", ...elements };
}

const appointment: JsonObject = {
  resourceType: "Appointment",
  id: "secret-2",
  meta: { lastUpdated: "2026-11-20T10:00:00Z", source: "https://ehr.example/secret" },
  identifier: [{ system: "https://ehr.example/visits", value: "4711" }],
  status: "booked",
  serviceType: [{ text: "Oncology" }],
  appointmentType: {
    coding: [
      {
        system: "http://terminology.hl7.org/CodeSystem/v2-0276",
        version: "9",
        code: "FOLLOWUP",
        display: "Follow-up with Ann",
      },
    ],
    text: "Ann",
  },
  reasonCode: [{ text: "cough" }],
  description: "Ann Alder",
  start: "2026-12-04T12:00:00-05:00",
  end: "2027-01-04T12:30:00-05:00",
  minutesDuration: 30,
  created: "2026-11-20",
  participant: [
    {
      actor: { reference: "Patient/secret-1", display: "Ann Alder" },
      required: "required",
      status: "accepted",
      period: { start: "2026-12-04" },
    },
    { actor: { reference: "Practitioner/secret-3", display: "Dr. Birch" }, status: "accepted" },
  ],
};

function refused(code: ErrorCode, resource: JsonObject, path: string): void {
  assert.throws(
    () => run(resource),
    (error) => {
      assert.ok(error instanceof SluiceError);
      assert.deepEqual([error.code, error.detail.elements], [code, [path]]);
      assert.equal(/secret|Ann/.test(JSON.stringify({ ...error.detail, message: error.message })), false);
      return true;
    },
  );
}

describe("deidentify/safe-harbor", () => {
  describe("Patient", () => {
    it("keeps year, State, ZIP3, gender and modifiers, under a random id, and nothing else", () => {
      const { resource, claim, released, withheld } = run(
        patient({
          meta: { versionId: "7", profile: ["https://ehr.example/secret"] },
          text: { status: "generated", div: "<div>Ann</div>" },
          extension: [
            { url: "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", valueString: "Birch" },
          ],
          identifier: [{ value: "900-12-0001" }],
          active: true,
          name: [{ family: "Alder" }],
          telecom: [{ system: "email", value: "ann@x.example" }],
          gender: "female",
          birthDate: "1980-05-05",
          _birthDate: {
            extension: [
              {
                url: "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                valueDateTime: "1980-05-05T13:37:00-05:00",
              },
            ],
          },
          address: [
            {
              use: "home",
              line: ["1 Elm St"],
              city: "Salem",
              state: "Massachusetts",
              postalCode: "01970-1234",
              country: "US",
              period: { start: "2020-01-01" },
            },
          ],
          maritalStatus: { text: "married to Bob" },
        }),
      );
      assert.deepEqual(resource, {
        resourceType: "Patient",
        id: "random.0",
        meta: {
          security: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "ANONYED" }],
          tag: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "SUBSETTED" }],
        },
        active: true,
        gender: "female",
        birthDate: "1980",
        address: [{ use: "home", state: "MA", postalCode: "019", country: "US" }],
      });
      assert.equal(claim, "safe-harbor");
      assert.deepEqual(released, [
        "active",
        "address.country",
        "address.postalCode",
        "address.state",
        "address.use",
        "birthDate",
        "gender",
        "id",
        "meta",
      ]);
      assert.deepEqual(withheld, [
        "address.city",
        "address.line",
        "address.period.start",
        "birthDate.extension",
        "extension",
        "identifier.value",
        "maritalStatus.text",
        "name.family",
        "telecom.system",
        "telecom.value",
        "text",
      ]);
    });

    it("masks a birth year that shows an age over 89, keeps one that does not", () => {
      assert.deepEqual(left(patient({ birthDate: "1936-11-25" })), { _birthDate: masked });
      assert.deepEqual(left(patient({ birthDate: "1937-11-25" })), { birthDate: "1937" });
      assert.deepEqual(run(patient({ birthDate: "1937-11-25" }), 1).resource["birthDate"], undefined);
      assert.deepEqual(left(patient({ birthDate: "2027-01-01" })), { _birthDate: masked });
      assert.deepEqual(left(patient({ _birthDate: masked })), { _birthDate: masked });
    });

    it("says that somebody died, not when", () => {
      assert.deepEqual(left(patient({ birthDate: "1920-02-02", deceasedDateTime: "2011-03-03" })), {
        _birthDate: masked,
        deceasedBoolean: true,
      });
      assert.deepEqual(left(patient({ birthDate: "1927-02-02", deceasedDateTime: "1994-03-03" })), {
        birthDate: "1927",
        deceasedBoolean: true,
      });
      assert.deepEqual(left(patient({ deceasedBoolean: false })), { deceasedBoolean: false });
      assert.deepEqual(left(patient({ _deceasedDateTime: masked })), { _deceasedBoolean: masked });
    });

    it("gives 000 for a small area and nothing for an address abroad or in words", () => {
      const address = (one: JsonObject): unknown => left(patient({ address: [one] }))["address"];
      assert.deepEqual(address({ postalCode: "05905", country: "US" }), [{ postalCode: "000", country: "US" }]);
      assert.deepEqual(address({ postalCode: "K1A 0B1", country: "CA" }), undefined);
      assert.deepEqual(address({ postalCode: "10115", country: "Germany", state: "MA" }), undefined);
      assert.deepEqual(address({ text: "12 Elm St, Guildhall VT 05905" }), undefined);
      assert.deepEqual(address({ state: "Vermont", postalCode: "0360" }), [{ state: "VT", postalCode: "000" }]);
      assert.deepEqual(address({ state: "Ann Alder's" }), undefined);
      assert.deepEqual(address({ state: "VT", use: "Ann" }), [{ state: "VT" }]);
    });

    it("keeps a link, which is a modifier, under a pseudonym or masked", () => {
      const link = (reference: string): unknown =>
        left(patient({ link: [{ other: { reference, display: "Ann" }, type: "replaced-by" }] }))["link"];
      assert.deepEqual(link("Patient/secret-9"), [{ other: { reference: "Patient/random.0" }, type: "replaced-by" }]);
      for (const reference of ["https://ehr.example/Patient/secret-9", "#p", "urn:uuid:1", "Patient?name=Ann"])
        assert.deepEqual(link(reference), [{ other: masked, type: "replaced-by" }]);
    });

    it("drops a gender that is no code", () => {
      assert.deepEqual(left(patient({ gender: "Ann" })), {});
      assert.deepEqual(left(patient({ gender: "unknown" })), { gender: "unknown" });
    });
  });

  describe("Appointment", () => {
    it("keeps state, kind, length and years, and the patient under a pseudonym", () => {
      assert.deepEqual(left(appointment), {
        status: "booked",
        appointmentType: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0276", code: "FOLLOWUP" }] },
        _start: { extension: [...masked.extension, { url: "urn:x-sluice:event-year", valueDateTime: "2026" }] },
        _end: masked,
        minutesDuration: 30,
        created: "2026",
        participant: [{ actor: { reference: "Patient/random.0" }, required: "required", status: "accepted" }],
      });
    });

    it("keeps no type of another code system and no unusual length", () => {
      const coding = [{ system: "https://ehr.example/types", code: "FOLLOWUP" }];
      const rest = left({ ...appointment, appointmentType: { coding }, minutesDuration: 47 });
      assert.equal("appointmentType" in rest || "minutesDuration" in rest, false);
    });

    it("masks the participants where no patient is left, since one is mandatory", () => {
      const participant = [{ actor: { reference: "Location/secret-4" }, status: "accepted" }];
      assert.deepEqual(left({ ...appointment, participant })["participant"], [{ actor: masked, _status: masked }]);
    });
  });

  describe("refuses", () => {
    it("a type without a profile", () => {
      for (const resourceType of ["Observation", "toString", null])
        assert.throws(
          () => run({ ...appointment, resourceType }),
          (error) => error instanceof SluiceError && error.code === "input-unknown-type",
        );
    });
    const modifierExtension = [{ url: "urn:x", valueBoolean: true }];
    const rows: [string, ErrorCode, JsonObject, string][] = [
      [
        "an unknown modifier extension",
        "resource-withheld",
        patient({ modifierExtension }),
        "Patient.modifierExtension",
      ],
      [
        "one in a part that would be dropped",
        "resource-withheld",
        patient({ contact: [{ modifierExtension }] }),
        "Patient.contact.modifierExtension",
      ],
      ["implicit rules", "resource-withheld", patient({ implicitRules: "urn:secret" }), "Patient.implicitRules"],
      ["an unknown member", "input-malformed", patient({ "Ann Alder": true }), "Patient.(unknown)"],
      [
        "an unknown member deep inside",
        "input-malformed",
        patient({ name: [{ nick: "Ann" }] }),
        "Patient.name.(unknown)",
      ],
      ["a value of the wrong type", "input-malformed", patient({ active: "Ann" }), "Patient.active"],
      ["a list that is none", "input-malformed", patient({ name: { text: "Ann" } }), "Patient.name"],
      ["a birth date that is none", "input-malformed", patient({ birthDate: "5 May 1980" }), "Patient.birthDate"],
      [
        "a day of death that is none",
        "input-malformed",
        patient({ birthDate: "1980", deceasedDateTime: "Ann" }),
        "Patient.deceasedDateTime",
      ],
      [
        "a link of an unknown kind",
        "input-malformed",
        patient({ link: [{ other: {}, type: "Ann" }] }),
        "Patient.link.type",
      ],
      ["a resource without id", "input-malformed", { resourceType: "Patient" }, "Patient.id"],
      ["a status that is no code", "input-malformed", { ...appointment, status: "Ann" }, "Appointment.status"],
      ["a start that is no instant", "input-malformed", { ...appointment, start: "Ann" }, "Appointment.start"],
      [
        "a participant without status",
        "input-malformed",
        { ...appointment, participant: [{}] },
        "Appointment.participant.status",
      ],
      ["no participant", "input-malformed", { ...appointment, participant: [] }, "Appointment.participant"],
    ];
    for (const [name, code, resource, path] of rows) it(name, () => refused(code, resource, path));
    it("and accepts the twins", () => {
      for (const elements of [
        { extension: modifierExtension },
        { contact: [{ gender: "male" }] },
        { language: "en" },
        { name: [{ text: "Ann" }] },
        { active: true },
        { birthDate: "1980" },
      ])
        assert.ok(run(patient(elements)));
      assert.ok(run(appointment));
    });
    it("a pseudonym that is no id or is the record's own", () => {
      for (const code of ["secret-1", "", "a/b", "x".repeat(65)])
        assert.throws(
          () => deidentify(patient({}), { pseudonym: () => code, at }),
          (error) => error instanceof SluiceError && error.code === "internal",
        );
      assert.equal(deidentify(patient({}), { pseudonym: () => "A-b_9", at }).resource["id"], "A-b.9");
    });
  });
});
