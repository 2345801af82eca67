// Builds consents and questions for the consent tests.
import type { Json, JsonObject } from "../../../src/core/json.ts";
import {
  judgeConsent,
  type ConsentFinding,
  type ConsentQuestion,
  type ConsentRecord,
} from "../../../src/policy/consent.ts";

const terminology = "http://terminology.hl7.org/CodeSystem";
export const at = Date.parse("2026-11-25T17:00:00Z");

export const optIn: JsonObject = { policyRule: { coding: [{ system: `${terminology}/v3-ActCode`, code: "OPTIN" }] } };
export const optOut: JsonObject = { policyRule: { coding: [{ system: `${terminology}/v3-ActCode`, code: "OPTOUT" }] } };

export function purpose(...codes: string[]): JsonObject {
  return { purpose: codes.map((code) => ({ system: `${terminology}/v3-ActReason`, code })) };
}

export function actor(reference: string, role = "IRCP"): JsonObject {
  const coding = [{ system: `${terminology}/v3-ParticipationType`, code: role }];
  return { actor: [{ role: { coding }, reference: { reference } }] };
}

export function action(...codes: string[]): JsonObject {
  return { action: codes.map((code) => ({ coding: [{ system: `${terminology}/consentaction`, code }] })) };
}

export function resourceClass(...codes: string[]): JsonObject {
  return { class: codes.map((code) => ({ system: "http://hl7.org/fhir/resource-types", code })) };
}

export function label(code: string): JsonObject {
  return { securityLabel: [{ system: `${terminology}/v3-Confidentiality`, code }] };
}

export function permit(...parts: (JsonObject | { provision: Json })[]): JsonObject {
  return Object.assign({ type: "permit" }, ...parts) as JsonObject;
}

export function deny(...parts: JsonObject[]): JsonObject {
  return Object.assign({ type: "deny" }, ...parts) as JsonObject;
}

export function nested(...provision: JsonObject[]): JsonObject {
  return { provision };
}

export function consent(body: JsonObject, id = "c1"): ConsentRecord {
  const resource = {
    resourceType: "Consent",
    id,
    status: "active",
    scope: { coding: [{ system: `${terminology}/consentscope`, code: "patient-privacy" }] },
    category: [{ coding: [{ system: "http://loinc.org", code: "59284-0" }] }],
    patient: { reference: "Patient/p" },
    dateTime: "2026-01-01",
    ...body,
  };
  return { ref: { system: "ehr", type: "Consent", id }, version: "1", resource };
}

/** By default the CRM asks for Patient/p in order to operate, and no consent means no. */
export function judge(consents: readonly ConsentRecord[], change: Partial<ConsentQuestion> = {}): ConsentFinding {
  return judgeConsent({
    consents,
    patients: [{ system: "ehr", type: "Patient", id: "p" }],
    actor: { references: [{ system: "ehr", type: "Organization", id: "crm" }] },
    purpose: "HOPERAT",
    resource: "Patient",
    resourceRef: { system: "ehr", type: "Patient", id: "p" },
    at,
    timeZone: "America/New_York",
    requireConsent: false,
    ...change,
  });
}

/** The rule's id without its `consent-` prefix. */
export function ruleOf(body: JsonObject, change: Partial<ConsentQuestion> = {}): string {
  const finding = judge([consent(body)], change);
  return finding.rule.replace("consent-", "");
}
