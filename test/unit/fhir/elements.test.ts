// The R4 element table: look-ups, choices, content references, modifiers, and that the checked-in file is current.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { SluiceError } from "../../../src/core/errors.ts";
import { parseJson } from "../../../src/core/json.ts";
import {
  childrenOfType,
  elementOf,
  isKnown,
  isPrimitive,
  isResourceType,
  mandatoryIn,
  modifiersOf,
  resourceTypes,
} from "../../../src/fhir/elements.ts";

const reference = new URL("../../../../shared/data/definitions/r4-elements.json", import.meta.url);

interface ReferenceElement {
  t?: string[];
  n: number;
  x: string;
  mod?: number;
}

describe("fhir/elements", () => {
  it("knows types and tells resources, datatypes and primitives apart", () => {
    assert.ok(isKnown("Patient") && isKnown("HumanName") && isKnown("date"));
    assert.ok(!isKnown("Patiant") && !isKnown("SubscriptionStatus") && !isKnown("toString"));
    assert.ok(isResourceType("Patient") && !isResourceType("HumanName") && !isResourceType("DomainResource"));
    assert.ok(isPrimitive("date") && !isPrimitive("HumanName"));
    assert.equal(resourceTypes().includes("Appointment"), true);
    assert.throws(
      () => childrenOfType("Patiant"),
      (error) => error instanceof SluiceError && error.code === "input-unknown-type",
    );
  });

  it("follows paths through backbone elements, datatypes and inheritance", () => {
    assert.deepEqual(elementOf("Patient", "name.given")?.types, ["string"]);
    assert.equal(elementOf("Patient", "name.given")?.max, Infinity);
    assert.deepEqual(elementOf("Patient", "link.other")?.targets, ["Patient", "RelatedPerson"]);
    assert.equal(elementOf("Patient", "contact.modifierExtension")?.isModifier, true);
    assert.equal(elementOf("Patient", "meta.tag.code")?.path, "Coding.code");
    assert.equal(elementOf("Patient", "contained")?.children.size, 0);
    for (const path of ["naem", "name.givn", "birthDate.x", ""]) assert.equal(elementOf("Patient", path), undefined);
    assert.equal(elementOf("Nothing", "name"), undefined);
  });

  it("names each type of a choice, and the choice itself", () => {
    assert.deepEqual(elementOf("Patient", "deceasedBoolean")?.types, ["boolean"]);
    assert.deepEqual(elementOf("Patient", "deceasedBoolean")?.otherChoices, ["deceasedDateTime"]);
    assert.deepEqual(elementOf("Patient", "deceased[x]")?.types, ["boolean", "dateTime"]);
    assert.equal(elementOf("Patient", "deceased")?.name, "deceased[x]");
    assert.equal(elementOf("Patient", "deceasedString"), undefined);
    assert.deepEqual(elementOf("Observation", "valueQuantity.unit")?.types, ["string"]);
  });

  it("resolves content references, also recursive ones", () => {
    assert.equal(elementOf("Bundle", "entry.link.url")?.min, 1);
    assert.equal(elementOf("Questionnaire", "item.item.item.linkId")?.min, 1);
    assert.equal(elementOf("Parameters", "parameter.part.part.name")?.path, "Parameters.parameter.name");
  });

  it("lists what must be there", () => {
    assert.deepEqual(
      mandatoryIn("Appointment").map((one) => one.name),
      ["status", "participant"],
    );
    assert.deepEqual(
      mandatoryIn("Appointment", "participant").map((one) => one.name),
      ["status"],
    );
    assert.deepEqual(
      mandatoryIn("MedicationRequest").map((one) => one.name),
      ["status", "intent", "medication[x]", "subject"],
    );
    assert.deepEqual(mandatoryIn("Patient"), []);
  });

  it("lists modifier elements at any depth of the type", () => {
    const own = (type: string): string[] =>
      modifiersOf(type).filter((path) => !/implicitRules|modifierExtension/.test(path));
    assert.deepEqual(own("Patient"), ["active", "deceased[x]", "link"]);
    assert.deepEqual(own("Appointment"), ["status"]);
    assert.ok(modifiersOf("Patient").includes("contact.modifierExtension"));
    assert.ok(modifiersOf("Questionnaire").includes("item.enableWhen.modifierExtension"));
  });

  it("is what the generator makes", function () {
    this.timeout(60_000);
    const script = new URL("../../../scripts/generate-elements.ts", import.meta.url).pathname;
    execFileSync(process.execPath, [script, "--check"], { stdio: "pipe" });
  });

  it("agrees with the reference table beside the project", function () {
    if (!existsSync(reference)) {
      console.log("      ../shared/data/definitions is not here: not compared");
      return this.skip();
    }
    const types = parseJson(readFileSync(reference, "utf8"), 64 * 1024 * 1024) as Record<
      string,
      { k: string; e: Record<string, ReferenceElement> }
    >;
    const corrected = /^\w+\.id$|^Bundle\.entry\.response\.outcome$/;
    let compared = 0;
    for (const [type, row] of Object.entries(types)) {
      if (!isKnown(type) || row.k === "primitive-type") continue;
      for (const [path, expected] of Object.entries(row.e)) {
        if (path === type || corrected.test(path) || !expected.t) continue;
        const found = elementOf(type, path.slice(type.length + 1));
        assert.ok(found, path);
        assert.equal(found.min, expected.n, path);
        assert.equal(found.max, expected.x === "*" ? Infinity : Number(expected.x), path);
        assert.equal(found.isModifier, expected.mod === 1, path);
        assert.deepEqual(
          found.types,
          expected.t.map((one) => one.replace(/\(.*/, "")),
          path,
        );
        compared++;
      }
    }
    assert.ok(compared > 6000);
  });
});
