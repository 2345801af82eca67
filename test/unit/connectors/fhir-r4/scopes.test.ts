// Which granted scopes cover which needed ones.
import assert from "node:assert/strict";
import { missingScopes } from "../../../../connectors/fhir-r4/scopes.ts";

describe("fhir-r4 scopes", () => {
  const covered: readonly (readonly [needed: string, granted: string])[] = [
    ["system/Patient.rs", "system/Patient.rs"],
    ["system/Patient.rs", "system/Patient.cruds"],
    ["system/Patient.rs", "system/*.rs"],
    ["system/Patient.rs", "system/Patient.read"],
    ["system/Patient.read", "system/Patient.rs"],
    ["system/Patient.write", "system/Patient.cud"],
    ["system/Patient.rs", "system/Patient.r system/Patient.s"],
    ["system/Patient.rs?active=true", "system/Patient.rs?active=true"],
    ["openid", "openid"],
  ];
  const notCovered: readonly (readonly [needed: string, granted: string])[] = [
    ["system/Patient.rs", ""],
    ["system/Patient.rs", "system/Patient.r"],
    ["system/Patient.cud", "system/Patient.read"],
    ["system/Patient.rs", "system/Appointment.rs"],
    ["system/Patient.rs", "user/Patient.rs"],
    ["system/Patient.rs", "system/Patient.rs?active=true"],
    ["system/*.rs", "system/Patient.rs"],
    ["openid", "system/*.*"],
  ];
  for (const [needed, granted] of covered) {
    it(`${needed} is covered by ${granted}`, () => {
      assert.deepEqual(missingScopes([needed], granted.split(" ")), []);
    });
  }
  for (const [needed, granted] of notCovered) {
    it(`${needed} is not covered by "${granted}"`, () => {
      assert.deepEqual(missingScopes([needed], granted.split(" ")), [needed]);
    });
  }
});
