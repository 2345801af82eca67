// The consent gate: dialects, matching, what cannot be computed, several consents, and the policy without any.
import assert from "node:assert/strict";
import type { JsonObject } from "../../../src/core/json.ts";
import { compileConsent, judgeConsent, type ConsentQuestion } from "../../../src/policy/consent.ts";
import {
  action,
  actor,
  at,
  consent,
  deny,
  judge,
  label,
  nested,
  optIn,
  optOut,
  permit,
  purpose,
  resourceClass,
  ruleOf,
} from "./consent-cases.ts";

const yes = "permit";
const no = "deny-overrides";
const silent = "implicit-deny";
const puzzled = "not-computable";
const crm = actor("Organization/crm");
const other = actor("Organization/other");

/** [what, the consent's own elements, the rule that decides, what differs in the question] */
type Row = [string, JsonObject, string, Partial<ConsentQuestion>?];

function table(rows: readonly Row[]): void {
  for (const [name, body, rule, change] of rows) it(`${name}: ${rule}`, () => assert.equal(ruleOf(body, change), rule));
}

describe("policy/consent", () => {
  describe("published R4: a policy rule and an untyped root", () => {
    table([
      ["opt-in without provision", optIn, yes],
      ["opt-out without provision", optOut, no],
      ["opt-in, the root's actor is the exception", { ...optIn, provision: crm }, no],
      ["opt-in, somebody else is the exception", { ...optIn, provision: other }, yes],
      ["opt-out, the root's actor is the exception", { ...optOut, provision: crm }, yes],
      ["opt-out, somebody else is the exception", { ...optOut, provision: other }, no],
      ["opt-in, container with a nested refusal", { ...optIn, provision: nested(deny(crm, purpose("HOPERAT"))) }, no],
      [
        "opt-in, the nested refusal is about another purpose",
        { ...optIn, provision: nested(deny(crm, purpose("HMARKT"))) },
        yes,
      ],
      ["opt-out, container with a nested permit", { ...optOut, provision: nested(permit(purpose("HOPERAT"))) }, yes],
      [
        "opt-out, the nested permit is about another purpose",
        { ...optOut, provision: nested(permit(purpose("TREAT"))) },
        no,
      ],
      [
        "opt-in, a root exception with its own exception",
        { ...optIn, provision: { ...crm, ...nested(permit(purpose("HOPERAT"))) } },
        yes,
      ],
      ["opt-in, the same, not met", { ...optIn, provision: { ...crm, ...nested(permit(purpose("TREAT"))) } }, no],
      [
        "opt-in for a term: the term is withheld",
        { ...optIn, provision: { period: { start: "2026-01-01", end: "2026-12-31" } } },
        no,
      ],
      ["opt-in, term over", { ...optIn, provision: { period: { end: "2026-01-31" } } }, silent],
      ["opt-out, term over", { ...optOut, provision: { period: { end: "2026-01-31" }, ...crm } }, no],
      ["a nested rule without type", { ...optIn, provision: nested(purpose("TREAT")) }, puzzled],
      [
        "a nested rule that repeats the exception",
        { ...optIn, provision: { ...crm, ...nested(deny(purpose("TREAT"))) } },
        puzzled,
      ],
      ["an untyped root without policy rule", { provision: crm }, puzzled],
      ["neither policy rule nor provision", {}, puzzled],
    ]);
  });

  describe("a typed root narrows, nested rules are exceptions", () => {
    const care = purpose("TREAT", "HPAYMT", "HOPERAT");
    table([
      ["permit", { provision: permit(care) }, yes],
      ["permit, asked for what it does not name", { provision: permit(care) }, no, { purpose: "HMARKT" }],
      ["permit to somebody else", { provision: permit(other) }, no],
      ["deny", { provision: deny(care) }, no],
      ["deny, asked for what it does not name", { provision: deny(purpose("HMARKT")) }, silent],
      ["the same under an opt-out", { ...optOut, provision: deny(purpose("HMARKT")) }, no],
      ["permit with an opt-in", { ...optIn, provision: permit(crm) }, yes],
      ["permit with an opt-in, somebody else's", { ...optIn, provision: permit(other) }, no],
      ["permit but for a nested refusal", { provision: permit(care, nested(deny(crm))) }, no],
      ["permit, the nested refusal is somebody else's", { provision: permit(care, nested(deny(other))) }, yes],
      ["deny but for a nested permit", { provision: deny(care, nested(permit(crm))) }, yes],
      ["deny, the nested permit is somebody else's", { provision: deny(care, nested(permit(other))) }, no],
      ["an untyped nested rule alternates", { provision: permit(care, nested(crm)) }, no],
      [
        "three levels, innermost matches",
        { provision: permit(nested(deny(care, nested(permit(resourceClass("Patient")))))) },
        yes,
      ],
      [
        "three levels, innermost does not",
        { provision: permit(nested(deny(care, nested(permit(resourceClass("Claim")))))) },
        no,
      ],
      [
        "siblings: a refusal wins over a permit",
        { provision: deny(nested(permit(crm), deny(purpose("HOPERAT")))) },
        no,
      ],
      [
        "a nested permit widens the root for its purpose",
        { provision: permit(care, nested(permit(crm, purpose("HMARKT")))) },
        yes,
        { purpose: "HMARKT" },
      ],
      [
        "but not for somebody else",
        { provision: permit(care, nested(permit(other, purpose("HMARKT")))) },
        no,
        { purpose: "HMARKT" },
      ],
      [
        "nor for a purpose that it does not state",
        { provision: permit(care, nested(permit(crm))) },
        no,
        { purpose: "HMARKT" },
      ],
      [
        "nor over a refusal beside it",
        { provision: permit(care, nested(permit(purpose("HMARKT")), deny(crm))) },
        no,
        { purpose: "HMARKT" },
      ],
      [
        "a refusal nested under one that does not match",
        { provision: deny(purpose("HMARKT"), nested(deny(crm))) },
        puzzled,
      ],
      ["the same, somebody else's", { provision: deny(purpose("HMARKT"), nested(deny(other))) }, silent],
    ]);
  });

  describe("one rule against the policy rule", () => {
    table([
      ["opt-in but for this actor", { ...optIn, provision: deny(crm) }, no],
      ["opt-in but for another actor", { ...optIn, provision: deny(other) }, yes],
      ["opt-out but for this actor", { ...optOut, provision: permit(crm) }, yes],
      ["opt-out but for another actor", { ...optOut, provision: permit(other) }, no],
      ["opt-in, the rule's term is over", { ...optIn, provision: deny(crm, { period: { end: "2020" } }) }, silent],
      ["opt-out, the rule's term is over", { ...optOut, provision: permit(crm, { period: { end: "2020" } }) }, no],
    ]);
  });

  describe("status, scope and person", () => {
    const refusal = { provision: deny() };
    const scope = (code: string): JsonObject => ({
      scope: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/consentscope", code }] },
    });
    table([
      ["active", refusal, no],
      ...["draft", "proposed", "rejected", "inactive", "entered-in-error"].map((status): Row => [
        status,
        { ...refusal, status },
        silent,
      ]),
      ["an unknown status", { ...refusal, status: "aktiv" }, puzzled],
      ["a consent to treatment", { ...refusal, ...scope("treatment") }, silent],
      ["an advance directive", { ...refusal, ...scope("adr") }, silent],
      ["a research consent, asked for operations", { ...refusal, ...scope("research") }, silent],
      ["a research consent, asked for research", { ...refusal, ...scope("research") }, no, { purpose: "CLINTRCH" }],
      ["no scope", { ...refusal, scope: {} }, puzzled],
      ["another patient's", { ...refusal, patient: { reference: "Patient/q" } }, silent],
      [
        "another patient's, absolute",
        { ...refusal, patient: { reference: "https://ehr.example/fhir/Patient/q" } },
        silent,
        { baseUrls: new Map([["ehr", "https://ehr.example/fhir/"]]) },
      ],
      [
        "this patient's, absolute",
        { ...refusal, patient: { reference: "https://ehr.example/fhir/Patient/p" } },
        no,
        { baseUrls: new Map([["ehr", "https://ehr.example/fhir"]]) },
      ],
      [
        "absolute, server unknown",
        { ...refusal, patient: { reference: "https://ehr.example/fhir/Patient/p" } },
        puzzled,
      ],
      ["nobody's", { provision: permit(), patient: { display: "Ann" } }, puzzled],
    ]);
    it("never counts the same id of another system as this person's", () => {
      const elsewhere = consent({ provision: permit() });
      const record = { ...elsewhere, ref: { ...elsewhere.ref, system: "other-ehr" } };
      assert.equal(judge([record]).rule, "consent-implicit-deny");
      assert.equal(
        judge([record], { patients: [{ system: "other-ehr", type: "Patient", id: "p" }], actor: { references: [] } })
          .outcome,
        "permit",
      );
    });
  });

  describe("period", () => {
    const until = (end: string): JsonObject => ({ provision: permit({ period: { start: "2026-01-01", end } }) });
    const when = (text: string): Partial<ConsentQuestion> => ({ at: Date.parse(text) });
    table([
      [
        "the last minute of the last day, in the deployment's zone",
        until("2026-11-25"),
        yes,
        when("2026-11-26T04:59:59Z"),
      ],
      ["the minute after", until("2026-11-25"), silent, when("2026-11-26T05:00:00Z")],
      ["the last day of the last month", until("2026-11"), yes, when("2026-12-01T04:59:59Z")],
      ["the month after", until("2026-11"), silent, when("2026-12-01T05:00:00Z")],
      ["before the first day", until("2026-11"), silent, when("2026-01-01T04:59:59Z")],
      ["the first day", until("2026-11"), yes, when("2026-01-01T05:00:00Z")],
      ["a nested rule outside its period", { provision: permit(nested(deny({ period: { end: "2026-01" } }))) }, yes],
      ["a nested rule inside its period", { provision: permit(nested(deny({ period: { end: "2026-12" } }))) }, no],
      ["a malformed period", { provision: permit({ period: { end: "soon" } }) }, puzzled],
      ["an empty period", { provision: permit({ period: {} }) }, puzzled],
    ]);
  });

  describe("purpose", () => {
    const asked = (code: string): Partial<ConsentQuestion> => ({ purpose: code });
    table([
      ["a permit covers the purposes below", { provision: permit(purpose("HOPERAT")) }, yes, asked("CAREMGT")],
      ["but not the purpose above", { provision: permit(purpose("CAREMGT")) }, no, asked("HOPERAT")],
      ["a refusal covers the purposes below", { ...optIn, provision: deny(purpose("TREAT")) }, no, asked("ETREAT")],
      [
        "a permit of treatment is none to break the glass",
        { provision: permit(purpose("TREAT", "ETREAT")) },
        no,
        asked("BTG"),
      ],
      ["break the glass has its own rule", { provision: permit(purpose("BTG")) }, yes, asked("BTG")],
      [
        "a refusal of treatment does not stop it either",
        { ...optIn, provision: deny(purpose("TREAT")) },
        yes,
        asked("BTG"),
      ],
      ["operations never reach marketing", { provision: permit(purpose("HOPERAT")) }, no, asked("HMARKT")],
      ["marketing by its own name", { provision: permit(purpose("HMARKT")) }, yes, asked("HMARKT")],
      ["a refusal for an unknown purpose", { ...optIn, provision: deny(purpose("SURPRISE")) }, puzzled],
      [
        "a refusal for a purpose of another code system",
        { ...optIn, provision: deny({ purpose: [{ system: "urn:x", code: "HOPERAT" }] }) },
        puzzled,
      ],
      ["a permit for an unknown purpose", { provision: permit(purpose("SURPRISE")) }, puzzled],
      [
        "an unknown purpose beside the one that is asked for",
        { provision: permit(purpose("SURPRISE", "HOPERAT")) },
        yes,
      ],
    ]);
    it("refuses a request for an unknown purpose", () => {
      assert.equal(judge([consent(optIn)], asked("FUN")).rule, "purpose-unknown");
      assert.equal(judge([consent(optIn)], asked("PATRQT")).outcome, "permit");
    });
  });

  describe("actor", () => {
    const refused = (who: JsonObject): JsonObject => ({ ...optIn, provision: deny(who) });
    const by = (reference: JsonObject): JsonObject => ({
      actor: [{ ...(actor("x")["actor"] as JsonObject[])[0], reference }],
    });
    const npi = { identifier: { system: "http://hl7.org/fhir/sid/us-npi", value: "1" } };
    const named = (value: string): Partial<ConsentQuestion> => ({
      actor: { references: [], identifiers: [{ ...npi.identifier, value }] },
    });
    table([
      ["the recipient", refused(crm), no],
      ["an id that only begins alike", refused(actor("Organization/crm-2")), yes],
      ["a version of the recipient", refused(actor("Organization/crm/_history/3")), no],
      [
        "one of several",
        refused({ actor: [...(other["actor"] as JsonObject[]), ...(crm["actor"] as JsonObject[])] }),
        no,
      ],
      ["a group whose members are not known", refused(actor("Group/partners")), puzzled],
      [
        "a group with the recipient",
        refused(actor("Group/partners")),
        no,
        { members: () => [{ system: "ehr", type: "Organization", id: "crm" }] },
      ],
      ["a group without the recipient", refused(actor("Group/partners")), yes, { members: () => [] }],
      ["the custodian", refused(actor("Organization/crm", "CST")), puzzled],
      ["a name only", refused(by({ display: "the CRM" })), puzzled],
      ["the recipient's identifier", refused(by(npi)), no, named("1")],
      ["another identifier of that kind", refused(by(npi)), yes, named("2")],
      ["an identifier of a kind that the recipient has none of", refused(by(npi)), puzzled],
      ["anybody, where the recipient has no name in that system", refused(crm), puzzled, { actor: { references: [] } }],
      ["a permit to a group whose members are not known", { provision: permit(actor("Group/partners")) }, puzzled],
    ]);
  });

  describe("action, class and data", () => {
    const refused = (what: JsonObject): JsonObject => ({ ...optIn, provision: deny(what) });
    const instance = (reference: string, meaning = "instance"): JsonObject => ({
      data: [{ meaning, reference: { reference } }],
    });
    table([
      ["a refusal of access stops a disclosure", refused(action("access")), no],
      ["a refusal of correction does not", refused(action("correct")), yes],
      ["a refusal of correction stops a correction", refused(action("correct")), no, { action: "correct" }],
      ["a permit of access permits a disclosure", { provision: permit(action("access")) }, yes],
      ["a permit of collection does not", { provision: permit(action("collect")) }, no],
      ["an unknown action", refused(action("gossip")), puzzled],
      ["the resource's type", refused(resourceClass("Claim", "Patient")), no],
      ["another type", refused(resourceClass("Claim")), yes],
      [
        "a profile or a media type",
        refused({ class: [{ system: "urn:ietf:bcp:13", code: "application/pdf" }] }),
        puzzled,
      ],
      ["this very resource", refused(instance("Patient/p")), no],
      ["another resource", refused(instance("Patient/q")), yes],
      ["another resource, by relation", refused(instance("Encounter/e", "related")), puzzled],
    ]);
  });

  describe("what cannot be computed never vanishes", () => {
    table([
      ["a refusal by label", { ...optIn, provision: deny(label("R")) }, puzzled],
      ["the same to somebody else", { ...optIn, provision: deny(label("R"), other) }, yes],
      ["a permit by label", { provision: permit(label("N")) }, puzzled],
      ["a refusal by code", { ...optIn, provision: deny({ code: [{ text: "HIV" }] }) }, puzzled],
      ["a refusal by the data's time", { ...optIn, provision: deny({ dataPeriod: { start: "2020" } }) }, puzzled],
      [
        "a nested label that cannot matter",
        { provision: permit(purpose("TREAT"), nested(deny(label("R")))) },
        no,
        { purpose: "HMARKT" },
      ],
      [
        "an extension on a provision",
        { provision: permit({ extension: [{ url: "urn:x", valueString: "y" }] }) },
        puzzled,
      ],
      ["a modifier extension", { ...optIn, modifierExtension: [{ url: "urn:x", valueBoolean: true }] }, puzzled],
      ["a modifier extension deep inside", { provision: permit(nested(permit({ modifierExtension: [] }))) }, puzzled],
      ["implicit rules", { ...optIn, implicitRules: "urn:x" }, puzzled],
      ["an unknown policy rule", { policyRule: { coding: [{ system: "urn:x", code: "OPTIN" }] } }, puzzled],
      ["a policy rule in words", { policyRule: { text: "opt in" }, provision: permit() }, puzzled],
      ["two policy rules", { policyRule: { coding: [...codings(optIn), ...codings(optOut)] } }, puzzled],
      ["an R5 decision", { decision: "permit", provision: permit() }, puzzled],
      ["an R5 list of provisions", { ...optIn, provision: [permit()] }, puzzled],
      ["an empty list", { provision: permit({ purpose: [] }) }, puzzled],
      ["a list that is none", { provision: permit({ purpose: "HOPERAT" }) }, puzzled],
      ["an unknown attribute", { provision: permit({ except: "marketing" }) }, puzzled],
      ["a masked type", { ...optIn, provision: { _type: { extension: [] } } }, puzzled],
      ["an unknown type", { provision: { type: "allow" } }, puzzled],
    ]);
    it("takes what is no Consent at all as possibly a refusal", () => {
      for (const resource of [undefined, null, "Consent", [], { resourceType: "Patient" }])
        assert.equal(judge([{ ...consent({}), resource }], { implicit: "permit" }).rule, "consent-not-computable");
    });
  });

  describe("several consents", () => {
    const form = (value: string, dateTime: string): JsonObject => ({
      identifier: [{ system: "urn:forms", value }],
      dateTime,
    });
    const all = { provision: permit() };
    const none = { provision: deny() };
    const rule = (...bodies: JsonObject[]): string =>
      judge(bodies.map((body, index) => consent(body, `c${index}`))).rule.replace("consent-", "");
    it("lets a refusal override, whatever the order and the dates", () => {
      assert.equal(rule(all, none), no);
      assert.equal(rule({ ...none, dateTime: "2020" }, { ...all, dateTime: "2026" }), no);
      assert.equal(rule(all, all), yes);
    });
    it("lets a newer statement of the same form replace the older", () => {
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, { ...all, ...form("f", "2026-02-02") }), yes);
      assert.equal(
        rule({ ...all, ...form("f", "2026-02-01T10:00:40Z") }, { ...none, ...form("f", "2026-02-01T10:00:00Z") }),
        yes,
      );
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, { ...all, ...form("g", "2026-02-02") }), no);
    });
    it("lets a newer one that only shares the policy's text end permits, never refusals", () => {
      const uri = { policy: [{ uri: "urn:policy" }] };
      assert.equal(rule({ ...none, ...uri, dateTime: "2025" }, { ...all, ...uri }), no);
      assert.equal(rule({ ...all, ...uri, dateTime: "2025" }, { ...none, ...uri }), no);
    });
    it("does not call a statement newer when their dates overlap, or that is dated tomorrow", () => {
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, { ...all, ...form("f", "2026-02") }), no);
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, { ...all, ...form("f", "2026-11-26") }), no);
      const { dateTime: _dateTime, ...undated } = form("f", "");
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, { ...all, ...undated }), no);
    });
    it("does not let a statement whose term has not begun replace the one in force", () => {
      const later = { ...form("f", "2026-02-02"), provision: permit({ period: { start: "2026-12-01" } }) };
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, later), no);
    });
    it("lets a withdrawal end the permits of the older form, not its refusals", () => {
      const withdrawn = { ...all, ...form("f", "2026-02-02"), status: "inactive" };
      assert.equal(rule({ ...all, ...form("f", "2026-02-01") }, withdrawn), silent);
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, withdrawn), no);
      assert.equal(rule({ ...all, ...form("f", "2026-02-01") }, { ...withdrawn, status: "entered-in-error" }), yes);
    });
    it("lets another patient's consent replace nothing", () => {
      const stranger = { ...all, ...form("f", "2026-02-02"), patient: { reference: "Patient/q" } };
      assert.equal(rule({ ...none, ...form("f", "2026-02-01") }, stranger), no);
    });
  });

  describe("without a consent that speaks", () => {
    it("denies where a consent is required, whatever the implicit policy", () => {
      assert.equal(judge([], { requireConsent: true, implicit: "permit" }).rule, "consent-required");
      assert.equal(judge([consent(optIn)], { requireConsent: true }).outcome, "permit");
    });
    it("follows the implicit policy, and denies without one", () => {
      assert.equal(judge([], { implicit: "permit" }).rule, "consent-implicit-permit");
      assert.equal(judge([], { implicit: "deny" }).rule, "consent-implicit-deny");
      assert.equal(judge([]).outcome, "deny");
    });
    it("lets a recorded consent override the implicit policy", () => {
      assert.equal(judge([consent({ provision: permit(purpose("TREAT")) })], { implicit: "permit" }).outcome, "deny");
      assert.equal(judge([consent({ provision: permit(purpose("HOPERAT")) })], { implicit: "deny" }).outcome, "permit");
    });
    it("never markets with protected health information on an implicit permit", () => {
      assert.equal(judge([], { purpose: "HMARKT", implicit: "permit" }).rule, "marketing-needs-authorization");
      assert.equal(judge([], { purpose: "HMARKT", implicit: "permit", deidentified: true }).outcome, "permit");
      assert.equal(judge([consent({ provision: permit(purpose("HMARKT")) })], { purpose: "HMARKT" }).outcome, "permit");
    });
  });

  it("says which consents it looked at, how it read them and what they said", () => {
    const finding = judge([consent({ provision: permit() }), consent({ ...optIn, implicitRules: "urn:x" }, "c2")]);
    assert.deepEqual(finding.consents, ["ehr/Consent/c1@1", "ehr/Consent/c2@1"]);
    assert.deepEqual(
      finding.trace.map(({ dialect, said, problem }) => [dialect, said, problem]),
      [
        ["root-typed", "permit", undefined],
        [undefined, "uncertain", "it rests on implicit rules"],
      ],
    );
  });

  it("decides the same from compiled consents", () => {
    const record = consent({ provision: permit(purpose("TREAT")) });
    const question = {
      patients: [{ system: "ehr", type: "Patient", id: "p" }],
      actor: { references: [] },
      resource: "Patient",
      at,
      timeZone: "UTC",
      requireConsent: true,
    };
    const compiled = compileConsent(record, "UTC");
    for (const code of ["TREAT", "HOPERAT"])
      assert.deepEqual(
        judgeConsent({ ...question, purpose: code, consents: [compiled] }),
        judgeConsent({ ...question, purpose: code, consents: [record] }),
      );
  });
});

function codings(rule: JsonObject): JsonObject[] {
  return (rule["policyRule"] as JsonObject)["coding"] as unknown as JsonObject[];
}
