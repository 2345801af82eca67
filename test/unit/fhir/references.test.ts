// Whose data a resource is: all forms of references to a Patient.
import assert from "node:assert/strict";
import type { JsonObject } from "../../../src/core/json.ts";
import { isFhirId } from "../../../src/fhir/ids.ts";
import { parseReference, patientReferences } from "../../../src/fhir/references.ts";

const observation = (more: JsonObject): JsonObject => ({ resourceType: "Observation", status: "final", ...more });
const subject = (reference: JsonObject): JsonObject => observation({ subject: reference });

describe("fhir/references", () => {
  it("takes literal references apart", () => {
    assert.deepEqual(parseReference("Patient/1"), { type: "Patient", id: "1", version: undefined, base: undefined });
    assert.deepEqual(parseReference("https://ehr.example/r4/Patient/a-1.b/_history/3"), {
      type: "Patient",
      id: "a-1.b",
      version: "3",
      base: "https://ehr.example/r4",
    });
    const bad = [
      "Patient",
      "Patient/",
      "Patient/..",
      "patient/1",
      "/Patient/1",
      "Patient/1/",
      "Patient/1?x",
      "Patient/%31",
    ];
    for (const text of [...bad, "Patient/1\n", "Patiant/1", "ftp://x/Patient/1", 1, null, undefined]) {
      assert.equal(parseReference(text), undefined, String(text));
    }
  });

  it("finds every distinct id, wherever it stands", () => {
    const found = patientReferences({
      resourceType: "Bundle",
      entry: [
        { resource: { resourceType: "Patient", id: "own" } },
        { resource: subject({ reference: "Patient/a" }) },
        {
          resource: observation({
            performer: [{ reference: "Practitioner/p" }, { reference: "http://h/f/Patient/b" }],
          }),
        },
        { resource: observation({ extension: [{ url: "x", valueReference: { reference: "Patient/c/_history/2" } }] }) },
        { resource: observation({ notInR4: [[{ deep: { reference: "Patient/d" } }]] }) },
        {
          resource: observation({ _status: { extension: [{ url: "x", valueReference: { reference: "Patient/a" } }] } }),
        },
      ],
    });
    assert.deepEqual(found, { ids: ["own", "a", "b", "c", "d"], unresolvable: [] });
  });

  it("counts a Patient itself and those it is linked to", () => {
    const linked = { resourceType: "Patient", id: "1", link: [{ other: { reference: "Patient/2" }, type: "refer" }] };
    assert.deepEqual(patientReferences(linked), { ids: ["1", "2"], unresolvable: [] });
    assert.deepEqual(patientReferences({ resourceType: "Patient" }).unresolvable, ["Patient"]);
  });

  const unresolvable: readonly [string, JsonObject][] = [
    ["conditional", { reference: "Patient?identifier=x|1" }],
    ["logical, typed", { type: "Patient", identifier: { value: "1" } }],
    ["logical, untyped where a Patient may stand", { identifier: { value: "1" } }],
    ["display where only subjects stand", { display: "A name", type: "Patient" }],
    ["urn", { reference: "urn:uuid:0b9e1b8a-1111-4222-8333-444455556666" }],
    ["bad id", { reference: "Patient/a b" }],
    ["contradicting type", { reference: "Practitioner/1", type: "Patient" }],
    ["dangling contained", { reference: "#p" }],
    ["no text", { reference: 7 }],
    ["unknown type", { reference: "Patiant/1" }],
  ];
  for (const [name, reference] of unresolvable) {
    it(`reports a reference that is ${name}`, () => {
      assert.deepEqual(patientReferences(subject(reference)), { ids: [], unresolvable: ["Observation.subject"] });
    });
  }

  it("reports none of them where no patient is meant (twin)", () => {
    const harmless = [
      { reference: "Practitioner?identifier=x|1" },
      { type: "Practitioner", identifier: { value: "1" } },
      { type: "http://hl7.org/fhir/StructureDefinition/Practitioner", display: "Dr" },
      { display: "Dr" },
      { reference: "#d" },
    ];
    const resource = observation({ contained: [{ resourceType: "Practitioner", id: "d" }], performer: harmless });
    assert.deepEqual(patientReferences(resource), { ids: [], unresolvable: [] });
    const slot = {
      resourceType: "Appointment",
      slot: [{ reference: "urn:uuid:0b9e1b8a-1111-4222-8333-444455556666" }],
    };
    assert.deepEqual(patientReferences(slot).unresolvable, []);
  });

  it("reports a contained Patient and, given the server's base, another server's", () => {
    const contained = { ...subject({ reference: "#p" }), contained: [{ resourceType: "Patient", id: "p" }] };
    assert.deepEqual(patientReferences(contained), { ids: [], unresolvable: ["Observation.contained"] });
    const absolute = subject({ reference: "https://ehr.example/r4/Patient/1" });
    assert.deepEqual(patientReferences(absolute, "https://ehr.example/r4/").ids, ["1"]);
    assert.deepEqual(patientReferences(absolute, "https://other.example/r4"), {
      ids: [],
      unresolvable: ["Observation.subject"],
    });
  });

  it("checks ids", () => {
    for (const id of ["a", "A-1.b", "x".repeat(64), "..."]) assert.ok(isFhirId(id), id);
    for (const id of ["", ".", "..", "x".repeat(65), "a/b", "a_b", "a\n", "é", 1, undefined])
      assert.ok(!isFhirId(id), String(id));
  });
});
