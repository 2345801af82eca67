// The name suggestions that hints use.
import assert from "node:assert/strict";
import { nearestName } from "../../../src/fhir/nearest.ts";

describe("fhir/nearest", () => {
  it("suggests close names only", () => {
    const names = ["birthDate", "name", "gender"];
    assert.equal(nearestName("birthdate", names), "birthDate");
    assert.equal(nearestName("naem", names), "name");
    assert.equal(nearestName("nam", names), "name");
    assert.equal(nearestName("address", names), undefined);
  });
});
