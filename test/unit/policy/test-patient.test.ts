// The test-patient gate: rules and the HTEST label withhold in production only.
import assert from "node:assert/strict";
import type { SystemConfig, TestPatientRule } from "../../../src/core/configuration.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { judgeTestPatient } from "../../../src/policy/test-patient.ts";

const patient: JsonObject = {
  resourceType: "Patient",
  name: [{ family: "Alder" }, { family: "Zztest-Birch", given: ["Ann"] }],
  identifier: [{ value: "7" }],
  active: true,
};

function outcome(
  record: JsonObject,
  rules: TestPatientRule[],
  environment: SystemConfig["environment"] = "production",
): string {
  return judgeTestPatient({ id: "ehr", environment, testPatients: rules }, record).outcome;
}

describe("policy/test-patient", () => {
  it("denies on a value that equals or begins with the rule's text, in any item of a list", () => {
    assert.equal(outcome(patient, [{ path: "name.family", startsWith: "Zztest" }]), "deny");
    assert.equal(outcome(patient, [{ path: "identifier.value", equals: "7" }]), "deny");
    assert.equal(outcome(patient, [{ path: "active", equals: "true" }]), "deny");
    assert.equal(outcome({ LastName: "Zztest" }, [{ path: "LastName", equals: "Zztest" }]), "deny");
  });
  it("permits where no rule matches", () => {
    const rules = [
      { path: "name.family", equals: "Zztest" },
      { path: "name.given", startsWith: "Zz" },
      { path: "toString.name", startsWith: "" },
    ];
    assert.equal(outcome(patient, rules), "permit");
    assert.equal(outcome(patient, []), "permit");
  });
  it("asks both conditions of a rule that has both", () => {
    assert.equal(outcome(patient, [{ path: "name.family", equals: "Alder", startsWith: "B" }]), "permit");
    assert.equal(outcome(patient, [{ path: "name.family", equals: "Alder", startsWith: "A" }]), "deny");
  });
  it("denies the HTEST label without any rule, and permits another label", () => {
    const labelled = (code: string): JsonObject => ({ ...patient, meta: { security: [{ code }] } });
    assert.equal(outcome(labelled("HTEST"), []), "deny");
    assert.equal(outcome(labelled("N"), []), "permit");
  });
  it("does not ask in a sandbox", () => {
    const rules = [{ path: "name.family", startsWith: "Zztest" }];
    assert.equal(outcome(patient, rules, "sandbox"), "not-applicable");
    assert.equal(outcome(patient, rules, "production"), "deny");
  });
  it("refuses a rule without a condition", () => {
    assert.throws(
      () => outcome(patient, [{ path: "name" }]),
      (error) => error instanceof SluiceError && error.code === "config-invalid",
    );
  });
});
