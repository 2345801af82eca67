// Errors as OperationOutcome, and the name suggestions that hints use.
import assert from "node:assert/strict";
import { SluiceError } from "../../../src/core/errors.ts";
import { nearestName } from "../../../src/fhir/nearest.ts";
import { operationOutcome } from "../../../src/fhir/outcome.ts";

describe("fhir/outcome", () => {
  it("carries code, text, hint and elements", () => {
    const error = new SluiceError("mapping-refused", "Patient.birthDate is in the future", {
      hint: "correct it",
      elements: ["birthDate"],
    });
    assert.deepEqual(operationOutcome(error), {
      resourceType: "OperationOutcome",
      issue: [
        {
          severity: "error",
          code: "business-rule",
          details: {
            coding: [{ system: "urn:x-sluice:error-code", code: "mapping-refused" }],
            text: "Patient.birthDate is in the future",
          },
          diagnostics: "correct it",
          expression: ["birthDate"],
        },
      ],
    });
  });

  it("drops the text of a foreign error", () => {
    const text = JSON.stringify(operationOutcome(new TypeError("canary-phi-7731")));
    assert.ok(!text.includes("canary") && text.includes("internal"));
  });

  it("suggests close names only", () => {
    const names = ["birthDate", "name", "gender"];
    assert.equal(nearestName("birthdate", names), "birthDate");
    assert.equal(nearestName("naem", names), "name");
    assert.equal(nearestName("nam", names), "name");
    assert.equal(nearestName("address", names), undefined);
  });
});
