// The minimum-necessary gate: what an allow-list keeps, what it must keep, and what it refuses.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { MinimumPolicy } from "../../../src/core/configuration.ts";
import { SluiceError, type ErrorCode } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { compileMinimum, type Minimized } from "../../../src/policy/minimum.ts";

const absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

function policy(allow: MinimumPolicy["allow"]): MinimumPolicy {
  return { id: "p", recipient: "crm", purposes: ["HOPERAT"], allow, justification: "test" };
}

function minimize(paths: string[], elements: JsonObject, type = "Patient", options = { tag: false }): Minimized {
  return compileMinimum(policy({ [type]: paths }), options).minimize({ resourceType: type, id: "1", ...elements });
}

/** What is left without type, id and meta. */
function left(paths: string[], elements: JsonObject, type = "Patient"): JsonObject {
  const { resourceType: _type, id: _id, meta: _meta, ...rest } = minimize(paths, elements, type).resource;
  return rest;
}

function refused(code: ErrorCode, run: () => unknown): SluiceError {
  let caught: unknown;
  assert.throws(run, (error) => ((caught = error), error instanceof SluiceError && error.code === code));
  return caught as SluiceError;
}

const name = [{ use: "official", family: "Alder", given: ["Ann", "B"], period: { start: "2020" } }];
const modifierExtension = [{ url: "urn:x", valueBoolean: true }];

describe("policy/minimum", () => {
  describe("what stays", () => {
    it("an allowed element with all below it, and nothing else", () => {
      const address = [{ line: ["1 Elm St"], city: "Salem", period: { start: "2020" } }];
      assert.deepEqual(left(["address"], { name, address, gender: "female" }), { address });
    });
    it("an allowed element at any depth, with the modifiers around it", () => {
      assert.deepEqual(left(["name.given"], { name }), { name: [{ use: "official", given: ["Ann", "B"] }] });
      assert.deepEqual(left(["name.period.start"], { name }), {
        name: [{ use: "official", period: { start: "2020" } }],
      });
    });
    it("every type of a choice by its name, one type by its own", () => {
      assert.deepEqual(left(["multipleBirth"], { multipleBirthInteger: 2 }), { multipleBirthInteger: 2 });
      assert.deepEqual(left(["multipleBirth[x]"], { multipleBirthBoolean: true }), { multipleBirthBoolean: true });
      assert.deepEqual(left(["multipleBirthBoolean"], { multipleBirthInteger: 2 }), {});
    });
    it("overlapping paths in either order", () => {
      for (const paths of [
        ["name", "name.given"],
        ["name.given", "name"],
      ])
        assert.deepEqual(left(paths, { name }), { name });
      assert.deepEqual(left(["name.given", "name.family"], { name: [{ family: "A", given: ["B"], text: "x" }] }), {
        name: [{ family: "A", given: ["B"] }],
      });
    });
    it("modifier elements that nobody asked for", () => {
      const elements = { active: false, deceasedDateTime: "2026-01-01", gender: "male" };
      assert.deepEqual(left(["gender"], elements), elements);
    });
    it("of a modifier that refers to another record where it points, not the name shown", () => {
      const other = { reference: "Patient/2", display: "Ann Alder", identifier: { value: "77" } };
      assert.deepEqual(left(["gender"], { link: [{ other, type: "replaced-by" }] }), {
        link: [{ other: { reference: "Patient/2" }, type: "replaced-by" }],
      });
      assert.deepEqual(left(["link.other"], { link: [{ other, type: "replaced-by" }] }), {
        link: [{ other, type: "replaced-by" }],
      });
    });
    it("mandatory elements that nobody asked for, with their mandatory parts only", () => {
      const participant = [
        { actor: { reference: "Patient/1", display: "Ann" }, status: "accepted", required: "required" },
      ];
      assert.deepEqual(left(["start"], { status: "booked", participant, comment: "x" }, "Appointment"), {
        status: "booked",
        participant: [{ status: "accepted" }],
      });
    });
    it("of a mandatory concept its codes, not its words", () => {
      const code = { coding: [{ system: "http://loinc.org", code: "1", display: "words" }], text: "words" };
      const elements = { status: "final", code, valueString: "x" };
      assert.deepEqual(left(["valueString"], elements, "Observation"), {
        status: "final",
        code: { coding: [{ system: "http://loinc.org", code: "1" }] },
        valueString: "x",
      });
    });
    it("a mask where nothing of a needed element may stay", () => {
      const link = [{ other: { display: "Ann Alder" }, type: "seealso" }];
      const masked = { extension: [{ url: absent, valueCode: "masked" }] };
      assert.deepEqual(left(["gender"], { link }), { link: [{ other: masked, type: "seealso" }] });
      assert.deepEqual(left(["gender"], { _active: { extension: [{ url: "urn:x" }] } }), { _active: masked });
    });
    it("the reason why a kept value is absent, and no other extension", () => {
      const reason = { extension: [{ url: absent, valueCode: "asked-declined" }] };
      assert.deepEqual(left(["birthDate"], { _birthDate: reason }), { _birthDate: reason });
      assert.deepEqual(
        left(["birthDate"], { _birthDate: { extension: [{ url: absent, valueCode: "Ann Alder" }] } }),
        {},
      );
      assert.deepEqual(
        left(["birthDate"], { birthDate: "2000", _birthDate: { extension: [{ url: "urn:x", valueString: "y" }] } }),
        { birthDate: "2000" },
      );
      assert.deepEqual(left(["name.given"], { name: [{ given: [null, "B"], _given: [reason, null] }] }), {
        name: [{ given: ["B"] }],
      });
    });
  });

  describe("what never stays", () => {
    it("narrative, contained, extensions, language of the source and unknown elements", () => {
      const { resource, withheld } = minimize(["name"], {
        text: { status: "generated", div: "<div>Ann</div>" },
        contained: [{ resourceType: "Organization", id: "o" }],
        extension: [{ url: "urn:x", valueString: "y" }],
        name: [{ family: "A", extension: [{ url: "urn:x" }], nickname: "Bo", id: "n1" }],
        "Ann Alder": "1",
      });
      assert.deepEqual(resource, { resourceType: "Patient", id: "1", name: [{ family: "A" }] });
      assert.deepEqual(withheld, [
        "(unknown)",
        "contained",
        "extension",
        "name.(unknown)",
        "name.extension",
        "name.id",
        "text",
      ]);
    });
    it("a pointer to a contained resource", () => {
      const managingOrganization = { reference: "#o", display: "Clinic" };
      assert.deepEqual(left(["managingOrganization"], { managingOrganization }), {
        managingOrganization: { display: "Clinic" },
      });
      assert.deepEqual(left(["managingOrganization"], { managingOrganization: { reference: "Organization/o" } }), {
        managingOrganization: { reference: "Organization/o" },
      });
    });
    it("members that would reach the prototype", () => {
      const elements = JSON.parse(
        '{"__proto__": {"x": 1}, "constructor": "y", "name": [{"family": "A"}]}',
      ) as JsonObject;
      const { resource } = compileMinimum(policy({ Patient: ["name"] })).minimize({
        resourceType: "Patient",
        ...elements,
      });
      assert.equal(Object.getPrototypeOf(resource), Object.prototype);
      assert.equal(Object.hasOwn(resource, "constructor"), false);
    });
  });

  describe("names and tag", () => {
    it("tells released and withheld elements without indexes and values", () => {
      const { released, withheld } = minimize(["name.given", "birthDate"], {
        name,
        birthDate: "2000-01-01",
        gender: "male",
        meta: { versionId: "1" },
      });
      assert.deepEqual(released, ["birthDate", "id", "name.given", "name.use"]);
      assert.deepEqual(withheld, ["gender", "meta", "name.family", "name.period"]);
    });
    it("tags a reduced resource SUBSETTED, and only a reduced one", () => {
      const tagOf = (elements: JsonObject, tag = true): unknown =>
        minimize(["gender"], elements, "Patient", { tag }).resource["meta"];
      const subsetted = {
        tag: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "SUBSETTED" }],
      };
      assert.deepEqual(tagOf({ gender: "male", name }), subsetted);
      assert.deepEqual(tagOf({ gender: "male", meta: { ...subsetted, source: "urn:x" } }), subsetted);
      assert.deepEqual(tagOf({ gender: "male", meta: subsetted }), subsetted);
      assert.equal(tagOf({ gender: "male" }), undefined);
      assert.equal(tagOf({ gender: "male", name }, false), undefined);
    });
    it("drops the id when asked to", () => {
      const { resource, withheld } = compileMinimum(policy({ Patient: ["gender"] }), { id: false }).minimize({
        resourceType: "Patient",
        id: "1",
        gender: "male",
      });
      assert.equal("id" in resource, false);
      assert.deepEqual(withheld, ["id"]);
    });
  });

  describe("what withholds the resource", () => {
    const paths = ["name", "contact.name"];
    const rows: [string, JsonObject, string, JsonObject][] = [
      ["an unknown modifier extension", { modifierExtension }, "modifierExtension", { extension: modifierExtension }],
      [
        "one on an element that would stay",
        { contact: [{ modifierExtension }] },
        "contact.modifierExtension",
        { communication: [{ modifierExtension }] },
      ],
      ["implicit rules", { implicitRules: "urn:x" }, "implicitRules", { language: "en" }],
      [
        "a value of the wrong type",
        { name: [{ family: { hidden: "x" } }] },
        "name.family",
        { name: [{ family: "x" }] },
      ],
      ["an object that is none", { name: ["Ann"] }, "name", { name: [{ text: "Ann" }] }],
      ["a list that is none", { name: { family: "A" } }, "name", { name: [{ family: "A" }] }],
      ["a list that should be none", { active: [true] }, "active", { active: true }],
      ["a modifier that is null", { active: null }, "active", {}],
    ];
    for (const [what, elements, element, twin] of rows) {
      it(what, () => {
        assert.deepEqual(refused("resource-withheld", () => minimize(paths, elements)).detail.elements, [element]);
        assert.ok(minimize(paths, twin));
      });
    }
    it("a type that the policy does not list", () => {
      refused("resource-withheld", () =>
        compileMinimum(policy({ Patient: ["name"] })).minimize({ resourceType: "Observation" }),
      );
      refused("resource-withheld", () =>
        compileMinimum(policy({ Patient: ["name"] })).minimize({ resourceType: "toString" }),
      );
      assert.equal(compileMinimum(policy({ Patient: ["name"] })).allows("Patient"), true);
    });
  });

  describe("what does not compile", () => {
    const rows: [string, MinimumPolicy["allow"], RegExp][] = [
      ["a path that R4 does not have", { Patient: ["name.givn"] }, /`name\.given`/],
      ["a path below a value", { Patient: ["birthDate.year"] }, /R4 Patient/],
      ["a type that R4 does not have", { Patiant: ["name"] }, /`Patient`/],
      ["a datatype", { HumanName: ["given"] }, /R4/],
      ["narrative", { Patient: ["text"] }, /narrative/],
      ["contained resources", { Patient: ["contained"] }, /contained/],
      ["extensions", { Patient: ["name.extension"] }, /extensions/],
      ["meta", { Patient: ["meta.security"] }, /meta/],
      ["resources in a Bundle", { Bundle: ["entry.resource"] }, /list the elements/],
      ["an empty path", { Patient: [""] }, /R4 Patient/],
    ];
    for (const [what, allow, hint] of rows)
      it(what, () =>
        assert.match(refused("config-invalid", () => compileMinimum(policy(allow))).detail.hint ?? "", hint),
      );
    it("and its twin does, through datatypes that refer to each other", () => {
      const assigner = { identifier: { assigner: { display: "D", reference: "Organization/1" } } };
      assert.deepEqual(left(["identifier.assigner.identifier.assigner.display"], { identifier: [{ assigner }] }), {
        identifier: [{ assigner: { identifier: { assigner: { display: "D" } } } }],
      });
    });
  });

  it("compiles the example policies", () => {
    for (const id of ["ehr-treatment", "crm-operations"]) {
      const text = readFileSync(new URL(`../../../config/policies/${id}.yaml`, import.meta.url), "utf8");
      const example = { ...(parse(text) as MinimumPolicy), id };
      const minimizer = compileMinimum(example);
      assert.ok(minimizer.allows("Patient") && minimizer.allows("Appointment"));
      assert.equal(minimizer.allows("Observation"), false);
    }
  });
});
