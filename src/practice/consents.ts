// The patients' consents as the EHR keeps them: FHIR R4 Consent in the forms that are met in practice, one or two for each
// label of the cast.
import { instant } from "../core/clock.ts";
import type { JsonObject } from "../core/json.ts";
import type { ConsentLabel } from "./cast.ts";
import { meta } from "./fhir.ts";
import type { Stamped } from "./salesforce.ts";

/** How consents name the recipients: `SystemConfig.organization` of each. */
export interface Recipients {
  readonly ehr: string;
  readonly crm: string;
  readonly marketing: string;
}

const terminology = "http://terminology.hl7.org/CodeSystem";
const day = 86_400_000;

export interface ConsentContext {
  readonly patientId: string;
  /** "Today", milliseconds. */
  readonly at: number;
  readonly recipients: Recipients;
  /** Gives the next Consent its id and change time. */
  readonly record: () => Stamped;
}

/** The consents of one patient; empty for `none`. */
export function consentsFor(label: ConsentLabel, context: ConsentContext): JsonObject[] {
  const { at, recipients } = context;
  const marketing = permitCare([rule("permit", recipients.marketing, "HMARKT")]);
  const make = (body: JsonObject, daysAgo = 200): JsonObject => consent(context, body, at - daysAgo * day);
  switch (label) {
    case "none":
      return [];
    case "marketing-permit":
      return [make(marketing)];
    case "marketing-opt-out":
      // Published R4: a policy rule, and a nested exception to it.
      return [
        make({ ...policyRule("OPTIN"), provision: { provision: [rule("deny", recipients.marketing, "HMARKT")] } }),
      ];
    case "operations-opt-out":
      return [make(permitCare([rule("deny", recipients.crm, "HOPERAT")]))];
    case "treatment-deny":
      return [make(permitCare([rule("deny", recipients.ehr, "TREAT")]))];
    case "everything-opt-out":
      return [make(policyRule("OPTOUT"))];
    case "expired":
      return [make(within(marketing, at - 400 * day, at - 30 * day), 400)];
    case "not-yet":
      return [make(within(marketing, at + 30 * day, at + 400 * day), 2)];
    case "revoked":
      return [{ ...make(marketing), status: "inactive" }];
    case "proposed":
      return [{ ...make(marketing), status: "proposed" }];
    case "superseded":
      return superseded(context, marketing);
  }
}

/** An older permit for marketing and a newer statement, under the same identifier, that no longer has it. */
function superseded(context: ConsentContext, marketing: JsonObject): JsonObject[] {
  const identifier = [{ system: "http://harbor.example/consent-forms", value: `form-${context.patientId}` }];
  return [
    { ...consent(context, marketing, context.at - 200 * day), identifier },
    { ...consent(context, permitCare([]), context.at - 20 * day), identifier },
  ];
}

function consent(context: ConsentContext, body: JsonObject, madeAt: number): JsonObject {
  const record = context.record();
  return {
    resourceType: "Consent",
    id: record.id,
    meta: meta(record),
    status: "active",
    scope: { coding: [{ system: `${terminology}/consentscope`, code: "patient-privacy" }] },
    category: [{ coding: [{ system: "http://loinc.org", code: "59284-0", display: "Consent Document" }] }],
    patient: { reference: `Patient/${context.patientId}` },
    dateTime: instant(madeAt),
    organization: [{ reference: "Organization/harbor-telehealth" }],
    ...body,
    ...("policyRule" in body
      ? {}
      : { policy: [{ uri: `http://harbor.example/policies/privacy-notice/${record.id}` }] }),
  };
}

function policyRule(code: "OPTIN" | "OPTOUT"): JsonObject {
  return { policyRule: { coding: [{ system: `${terminology}/v3-ActCode`, code }] } };
}

/** IHE PCF: the root permits treatment, payment and operations and nothing else; nested rules are exceptions to it. */
function permitCare(exceptions: readonly JsonObject[]): JsonObject {
  const purpose = ["TREAT", "HPAYMT", "HOPERAT"].map(purposeCoding);
  return { provision: { type: "permit", purpose, ...(exceptions.length > 0 ? { provision: exceptions } : {}) } };
}

function rule(type: "permit" | "deny", recipient: string, purpose: string): JsonObject {
  const role = {
    coding: [{ system: `${terminology}/v3-ParticipationType`, code: "IRCP", display: "information recipient" }],
  };
  return { type, actor: [{ role, reference: { reference: recipient } }], purpose: [purposeCoding(purpose)] };
}

function purposeCoding(code: string): JsonObject {
  return { system: `${terminology}/v3-ActReason`, code };
}

/** Days, both inclusive, as forms have them. */
function within(body: JsonObject, from: number, to: number): JsonObject {
  const { provision } = body;
  const period = { start: instant(from).slice(0, 10), end: instant(to).slice(0, 10) };
  return { ...body, provision: { ...(provision as JsonObject), period } };
}
