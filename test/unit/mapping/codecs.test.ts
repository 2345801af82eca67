// Each value conversion: what it reads, what it writes, what it refuses; no refusal says the value.
import assert from "node:assert/strict";
import type { MappingField } from "../../../src/core/configuration.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import type { Json } from "../../../src/core/json.ts";
import { patientMapping } from "./load-mapping.ts";

const text: MappingField = { crm: "F", fhir: "name[0].family" };
const birth: MappingField = { crm: "F", fhir: "birthDate", codec: "birth-date" };
const gender: MappingField = {
  crm: "F",
  fhir: "gender",
  codec: "code",
  table: { Male: "male", M: "male", Female: "female" },
};

/** Neutral value of a CRM value; "unknown" when there is none. */
function fromCrm(field: MappingField, value: Json): Json {
  const read = patientMapping(field).readCrm({ F: value });
  return read.has("F") ? (read.get("F") ?? null) : "unknown";
}
function toCrm(field: MappingField, neutral: Json): Json | undefined {
  return patientMapping(field).writeCrm(new Map([["F", neutral]]))["F"];
}
function refusal(run: () => unknown): SluiceError {
  let caught: unknown;
  try {
    run();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof SluiceError, "nothing was refused");
  assert.equal(caught.code, "mapping-refused");
  return caught;
}

describe("mapping/codecs", () => {
  it("text: NFC, trimmed, one kind of line end", () => {
    assert.equal(fromCrm(text, " Jose\u0301 \r\n de la Cruz\t"), "José \n de la Cruz");
    for (const kept of ["=1+1", "<b>x</b>", "🙂", "שלום", "Ng"]) assert.equal(fromCrm(text, kept), kept);
    for (const bad of ["a\u0000b", "a\u001bb", "a\u0085b", "a\ud800b"]) {
      const { message, detail } = refusal(() => fromCrm(text, bad));
      assert.ok(!message.includes(bad));
      assert.deepEqual(detail.elements, ["name.family"]);
    }
    refusal(() => fromCrm(text, 5));
  });

  it("text: refuses what is longer than the CRM field, with both lengths", () => {
    const short = { ...text, maxLength: 5 };
    assert.match(refusal(() => toCrm(short, "sixsix")).message, /6 characters.*5/);
    assert.equal(toCrm(short, "fives"), "fives");
  });

  it("email: lower case; phone: as written, placeholders unknown", () => {
    assert.equal(fromCrm({ ...text, codec: "email" }, " Mary@X.Example "), "mary@x.example");
    refusal(() => fromCrm({ ...text, codec: "email" }, "a@b\nc@d"));
    for (const phone of ["608-271-9000 x11", "0032 2 123", "(555) 010-4477", "call mother"]) {
      assert.equal(fromCrm({ ...text, codec: "phone" }, phone), phone);
    }
    assert.equal(fromCrm({ ...text, codec: "phone" }, "000-000-0000"), "unknown");
  });

  it("lines: several lines are a list", () => {
    const street: MappingField = { crm: "F", fhir: "address[0].line", codec: "lines" };
    assert.deepEqual(fromCrm(street, "12 Main St\r\n\r\n Apt 4"), ["12 Main St", "Apt 4"]);
    assert.equal(toCrm(street, ["12 Main St", "Apt 4"]), "12 Main St\nApt 4");
    refusal(() => toCrm(street, "12 Main St"));
  });

  it("date: days that exist; partial ones stay in FHIR and are refused for the CRM", () => {
    const date = { ...birth, codec: "date" };
    assert.equal(fromCrm(date, "2024-02-29"), "2024-02-29");
    for (const bad of [
      "2023-02-29",
      "1974-13-01",
      "1974-00-01",
      "0000-01-01",
      "1974-1-1",
      "01/02/1974",
      "1974-05",
      "1974-05-01T00:00:00Z",
    ]) {
      refusal(() => fromCrm(date, bad));
    }
    const mapping = patientMapping(date);
    for (const partial of ["1974", "1974-05"]) {
      const read = mapping.readFhir({ resourceType: "Patient", birthDate: partial });
      assert.equal(read.get("F"), partial);
      refusal(() => mapping.writeCrm(read));
      assert.equal(fromCrm({ ...birth, codec: "partial-date" }, partial), partial);
      assert.equal(toCrm({ ...birth, codec: "partial-date" }, partial), partial);
    }
  });

  it("birth-date: not in the future, and no placeholder", () => {
    assert.equal(fromCrm(birth, "2026-11-26"), "2026-11-26");
    refusal(() => fromCrm(birth, "2026-11-27"));
    refusal(() => patientMapping(birth).readFhir({ resourceType: "Patient", birthDate: "2027" }));
    assert.equal(fromCrm(birth, "1900-01-01"), "unknown");
    assert.equal(fromCrm(birth, "1900-01-02"), "1900-01-02");
  });

  it("instant: the same instant in UTC; without offset it is none", () => {
    const instant: MappingField = { crm: "F", fhir: "photo[0].creation", codec: "instant" };
    assert.equal(fromCrm(instant, "2026-11-25T15:00:00.000+0000"), "2026-11-25T15:00:00.000Z");
    assert.equal(fromCrm(instant, "2027-03-14T09:00:00-05:00"), "2027-03-14T14:00:00.000Z");
    assert.equal(toCrm(instant, "2026-11-25T15:00:00.000Z"), "2026-11-25T15:00:00.000+0000");
    for (const bad of [
      "2026-11-01T01:30:00",
      "2026-02-30T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T00:00:60Z",
      "2026-01-01",
      "2026-01-01T00:00:00+15:00",
    ]) {
      refusal(() => fromCrm(instant, bad));
    }
  });

  it("boolean: true and false only", () => {
    const active: MappingField = { crm: "F", fhir: "active", codec: "boolean" };
    assert.equal(fromCrm(active, false), false);
    for (const bad of ["true", 1]) refusal(() => fromCrm(active, bad));
  });

  it("code: by table; the refusal names the field, never the value", () => {
    assert.equal(fromCrm(gender, "M"), "male");
    assert.equal(toCrm(gender, "male"), "Male");
    assert.equal(fromCrm(gender, "REDACTED"), "unknown");
    const { message, detail } = refusal(() => fromCrm(gender, "Canary77"));
    assert.ok(message.includes("gender") && message.includes("CRM field F"));
    assert.ok(!`${message}${detail.hint}`.includes("Canary77"));
    refusal(() => patientMapping(gender).readFhir({ resourceType: "Patient", gender: "other" }));
    for (const bad of ["toString", "__proto__", 1, true]) refusal(() => fromCrm(gender, bad));
  });

  it("reference: a literal one to the target, both ways", () => {
    const practice: MappingField = {
      crm: "F",
      fhir: "managingOrganization",
      codec: "reference",
      target: "Organization",
    };
    const neutral = { $reference: { type: "Organization", id: "a1" } };
    assert.deepEqual(fromCrm(practice, "a1"), neutral);
    assert.equal(toCrm(practice, neutral), "a1");
    const mapping = patientMapping(practice);
    const read = (managingOrganization: Json): Json | undefined =>
      mapping.readFhir({ resourceType: "Patient", managingOrganization }).get("F");
    for (const text of ["Organization/a1", "https://h.example/r4/Organization/a1/_history/2"])
      assert.deepEqual(read({ reference: text }), neutral);
    for (const bad of [{ reference: "Practitioner/a1" }, { display: "x" }, { reference: "Organization?identifier=x" }])
      refusal(() => read(bad));
    for (const bad of ["../x", "a b", 5]) refusal(() => fromCrm(practice, bad));
    refusal(() => toCrm(practice, "a1"));
  });
});
