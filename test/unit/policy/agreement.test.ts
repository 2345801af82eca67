// The agreement gate: each condition closes it alone, and its twin gets through.
import assert from "node:assert/strict";
import type { Agreement } from "../../../src/core/configuration.ts";
import { agreementsVersion, judgeAgreement, type AgreementUse } from "../../../src/policy/agreement.ts";

const timeZone = "America/New_York";
const noon = Date.parse("2026-11-25T17:00:00Z");
const good: Agreement = {
  id: "baa-crm",
  kind: "baa",
  systems: ["crm"],
  purposes: ["HOPERAT", "TREAT"],
  resources: ["Patient", "Appointment"],
  effective: "2026-01-01",
  expires: "2026-12-31",
  signedBy: ["Rosa Lindqvist", "Mei Tanaka"],
  deidentificationPermitted: false,
};

function judge(agreement: Partial<Agreement>, at = noon, use: AgreementUse = "phi", purpose = "HOPERAT"): string {
  const agreements = [{ ...good, ...agreement }];
  const finding = judgeAgreement({ agreements, system: "crm", purpose, resourceType: "Patient", at, timeZone, use });
  assert.equal(finding.outcome === "permit", finding.agreements.length === 1);
  assert.match(finding.citation, /45 CFR 164\.50/);
  return finding.outcome === "permit" ? "permit" : finding.rule;
}

describe("policy/agreement", () => {
  it("permits under an agreement in force that covers system, purpose and type", () =>
    assert.equal(judge({}), "permit"));

  const denials: [string, Partial<Agreement>, string][] = [
    ["another system", { systems: ["ehr"] }, "agreement-missing"],
    ["a purpose outside it", { purposes: ["TREAT"] }, "agreement-purpose-not-covered"],
    ["a resource type outside it", { resources: ["Appointment"] }, "agreement-resource-not-covered"],
    ["not yet effective", { effective: "2026-11-26" }, "agreement-not-in-force"],
    ["expired", { expires: "2026-11-24" }, "agreement-not-in-force"],
    ["terminated", { terminated: "2026-11-25" }, "agreement-not-in-force"],
    ["one signature", { signedBy: ["Rosa Lindqvist"] }, "agreement-not-in-force"],
    ["one person signing twice", { signedBy: ["Rosa Lindqvist", " Rosa Lindqvist", ""] }, "agreement-not-in-force"],
    ["a date that is none", { effective: "2026-1-1" }, "agreement-not-in-force"],
    ["a termination that is no date", { terminated: "never" }, "agreement-not-in-force"],
    ["a data use agreement, for PHI in full", { kind: "dua" }, "agreement-missing"],
    ["terms for de-identified data, for PHI", { kind: "de-identified" }, "agreement-missing"],
  ];
  for (const [name, change, rule] of denials) it(`denies: ${name}`, () => assert.equal(judge(change), rule));

  it("permits the twins of the date denials: first day, last day, day before termination, evergreen", () => {
    assert.equal(judge({ effective: "2026-11-25" }), "permit");
    assert.equal(judge({ expires: "2026-11-25" }), "permit");
    assert.equal(judge({ terminated: "2026-11-26" }), "permit");
    const { expires: _expires, ...evergreen } = good;
    const question = { system: "crm", purpose: "TREAT", resourceType: "Patient", at: noon, timeZone };
    assert.equal(judgeAgreement({ ...question, agreements: [evergreen] }).outcome, "permit");
    assert.equal(judgeAgreement({ ...question, agreements: [] }).outcome, "deny");
  });

  it("counts days in the deployment's zone", () => {
    const lastMinute = Date.parse("2027-01-01T04:59:00Z");
    assert.equal(judge({}, lastMinute), "permit");
    assert.equal(judge({}, lastMinute + 60_000), "agreement-not-in-force");
  });

  it("denies an unknown purpose", () => assert.equal(judge({}, noon, "phi", "FUN"), "agreement-purpose-not-covered"));

  it("lets terms for de-identified data suffice for a recipient of nothing else", () => {
    assert.equal(judge({ kind: "de-identified" }, noon, "de-identified-recipient"), "permit");
    assert.equal(
      judge({ kind: "de-identified", expires: "2026-01-02" }, noon, "de-identified-recipient"),
      "agreement-not-in-force",
    );
    assert.equal(
      judge({ kind: "de-identified", purposes: ["TREAT"] }, noon, "de-identified-recipient"),
      "agreement-purpose-not-covered",
    );
  });

  it("asks that the source's agreement permits de-identification, whatever the feed's purpose", () => {
    const use = "de-identification-source";
    assert.equal(judge({ deidentificationPermitted: true }, noon, use, "HMARKT"), "permit");
    assert.equal(
      judge({ deidentificationPermitted: false }, noon, use, "HMARKT"),
      "agreement-without-de-identification",
    );
    assert.equal(
      judge({ deidentificationPermitted: true, kind: "de-identified" }, noon, use, "HMARKT"),
      "agreement-missing",
    );
  });

  describe("version", () => {
    const version = (agreements: Agreement[], at = noon): string =>
      agreementsVersion(agreements, ["crm", "ehr"], at, timeZone);

    it("changes when an agreement ends by the clock alone, and not before", () => {
      assert.equal(version([good]), version([good], noon + 86_400_000));
      assert.notEqual(version([good]), version([good], Date.parse("2027-01-01T05:00:00Z")));
    });
    it("changes with the content of an agreement in force and with a second one, not with the order or with strangers", () => {
      const second = { ...good, id: "second" };
      assert.notEqual(version([good]), version([{ ...good, purposes: ["TREAT"] }]));
      assert.notEqual(version([good]), version([good, second]));
      assert.equal(version([good, second]), version([second, good]));
      assert.equal(version([good]), version([good, { ...good, id: "other", systems: ["other"] }]));
    });
  });
});
