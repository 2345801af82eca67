// Reads one FHIR R4 Consent once into the form that is evaluated. What it cannot read it names as a problem and never
// leaves out: a rule that vanished might have been a refusal.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { RecordRef } from "../core/records.ts";
import { dateTimeRange, type TimeRange } from "./fhir-time.ts";
import { readProvision, type Provision } from "./consent-provision.ts";

/** A Consent as a system gave it; `ref.type` is `Consent`. */
export interface ConsentRecord {
  readonly ref: RecordRef;
  readonly version: string;
  readonly resource: unknown;
}

/** How root and nested rules are to be read: see `consent-rules.ts`. */
export type Dialect = "r4-literal" | "root-typed" | "single-rule" | "policy-only";

export interface ConsentBody {
  readonly dialect: Dialect;
  /** What `policyRule` says: OPTIN permits, OPTOUT denies. */
  readonly base: "permit" | "deny" | undefined;
  readonly root: Provision | undefined;
}

export interface CompiledConsent {
  readonly kind: "compiled";
  readonly ref: RecordRef;
  readonly version: string;
  /** `active` binds; `withdrawn` (inactive, rejected) only replaces; `inert` never counts. */
  readonly status: "active" | "withdrawn" | "inert";
  /** `care` (treatment, advance directive) is no word on disclosure; `unknown` comes with a problem. */
  readonly scope: "privacy" | "research" | "care" | "unknown";
  /** `Consent.patient.reference`; undefined when it has none. */
  readonly patient: string | undefined;
  readonly made: TimeRange | undefined;
  /** What a newer statement must share to replace this one: identifiers and policy URIs. */
  readonly keys: readonly string[];
  /** Why it cannot be computed, no PHI; then `body` is undefined. */
  readonly problem: string | undefined;
  readonly body: ConsentBody | undefined;
}

const scopeSystem = "http://terminology.hl7.org/CodeSystem/consentscope";
const actCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const known = new Set(
  (
    "resourceType id meta implicitRules language text contained extension modifierExtension identifier status scope category " +
    "patient dateTime performer organization sourceAttachment sourceReference policy policyRule verification provision"
  ).split(" "),
);

/** @param timeZone IANA zone for dates without one. */
export function compileConsent(record: ConsentRecord, timeZone: string): CompiledConsent {
  const resource = isJsonObject(record.resource) ? record.resource : {};
  const scope = readScope(resource["scope"]);
  const head = {
    kind: "compiled",
    ref: record.ref,
    version: record.version,
    status: readStatus(resource["status"]),
    scope,
    patient: isJsonObject(resource["patient"]) ? text(resource["patient"]["reference"]) : undefined,
    made: dateTimeRange(resource["dateTime"], timeZone),
    keys: readKeys(resource),
  } as const;
  const problem = problemOf(resource) ?? (scope === "unknown" ? "its scope is not understood" : undefined);
  if (problem !== undefined) return { ...head, problem, body: undefined };
  const body = readBody(resource, timeZone);
  return typeof body === "string" ? { ...head, problem: body, body: undefined } : { ...head, problem: undefined, body };
}

/** A status that R4 does not know, or none, is taken as active: it must not make a refusal vanish. */
function readStatus(status: Json | undefined): CompiledConsent["status"] {
  if (status === "inactive" || status === "rejected") return "withdrawn";
  return status === "draft" || status === "proposed" || status === "entered-in-error" ? "inert" : "active";
}

function problemOf(resource: JsonObject): string | undefined {
  if (resource["resourceType"] !== "Consent") return "it is no Consent resource";
  if (
    !["active", "inactive", "rejected", "draft", "proposed", "entered-in-error"].includes(
      text(resource["status"]) ?? "",
    )
  )
    return "its status is not understood";
  if ("implicitRules" in resource || "_implicitRules" in resource) return "it rests on implicit rules";
  if (hasModifierExtension(resource)) return "it has a modifier extension";
  if (Object.keys(resource).some((name) => !known.has(name) && !known.has(name.replace(/^_/, ""))))
    return "it has elements that R4 does not know";
  return "_dateTime" in resource && !("dateTime" in resource) ? "its date is masked" : undefined;
}

function hasModifierExtension(value: Json | undefined): boolean {
  if (Array.isArray(value)) return (value as readonly Json[]).some(hasModifierExtension);
  if (!isJsonObject(value)) return false;
  return "modifierExtension" in value || Object.values(value).some(hasModifierExtension);
}

function readScope(scope: Json | undefined): CompiledConsent["scope"] {
  const codes = new Set(codesIn(scope, scopeSystem));
  const [code] = codes;
  if (codes.size !== 1) return "unknown";
  if (code === "patient-privacy") return "privacy";
  if (code === "research") return "research";
  return code === "treatment" || code === "adr" ? "care" : "unknown";
}

function readBody(resource: JsonObject, timeZone: string): ConsentBody | string {
  const base = readPolicyRule(resource);
  if (base === "unknown") return "its policy rule is not understood";
  if (resource["provision"] === undefined) {
    if ("_provision" in resource || base === undefined) return "it has neither a policy rule nor a provision";
    return { dialect: "policy-only", base, root: undefined };
  }
  const root = readProvision(resource["provision"], timeZone);
  return typeof root === "string" ? root : bodyOf(base, root);
}

/** Chooses the dialect by what is there; whatever contradicts itself is not computable. */
function bodyOf(base: ConsentBody["base"], root: Provision): ConsentBody | string {
  if (root.type === undefined) {
    if (base === undefined) return "it has neither a policy rule nor a typed root provision";
    if (hasUntyped(root.children)) return "a nested provision has no type";
    const exception = root.criteria || (base === "permit" && root.period !== undefined);
    const same = root.children.some((child) => child.type !== base);
    if (exception && same) return "a nested provision repeats the exception that it belongs to";
    return { dialect: "r4-literal", base, root };
  }
  const single = root.children.length === 0 && base !== undefined && base !== root.type;
  return { dialect: single ? "single-rule" : "root-typed", base, root };
}

function hasUntyped(rules: readonly Provision[]): boolean {
  return rules.some((rule) => rule.type === undefined || hasUntyped(rule.children));
}

function readPolicyRule(resource: JsonObject): ConsentBody["base"] | "unknown" {
  const rule = resource["policyRule"];
  if (rule === undefined) return "_policyRule" in resource ? "unknown" : undefined;
  const senses = new Set(codesIn(rule, actCode).map((code) => policyRules.get(code)));
  const [sense] = senses;
  return senses.size === 1 && sense !== undefined ? sense : "unknown";
}

const policyRules: ReadonlyMap<string, "permit" | "deny"> = new Map([
  ["OPTIN", "permit"],
  ["OPTINR", "permit"],
  ["OPTOUT", "deny"],
  ["OPTOUTE", "deny"],
]);

function readKeys(resource: JsonObject): readonly string[] {
  const identifiers = objects(resource["identifier"])
    .filter((one) => text(one["value"]) !== undefined)
    .map((one) => `identifier ${text(one["system"]) ?? ""} ${text(one["value"])}`);
  const uris = objects(resource["policy"]).flatMap((one) => text(one["uri"]) ?? []);
  return [...identifiers, ...uris.map((uri) => `policy ${uri}`)];
}

function codesIn(concept: Json | undefined, system: string): string[] {
  const codings = isJsonObject(concept) ? objects(concept["coding"]) : [];
  return codings.filter((coding) => coding["system"] === system).flatMap((coding) => text(coding["code"]) ?? []);
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
