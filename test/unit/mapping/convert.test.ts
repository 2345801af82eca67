// Reading and writing records by the example mappings: unknown, empty and required, what survives, what is withheld.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { SluiceError, type ErrorCode } from "../../../src/core/errors.ts";
import { parseJson, type Json, type JsonObject } from "../../../src/core/json.ts";
import { compileMapping } from "../../../src/mapping/compile.ts";
import { exampleMapping, noon, patientDeclaration, patientMapping } from "./load-mapping.ts";

const patients = exampleMapping("contact-patient");
const visits = exampleMapping("event-appointment");
const masked = {
  extension: [{ url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" }],
};
const synthea = new URL("../../../../shared/data/synthea/", import.meta.url);

function fails(code: ErrorCode, element: string, run: () => unknown): SluiceError {
  let caught: unknown;
  try {
    run();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof SluiceError, "nothing was refused");
  assert.equal(caught.code, code, caught.message);
  assert.deepEqual(caught.detail.elements, [element]);
  return caught;
}

const patient = (more: JsonObject = {}): JsonObject => ({
  resourceType: "Patient",
  id: "p1",
  name: [
    { use: "usual", family: "Nick" },
    { use: "official", family: "Muster", given: ["Mary", "Ann"], prefix: ["Dr"] },
  ],
  telecom: [
    { system: "phone", use: "mobile", value: "555 1", rank: 1 },
    { system: "phone", use: "home", value: "555 2" },
  ],
  ...more,
});
const contact = (more: JsonObject = {}): JsonObject => ({ LastName: "Muster", ...more });
const values = (entries: Record<string, Json>): ReadonlyMap<string, Json> => new Map(Object.entries(entries));

describe("mapping: unknown, empty and required", () => {
  it("reads absent and REDACTED CRM fields as unknown, null and empty as empty", () => {
    const read = patients.readCrm(
      contact({ Email: null, MailingCity: " ", MobilePhone: "REDACTED", FirstName: "Mary" }),
    );
    assert.deepEqual(Object.fromEntries(read), {
      LastName: "Muster",
      FirstName: "Mary",
      Email: null,
      MailingCity: null,
    });
  });

  it("reads a missing FHIR element as empty, of a partial resource as unknown", () => {
    assert.equal(patients.readFhir(patient()).get("Birthdate"), null);
    for (const code of ["SUBSETTED", "REDACTED"]) {
      const partial = patient({ meta: { [code === "SUBSETTED" ? "tag" : "security"]: [{ code }] } });
      assert.equal(patients.readFhir(partial).has("Birthdate"), false);
      assert.equal(patients.readFhir(partial).get("LastName"), "Muster");
    }
  });

  it("reads what is masked as unknown", () => {
    assert.equal(patients.readFhir(patient({ _birthDate: masked })).has("Birthdate"), false);
    assert.equal(patients.readFhir(patient({ telecom: [masked] })).has("MobilePhone"), false);
    assert.equal(patients.readFhir(patient({ telecom: [{ system: "email", value: "REDACTED" }] })).has("Email"), false);
    const given = [{ use: "official", family: "M", given: [null], _given: [masked] }];
    assert.equal(patients.readFhir(patient({ name: given })).has("FirstName"), false);
  });

  it("clears by onEmpty only, and only what it can see", () => {
    const into = patient({ birthDate: "1980-01-01" });
    const kept = patients.writeFhir(values({ Birthdate: null, HomePhone: null }), into);
    assert.deepEqual(kept, into);
    const cleared = patients.writeFhir(
      values({ MobilePhone: null }),
      patient({ telecom: [{ system: "phone", use: "mobile", value: "1" }] }),
    );
    assert.equal("telecom" in cleared, false);
    assert.deepEqual(patients.writeCrm(values({ MobilePhone: null, HomePhone: null })), { MobilePhone: null });
    const hidden = patient({ telecom: [{ system: "phone", use: "mobile", _value: masked }] });
    assert.deepEqual(patients.writeFhir(values({ MobilePhone: null }), hidden), hidden);
  });

  it("keeps an emptied element that holds more, and never lets a later one take its place", () => {
    const ranked = patients.writeFhir(values({ MobilePhone: null }), patient());
    assert.deepEqual((ranked["telecom"] as Json[])[0], { system: "phone", use: "mobile", rank: 1 });
    const two = patient({ telecom: ["1", "2"].map((value) => ({ system: "phone", use: "mobile", value })) });
    const written = patients.writeFhir(values({ MobilePhone: null }), two);
    assert.equal(patients.readFhir(written).get("MobilePhone"), null);
    assert.equal((written["telecom"] as Json[]).length, 2);
  });

  it("refuses a record without a required field on either side", () => {
    const element = "name.family";
    fails("mapping-refused", element, () => patients.readCrm({ FirstName: "Mary" }));
    fails("mapping-refused", element, () => patients.readCrm({ LastName: null }));
    fails("mapping-refused", element, () => patients.readFhir({ resourceType: "Patient" }));
    fails("mapping-refused", element, () => patients.writeFhir(values({ LastName: null }), patient()));
    fails("mapping-refused", element, () => patients.writeCrm(values({ LastName: null })));
    assert.equal(patients.readCrm(contact()).get("LastName"), "Muster");
  });

  it("refuses to write into a part of a resource", () => {
    fails("mapping-refused", "meta", () =>
      patients.writeFhir(values({ LastName: "X" }), patient({ meta: { tag: [{ code: "SUBSETTED" }] } })),
    );
    assert.ok(patients.writeFhir(values({ LastName: "X" }), patient({ meta: { tag: [{ code: "other" }] } })));
  });
});

describe("mapping: writing FHIR", () => {
  it("touches only the matched element, first match first", () => {
    const into = patient({
      unknownElement: 7,
      birthDate: "1980-01-01",
      _birthDate: { extension: [{ url: "birthTime", valueString: "x" }] },
    });
    const frozen = structuredClone(into);
    const written = patients.writeFhir(
      values({ LastName: "New", FirstName: "Zoe", Birthdate: "1980-01-02", HomePhone: "555 3" }),
      into,
    );
    assert.deepEqual(into, frozen);
    assert.deepEqual(Object.keys(written), Object.keys(into));
    assert.deepEqual(written["name"], [
      { use: "usual", family: "Nick" },
      { use: "official", family: "New", given: ["Zoe", "Ann"], prefix: ["Dr"] },
    ]);
    assert.deepEqual((written["telecom"] as Json[])[1], { system: "phone", use: "home", value: "555 3" });
    assert.deepEqual(written["_birthDate"], into["_birthDate"]);
  });

  it("makes what is missing, from the filter, at the end", () => {
    const written = patients.writeFhir(values({ Email: "a@b.example", MailingCity: "X" }), patient());
    assert.deepEqual((written["telecom"] as Json[])[2], { system: "email", value: "a@b.example" });
    assert.deepEqual(written["address"], [{ use: "home", city: "X" }]);
  });

  it("takes the reason for absence away with the absence", () => {
    const written = patients.writeFhir(
      values({ Birthdate: "1980-01-01" }),
      patient({ _birthDate: { id: "b", ...masked } }),
    );
    assert.deepEqual([written["birthDate"], written["_birthDate"]], ["1980-01-01", { id: "b" }]);
  });

  it("leaves a value that means the same as it is written there", () => {
    const into = patient({ telecom: [{ system: "email", value: " Mary@X.example" }] });
    assert.deepEqual(patients.writeFhir(patients.readFhir(into), into), into);
    const visit: JsonObject = { resourceType: "Appointment", status: "booked", start: "2026-11-25T10:00:00-05:00" };
    assert.equal(
      visits.writeFhir(values({ StartDateTime: "2026-11-25T15:00:00.000Z" }), visit)["start"],
      visit["start"],
    );
  });

  it("refuses to shift list items, and moves them when none follows", () => {
    const middle = patientMapping({ crm: "A", fhir: "name[0].given[0]", onEmpty: "clear" });
    const named = (...given: string[]): JsonObject => ({ resourceType: "Patient", name: [{ family: "M", given }] });
    const shifting = fails("mapping-refused", "name.given", () =>
      middle.writeFhir(values({ A: null }), named("a", "b")),
    );
    assert.match(shifting.message, /would move up/);
    assert.deepEqual(middle.writeFhir(values({ A: null }), named("a")), {
      resourceType: "Patient",
      name: [{ family: "M" }],
    });
    const second = patientMapping({ crm: "A", fhir: "name[0].given[1]" });
    fails("mapping-refused", "name.given", () => second.writeFhir(values({ A: "x" }), { resourceType: "Patient" }));
    assert.deepEqual(second.writeFhir(values({ A: "x" }), named("a")), named("a", "x"));
  });

  it("sets constants on what it creates, and only there", () => {
    const reference = { $reference: { type: "Patient", id: "7" } };
    const made = visits.writeFhir(values({ WhoId: reference, Visit_Status__c: "booked" }));
    assert.deepEqual(made["participant"], [{ actor: { reference: "Patient/7" }, status: "accepted" }]);
    const doctor = { actor: { reference: "Practitioner/1" }, status: "tentative" };
    const joined = visits.writeFhir(values({ WhoId: reference }), {
      resourceType: "Appointment",
      status: "booked",
      participant: [doctor],
    });
    assert.deepEqual(joined["participant"], [doctor, { actor: { reference: "Patient/7" }, status: "accepted" }]);
    const declined = { actor: { reference: "Patient/7", display: "M" }, status: "declined" };
    const again = visits.writeFhir(values({ WhoId: reference }), {
      resourceType: "Appointment",
      status: "booked",
      participant: [declined],
    });
    assert.deepEqual(again["participant"], [declined]);
  });

  it("replaces a reference as a whole when it changes", () => {
    const into = {
      resourceType: "Appointment",
      status: "booked",
      participant: [{ actor: { reference: "Patient/7", display: "Old" }, status: "declined" }],
    };
    const written = visits.writeFhir(values({ WhoId: { $reference: { type: "Patient", id: "8" } } }), into);
    assert.deepEqual(written["participant"], [{ actor: { reference: "Patient/8" }, status: "declined" }]);
  });

  it("reports lists and objects of the wrong shape", () => {
    fails("mapping-refused", "name.family", () => patients.readFhir(patient({ name: {} })));
    fails("mapping-refused", "name.family", () =>
      patients.readFhir(patient({ name: [{ use: "official", family: 5 }] })),
    );
    fails("mapping-refused", "resourceType", () => patients.readFhir({ resourceType: "Person" }));
  });
});

describe("mapping: modifier elements", () => {
  it("withholds a resource with a modifier that is neither mapped nor allowed", () => {
    const linked = patient({ link: [{ other: { reference: "Patient/2" }, type: "replaced-by" }] });
    fails("resource-withheld", "link", () => patients.readFhir(linked));
    assert.ok(patients.readFhir(patient({ link: [] })));
  });

  it("withholds modifierExtension and implicitRules at any depth", () => {
    const extension = [{ url: "urn:x", valueBoolean: true }];
    fails("resource-withheld", "modifierExtension", () => patients.readFhir(patient({ modifierExtension: extension })));
    fails("resource-withheld", "implicitRules", () => patients.readFhir(patient({ implicitRules: "urn:x" })));
    fails("resource-withheld", "contact.modifierExtension", () =>
      patients.readFhir(patient({ contact: [{ modifierExtension: extension }] })),
    );
    assert.ok(patients.readFhir(patient({ extension, contact: [{ extension }], modifierExtension: [] })));
  });

  it("lets declared values pass", () => {
    const field = { crm: "A", fhir: "name[0].family" };
    const mapping = compileMapping(
      patientDeclaration([field], { modifiers: { active: [true], deceased: [false], link: [] } }),
      noon,
    );
    assert.ok(mapping.readFhir(patient({ active: true, deceasedBoolean: false })));
    fails("resource-withheld", "active", () => mapping.readFhir(patient({ active: false })));
    fails("resource-withheld", "deceasedBoolean", () => mapping.readFhir(patient({ deceasedBoolean: true })));
    fails("resource-withheld", "deceasedDateTime", () => mapping.readFhir(patient({ deceasedDateTime: "2020" })));
  });

  it("withholds a date of death from a plain yes/no field, and reads it as yes by the codec flag", () => {
    const plain = compileMapping(
      patientDeclaration([{ crm: "D", fhir: "deceasedBoolean", codec: "boolean" }], {
        modifiers: { active: [true], link: [] },
      }),
      noon,
    );
    fails("resource-withheld", "deceasedDateTime", () => plain.readFhir(patient({ deceasedDateTime: "2020" })));
    assert.equal(plain.readFhir(patient({ deceasedBoolean: true })).get("D"), true);
    const dead = patient({ deceasedDateTime: "2020-01-01" });
    assert.equal(patients.readFhir(dead).get("Deceased__c"), true);
    assert.deepEqual(patients.writeFhir(values({ Deceased__c: true }), dead), dead);
    fails("mapping-refused", "deceasedBoolean", () => patients.writeFhir(values({ Deceased__c: false }), dead));
    assert.equal("deceasedBoolean" in patients.writeFhir(values({ Deceased__c: false }), patient()), false);
    assert.equal(patients.writeFhir(values({ Deceased__c: true }), patient())["deceasedBoolean"], true);
  });
});

describe("mapping: direction and records that are none", () => {
  it("moves a field only where it goes", () => {
    const mrn = { system: "urn:oid:2.16.840.1.113883.19.5", value: "M1" };
    assert.equal(patients.readFhir(patient({ identifier: [mrn] })).get("MRN__c"), "M1");
    assert.equal(patients.readCrm(contact({ MRN__c: "M2" })).has("MRN__c"), false);
    assert.equal("identifier" in patients.writeFhir(values({ MRN__c: "M2" }), patient()), false);
    assert.deepEqual(patients.writeCrm(values({ MRN__c: "M1" })), { MRN__c: "M1" });
    const out = patientMapping({ crm: "A", fhir: "name[0].family", direction: "to-fhir" });
    assert.equal(out.readFhir(patient()).size, 0);
    assert.deepEqual(out.writeCrm(values({ A: "x" })), {});
    assert.deepEqual(out.writeFhir(values({ A: "x" })), { resourceType: "Patient", name: [{ family: "x" }] });
  });

  it("reads a destination for what may be written there, and asks for nothing that is about to be filled", () => {
    const record = { MRN__c: "M2" };
    assert.deepEqual(Object.fromEntries(patients.readCrm(record, "destination")), { MRN__c: "M2" });
    fails("mapping-refused", "name.family", () => patients.readCrm(record, "source"));
    const read = patients.readFhir(patient({ name: [{ family: "Nick" }] }), "destination");
    assert.equal(read.get("LastName"), null);
    assert.equal(read.has("MRN__c"), false);
    fails("resource-withheld", "implicitRules", () =>
      patients.readFhir(patient({ implicitRules: "urn:x" }), "destination"),
    );
  });

  it("makes one FHIR form of either direction's values, and reads it back whole", () => {
    const mrn = { system: "urn:oid:2.16.840.1.113883.19.5", value: "M1" };
    const read = patients.readFhir(patient({ identifier: [mrn] }));
    const middle = patients.writeMiddle(read);
    assert.deepEqual(middle["identifier"], [mrn]);
    const { name: _name, ...reduced } = middle;
    const left = patients.readFhir(reduced, "middle");
    assert.deepEqual([left.get("MRN__c"), left.get("LastName")], ["M1", null]);
    fails("mapping-refused", "name.family", () => patients.readFhir(reduced));
  });

  it("ignores what is no visit", () => {
    const event = { WhoId: "003000000000001", IsAllDayEvent: false, IsPrivate: false };
    assert.equal(visits.ignores(event), false);
    assert.equal(visits.ignores({}), false);
    for (const more of [{ IsAllDayEvent: true }, { IsPrivate: true }, { WhoId: null }, { WhoId: "" }]) {
      assert.equal(visits.ignores({ ...event, ...more }), true, JSON.stringify(more));
    }
  });

  it("reads every Patient of the synthetic set, or says why not", function () {
    const file = new URL("Patient.ndjson", synthea);
    if (!existsSync(file)) {
      console.log(`      ../shared/data/synthea is not here: not read`);
      return this.skip();
    }
    assert.ok(readdirSync(synthea).length > 0);
    for (const line of readFileSync(file, "utf8").trim().split("\n")) {
      const resource = parseJson(line) as JsonObject;
      assert.deepEqual(patients.writeFhir(patients.readFhir(resource), resource), resource);
    }
  });
});
