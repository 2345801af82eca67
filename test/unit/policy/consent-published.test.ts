// Published consents with known decisions (IHE PCF, HL7, Google): nothing that should be denied is permitted, and nothing
// that can be computed is decided otherwise. What needs labels, codes or relations may be refused as not computable.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isJsonObject, parseJson, type Json, type JsonObject } from "../../../src/core/json.ts";
import type { RecordRef } from "../../../src/core/records.ts";
import { judgeConsent, type ConsentFinding, type ConsentRecord } from "../../../src/policy/consent.ts";

const data = new URL("../../../../shared/data/consent/", import.meta.url);

function read(file: string): unknown {
  return parseJson(readFileSync(new URL(file, data), "utf8"));
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function record(resource: JsonObject): ConsentRecord {
  return { ref: { system: "ehr", type: "Consent", id: text(resource["id"]) }, version: "1", resource };
}

function ref(text: string): RecordRef {
  const [type = "", id = ""] = text.split("/");
  return { system: "ehr", type, id };
}

interface Case {
  readonly id: string;
  readonly expected: "permit" | "deny";
  readonly finding: ConsentFinding;
}

/** Counts, and fails on any decision that is wrong rather than refused. */
function tally(cases: readonly Case[]): { right: number; refused: number } {
  let [right, refused] = [0, 0];
  for (const { id, expected, finding } of cases) {
    if (finding.outcome === expected) right += 1;
    else if (finding.rule === "consent-not-computable") refused += 1;
    else assert.fail(`${id}: ${finding.rule} instead of ${expected}`);
  }
  return { right, refused };
}

describe("policy/consent, published decisions", function () {
  before(function () {
    if (existsSync(data)) return;
    console.log("      (skipped: ../shared/data/consent is not here)");
    this.skip();
  });

  it("IHE PCF, 122 rows: 88 right, 34 refused because of labels or relations", () => {
    type Row = {
      id: string;
      evaluateAt: string;
      consentId: string;
      request: { actor: string[]; purposeOfUse: { code: string } };
      resource: string;
      expected: { resource: "permit" | "deny" };
    };
    const set = read("ihe-pcf-sample.json") as {
      consents: Record<string, JsonObject>;
      resources: Record<string, JsonObject>;
      cases: Row[];
    };
    const cases = set.cases.map((row) => {
      const finding = judgeConsent({
        consents: [record(set.consents[row.consentId] ?? {})],
        patients: [ref("Patient/ex-patient")],
        actor: { references: row.request.actor.map(ref) },
        purpose: row.request.purposeOfUse.code,
        resource: set.resources[row.resource] ?? "",
        resourceRef: ref(row.resource),
        at: Date.parse(row.evaluateAt),
        timeZone: "UTC",
        requireConsent: false,
      });
      return { id: row.id, expected: row.expected.resource, finding };
    });
    assert.equal(cases.length, 122);
    assert.deepEqual(tally(cases), { right: 88, refused: 34 });
  });

  it("HL7 worked example, 15 cases", () => {
    type Row = {
      id: string;
      evaluateAt: string;
      request: { actor: string[]; purposeOfUse: string };
      resource: JsonObject;
      expected: string;
    };
    const set = read("hl7-worked-example.json") as { consent: JsonObject; cases: Row[] };
    const cases = set.cases.map((row) => {
      const finding = judgeConsent({
        consents: [record(set.consent)],
        patients: [ref("Patient/p")],
        actor: { references: row.request.actor.map(ref) },
        purpose: row.request.purposeOfUse,
        resource: row.resource,
        resourceRef: ref(`${text(row.resource["resourceType"])}/x`),
        at: Date.parse(row.evaluateAt),
        timeZone: "UTC",
        requireConsent: true,
      });
      return { id: row.id, expected: row.expected === "permit" ? ("permit" as const) : ("deny" as const), finding };
    });
    assert.deepEqual(tally(cases), { right: 9, refused: 6 });
  });

  it("Google, 12 cases: one consent has no scope, so none is permitted", () => {
    type Row = { id: string; consentScope: string; resource: string };
    const set = read("google.json") as { consents: JsonObject[]; resources: Record<string, JsonObject>; cases: Row[] };
    const judge = (row: Row, consents: readonly JsonObject[]): ConsentFinding =>
      judgeConsent({
        consents: consents.map(record),
        patients: [ref("Patient/3c6aa096-c054-4c22-b2b4-1e4a4d203de2")],
        actor: { references: [ref(/actor\/(\S+)/.exec(row.consentScope)?.[1] ?? "")] },
        purpose: /purp\/v3\/(\w+)/.exec(row.consentScope)?.[1] ?? "TREAT",
        resource: set.resources[row.resource] ?? "",
        resourceRef: ref(row.resource),
        at: Date.parse("2026-04-14T00:00:00Z"),
        timeZone: "UTC",
        requireConsent: false,
      });
    assert.equal(set.cases.length, 12);
    for (const row of set.cases) assert.equal(judge(row, set.consents).outcome, "deny", row.id);
    // The twin: the directive without extensions alone permits just what it names.
    const permitted = set.cases.filter((row) => judge(row, set.consents.slice(1, 2)).outcome === "permit");
    assert.deepEqual(
      permitted.map((row) => row.id),
      ["google-04", "google-05", "google-12"],
    );
  });

  it("the official R4 examples, read as the literal specification", () => {
    const at = Date.parse("2016-06-23T07:10:00Z");
    const permitted = readdirSync(new URL("hl7-r4-examples/", data))
      .filter((file) => file.startsWith("Consent-"))
      .flatMap((file) => {
        const resource = read(`hl7-r4-examples/${file}`) as JsonObject;
        const patient = isJsonObject(resource["patient"]) ? text(resource["patient"]["reference"]) : "";
        const finding = judgeConsent({
          consents: [record(resource)],
          patients: [ref(patient)],
          actor: { references: [ref("Organization/somebody")] },
          purpose: "TREAT",
          resource: "MedicationRequest",
          at,
          timeZone: "UTC",
          requireConsent: true,
        });
        return finding.outcome === "permit" ? [text(resource["id"])] : [];
      })
      .sort();
    assert.deepEqual(permitted, [
      "consent-example-notOrg",
      "consent-example-notThem",
      "consent-example-signature",
      "consent-example-smartonfhir",
    ]);
  });
});
