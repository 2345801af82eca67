// How the gates' words combine.
import assert from "node:assert/strict";
import type { Gate, Reason } from "../../../src/core/decision.ts";
import { decide, type Finding } from "../../../src/policy/decision.ts";

function finding(gate: Gate, outcome: Reason["outcome"], more: Partial<Finding> = {}): Finding {
  return { gate, outcome, rule: `${gate}-${outcome}`, citation: "45 CFR", text: "because", ...more };
}

describe("policy/decision", () => {
  it("permits when nothing refuses, decided by the consent where there is one", () => {
    const decision = decide([finding("agreement", "permit"), finding("consent", "permit"), finding("scope", "permit")]);
    assert.equal(decision.outcome, "permit");
    assert.equal(decision.decidedBy.gate, "consent");
    assert.equal(decide([finding("agreement", "permit")]).decidedBy.gate, "agreement");
  });
  it("lets the first refusal decide, also over an earlier unknown and a permit", () => {
    const decision = decide([
      finding("agreement", "permit"),
      finding("scope", "unknown"),
      finding("consent", "deny"),
      finding("modifier", "deny"),
    ]);
    assert.equal(decision.outcome, "deny");
    assert.equal(decision.decidedBy.rule, "consent-deny");
    assert.equal(decision.reasons.length, 4);
  });
  it("lets not knowing beat a permit", () => {
    assert.equal(decide([finding("consent", "permit"), finding("agreement", "unknown")]).outcome, "unknown");
  });
  it("denies without a single permit", () => {
    assert.equal(decide([]).decidedBy.rule, "no-permit");
    assert.equal(decide([finding("test-patient", "not-applicable")]).outcome, "deny");
    assert.equal(decide([finding("test-patient", "not-applicable"), finding("agreement", "permit")]).outcome, "permit");
  });
  it("gathers what the gates rest on, once each, and keeps it out of the reasons", () => {
    const decision = decide([
      finding("agreement", "permit", { agreements: ["a", "b"], obligations: ["MINEC"] }),
      finding("agreement", "permit", { agreements: ["a"] }),
      finding("consent", "permit", { consents: ["ehr/Consent/1@3"] }),
    ]);
    assert.deepEqual(decision.agreements, ["a", "b"]);
    assert.deepEqual(decision.consents, ["ehr/Consent/1@3"]);
    assert.deepEqual(decision.obligations, ["MINEC"]);
    assert.deepEqual(Object.keys(decision.reasons[0] ?? {}), ["gate", "outcome", "rule", "citation", "text"]);
  });
});
