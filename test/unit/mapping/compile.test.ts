// What the compiler of mappings refuses: each error beside the declaration that gets through.
import assert from "node:assert/strict";
import type { MappingDeclaration, MappingField } from "../../../src/core/configuration.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import { compileMapping } from "../../../src/mapping/compile.ts";
import { exampleDeclaration, patientDeclaration } from "./load-mapping.ts";

function refused(declaration: MappingDeclaration, message: RegExp, hint: RegExp): void {
  assert.throws(
    () => compileMapping(declaration),
    (error) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, "config-invalid");
      assert.match(error.message, message);
      assert.match(error.detail.hint ?? "", hint);
      return true;
    },
  );
}

/** One field wrong, and what it should have been. */
const fields: readonly [string, MappingField, RegExp, RegExp, MappingField][] = [
  [
    "unknown element",
    { crm: "A", fhir: "birthdate" },
    /field A: Patient has no element "birthdate"/,
    /"birthDate"/,
    { crm: "A", fhir: "birthDate", codec: "date" },
  ],
  [
    "unknown nested element",
    { crm: "A", fhir: "name[0].famly" },
    /HumanName|Patient\.name/,
    /"family"/,
    { crm: "A", fhir: "name[0].family" },
  ],
  [
    "choice without type",
    { crm: "A", fhir: "multipleBirth", codec: "boolean" },
    /one of several types/,
    /multipleBirthBoolean, multipleBirthInteger/,
    { crm: "A", fhir: "multipleBirthBoolean", codec: "boolean" },
  ],
  [
    "repeating element",
    { crm: "A", fhir: "name.family" },
    /Patient\.name repeats/,
    /name\[0\]/,
    { crm: "A", fhir: "name.where(use='usual').family" },
  ],
  [
    "index on a single",
    { crm: "A", fhir: "birthDate[0]", codec: "date" },
    /does not repeat/,
    /leave out/,
    { crm: "A", fhir: "birthDate", codec: "date" },
  ],
  [
    "filter on a single",
    { crm: "A", fhir: "maritalStatus.where(text='x').text" },
    /does not repeat/,
    /leave out/,
    { crm: "A", fhir: "maritalStatus.text" },
  ],
  [
    "filter and index",
    { crm: "A", fhir: "name.where(use='usual')[0].family" },
    /both/,
    /one of them/,
    { crm: "A", fhir: "name[0].family" },
  ],
  [
    "unknown filter element",
    { crm: "A", fhir: "name.where(usage='usual').family" },
    /no element "usage"/,
    /"use"/,
    { crm: "A", fhir: "name.where(use='usual').family" },
  ],
  [
    "filter by a list",
    { crm: "A", fhir: "identifier.where(type.coding.code='MR').value" },
    /coding repeats/,
    /does not repeat/,
    { crm: "A", fhir: "identifier.where(type.text='MR').value" },
  ],
  [
    "filter of wrong type",
    { crm: "A", fhir: "communication.where(preferred='true').language.text" },
    /is a boolean/,
    /true or false/,
    { crm: "A", fhir: "communication.where(preferred=true).language.text" },
  ],
  [
    "filter by an object",
    { crm: "A", fhir: "name.where(period='x').family" },
    /no simple value/,
    /below it/,
    { crm: "A", fhir: "name.where(period.start='2020').family" },
  ],
  [
    "filter that the field overwrites",
    { crm: "A", fhir: "telecom.where(use='home').use" },
    /its own filter/,
    /another element/,
    { crm: "A", fhir: "telecom.where(use='home').value" },
  ],
  [
    "startsWith that cannot be made",
    { crm: "A", fhir: "telecom.where(value.startsWith('+1')).value" },
    /could not be made/,
    /=/,
    { crm: "A", fhir: "telecom.where(value.startsWith('+1')).value", direction: "to-crm" },
  ],
  [
    "syntax",
    { crm: "A", fhir: "name.where(use=official).family" },
    /at character 16/,
    /where/,
    { crm: "A", fhir: "name.where(use = 'official').family" },
  ],
  [
    "syntax at the end",
    { crm: "A", fhir: "birthDate!", codec: "date" },
    /should end/,
    /where/,
    { crm: "A", fhir: "birthDate", codec: "date" },
  ],
  [
    "unknown codec",
    { crm: "A", fhir: "birthDate", codec: "dat" },
    /no codec "dat"/,
    /"date"/,
    { crm: "A", fhir: "birthDate", codec: "date" },
  ],
  [
    "codec of another type",
    { crm: "A", fhir: "birthDate" },
    /is a date/,
    /codec for date/,
    { crm: "A", fhir: "birthDate", codec: "date" },
  ],
  [
    "leaf with elements",
    { crm: "A", fhir: "name[0]" },
    /is a HumanName/,
    /family/,
    { crm: "A", fhir: "name[0].family" },
  ],
  [
    "below a primitive",
    { crm: "A", fhir: "birthDate.year" },
    /no elements below/,
    /end the path/,
    { crm: "A", fhir: "birthDate", codec: "date" },
  ],
  [
    "whole list by text",
    { crm: "A", fhir: "address[0].line" },
    /repeats/,
    /line\[0\]/,
    { crm: "A", fhir: "address[0].line", codec: "lines" },
  ],
  [
    "lines on a single",
    { crm: "A", fhir: "address[0].city", codec: "lines" },
    /does not repeat/,
    /single/,
    { crm: "A", fhir: "address[0].city" },
  ],
  [
    "code without table",
    { crm: "A", fhir: "gender", codec: "code" },
    /table/,
    /table/,
    { crm: "A", fhir: "gender", codec: "code", table: { M: "male" } },
  ],
  [
    "display in a table",
    { crm: "A", fhir: "gender", codec: "code", table: { M: " male " } },
    /no FHIR code/,
    /code/,
    { crm: "A", fhir: "gender", codec: "code", table: { M: "male" } },
  ],
  [
    "reference without target",
    { crm: "A", fhir: "managingOrganization", codec: "reference" },
    /target/,
    /target/,
    { crm: "A", fhir: "managingOrganization", codec: "reference", target: "Organization" },
  ],
  [
    "impossible target",
    { crm: "A", fhir: "managingOrganization", codec: "reference", target: "Patient" },
    /cannot refer/,
    /Organization/,
    { crm: "A", fhir: "managingOrganization", codec: "reference", target: "Organization" },
  ],
  [
    "server's own element",
    { crm: "A", fhir: "id" },
    /cannot be mapped/,
    /take the field out/,
    { crm: "A", fhir: "language" },
  ],
];

describe("mapping/compile", () => {
  for (const [name, wrong, message, hint, right] of fields) {
    it(`refuses ${name}, and takes the corrected field`, () => {
      refused(patientDeclaration([wrong]), message, hint);
      assert.equal(compileMapping(patientDeclaration([right])).fields.length, 1);
    });
  }

  it("refuses an unknown resource type", () => {
    refused(patientDeclaration([], { fhir: { type: "Patiant" } }), /no R4 resource type/, /"Patient"/);
    assert.ok(compileMapping(patientDeclaration([])));
  });

  it("refuses two fields that may write the same place", () => {
    const phone: MappingField = { crm: "A", fhir: "telecom.where(system='phone').value" };
    const mobile: MappingField = { crm: "B", fhir: "telecom.where(system='phone' and use='mobile').value" };
    refused(patientDeclaration([phone, mobile]), /same place as that of A/, /exclude each other/);
    refused(patientDeclaration([phone, { crm: "B", fhir: "telecom[0].value" }]), /same place/, /exclude/);
    refused(patientDeclaration([phone, { ...phone, crm: "B" }]), /same place/, /exclude/);
    refused(
      patientDeclaration([phone, { ...phone, fhir: "telecom.where(system='email').value" }]),
      /mapped twice/,
      /once/,
    );
    const home: MappingField = { crm: "A", fhir: "telecom.where(system='phone' and use='home').value" };
    assert.equal(compileMapping(patientDeclaration([home, mobile])).fields.length, 2);
    assert.equal(compileMapping(patientDeclaration([phone, { ...mobile, direction: "to-crm" }])).fields.length, 2);
  });

  it("refuses a modifier element without field or rule", () => {
    const field: MappingField = { crm: "A", fhir: "name[0].family" };
    refused(
      patientDeclaration([field], { modifiers: { active: [true], link: [] } }),
      /Patient\.deceased\[x\]/,
      /deceasedBoolean or deceasedDateTime/,
    );
    assert.ok(
      compileMapping(patientDeclaration([field], { modifiers: { active: [true], link: [], deceased: [false] } })),
    );
    const deceased: MappingField = { crm: "D", fhir: "deceasedBoolean", codec: "flag" };
    assert.ok(compileMapping(patientDeclaration([deceased], { modifiers: { active: [true], link: [] } })));
    refused(
      patientDeclaration([{ ...deceased, direction: "to-fhir" }], { modifiers: { active: [true], link: [] } }),
      /deceased/,
      /map/,
    );
  });

  it("refuses a rule for what is no modifier element", () => {
    refused(
      patientDeclaration([], { modifiers: { active: [true], deceased: [], link: [], activ: [] } }),
      /"activ"/,
      /"active"/,
    );
  });

  it("refuses a subject that is no required reference to Patient", () => {
    const declared = exampleDeclaration("event-appointment");
    assert.ok(compileMapping(declared));
    refused({ ...declared, subject: "slot[0]" }, /no required reference/, /target: Patient/);
    refused({ ...declared, subject: "self" }, /is not the patient/, /path/);
    const optional = declared.fields.map((field) => (field.crm === "WhoId" ? { ...field, required: false } : field));
    refused({ ...declared, fields: optional }, /no required reference/, /required/);
  });

  it("refuses a resource or an element without its mandatory parts", () => {
    const declared = exampleDeclaration("event-appointment");
    refused({ ...declared, constants: {} }, /Appointment\.participant\.status/, /participant\.status/);
    const noStatus = declared.fields.filter(({ crm }) => crm !== "Visit_Status__c");
    refused({ ...declared, fields: noStatus, modifiers: { status: ["booked"] } }, /Appointment\.status/, /status/);
    assert.ok(
      compileMapping({
        ...declared,
        fields: noStatus,
        modifiers: { status: ["booked"] },
        constants: { ...declared.constants, status: "booked" },
      }),
    );
  });

  it("refuses constants of the wrong kind", () => {
    refused(patientDeclaration([], { constants: { active: "yes" } }), /is a boolean/, /true or false/);
    refused(patientDeclaration([], { constants: { "name[0]": "x" } }), /no simple value/, /below/);
    assert.ok(compileMapping(patientDeclaration([], { constants: { active: true } })));
  });

  it("refuses to clear what must be there", () => {
    const field: MappingField = { crm: "A", fhir: "communication[0].language.text", onEmpty: "clear" };
    assert.ok(compileMapping(patientDeclaration([field])));
    const declared = exampleDeclaration("event-appointment");
    const cleared = declared.fields.map((one) =>
      one.crm === "Visit_Status__c" ? { ...one, required: false, onEmpty: "clear" as const } : one,
    );
    refused({ ...declared, fields: cleared }, /cannot be cleared/, /required/);
  });

  it("names elements without filters and lists the CRM fields to read", () => {
    const patient = compileMapping(exampleDeclaration("contact-patient"));
    assert.equal(patient.fields.find(({ crm }) => crm === "MobilePhone")?.element, "telecom.value");
    assert.ok(patient.crmFields.includes("Sluice_Link_Id__c") && patient.crmFields.includes("MRN__c"));
    const visit = compileMapping(exampleDeclaration("event-appointment"));
    assert.ok(visit.crmFields.includes("IsPrivate") && visit.crmFields.includes("WhoId"));
    assert.equal(visit.fields.find(({ crm }) => crm === "WhoId")?.isReference, true);
  });
});
