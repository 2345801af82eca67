// Reads one `Consent.provision`, nested ones included. An attribute that is there but cannot be evaluated makes the rule
// `opaque`: it may match or not, and the evaluation counts with both.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { periodRange, type TimeRange } from "./fhir-time.ts";

export interface ActorRule {
  /** The actor receives the data; undefined: its role says something else, or nothing. */
  readonly receives: boolean;
  readonly reference: string | undefined;
  readonly identifier: { readonly system: string; readonly value: string } | undefined;
}

export interface Provision {
  readonly type: "permit" | "deny" | undefined;
  readonly period: TimeRange | undefined;
  /** True when it has any attribute besides type, period and nested rules. */
  readonly criteria: boolean;
  readonly actors: readonly ActorRule[] | undefined;
  /** Codes; `undefined` in a list is a code that is not understood. */
  readonly actions: readonly (string | undefined)[] | undefined;
  readonly purposes: readonly (string | undefined)[] | undefined;
  readonly classes: readonly (string | undefined)[] | undefined;
  readonly data: readonly { readonly reference: string | undefined; readonly only: boolean }[] | undefined;
  readonly opaque: boolean;
  readonly children: readonly Provision[];
}

const attributes = "actor action purpose class data securityLabel code dataPeriod extension".split(" ");
const known = new Set([...attributes, "id", "type", "period", "provision"]);
const lists = new Set("actor action purpose class data securityLabel code provision extension".split(" "));
const receiverRoles = new Set(["IRCP", "PRCP", "GRANTEE", "HPOWATT"]);
const roleSystems = ["v3-ParticipationType", "v3-RoleCode"].map(
  (name) => `http://terminology.hl7.org/CodeSystem/${name}`,
);

/** The rule, or why it cannot be computed (no PHI). */
export function readProvision(value: Json | undefined, timeZone: string, depth = 0): Provision | string {
  if (!isJsonObject(value)) return "a provision is malformed";
  const problem = problemOf(value, depth);
  if (problem !== undefined) return problem;
  const { type } = value;
  if (type !== undefined && type !== "permit" && type !== "deny") return "a provision's type is not understood";
  const period = periodRange(value["period"], timeZone);
  if (value["period"] !== undefined && !period) return "a provision's period is malformed";
  const children = objects(value["provision"]).map((child) => readProvision(child, timeZone, depth + 1));
  const broken = children.find((child) => typeof child === "string");
  if (broken !== undefined) return broken;
  return {
    type,
    period,
    criteria: attributes.some((name) => name in value),
    actors: listOf(value["actor"], readActor),
    actions: listOf(value["action"], readAction),
    purposes: listOf(value["purpose"], (one) => codeOf(one, "http://terminology.hl7.org/CodeSystem/v3-ActReason")),
    classes: listOf(value["class"], (one) => codeOf(one, "http://hl7.org/fhir/resource-types")),
    data: listOf(value["data"], readData),
    opaque: ["securityLabel", "code", "dataPeriod", "extension"].some((name) => name in value),
    children: children.filter((child) => typeof child !== "string"),
  };
}

/** An empty or wrongly typed list is no list: "no values" must never read as "any value". */
function problemOf(value: JsonObject, depth: number): string | undefined {
  if (depth > 20) return "its provisions are nested too deeply";
  for (const [name, member] of Object.entries(value)) {
    const plain = name.replace(/^_/, "");
    if (!known.has(plain) || (plain !== name && !(plain in value)))
      return "a provision has an element that is not understood";
    if (lists.has(name) && !isFilledList(member)) return "a provision is malformed";
  }
  return undefined;
}

function isFilledList(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length > 0 && (value as readonly Json[]).every(isJsonObject);
}

function readActor(actor: JsonObject): ActorRule {
  const who = isJsonObject(actor["reference"]) ? actor["reference"] : {};
  const identifier = isJsonObject(who["identifier"]) ? who["identifier"] : {};
  const role = isJsonObject(actor["role"]) ? actor["role"] : {};
  const roles = objects(role["coding"]);
  const { system, value } = identifier;
  return {
    receives: roles.some(
      (one) => roleSystems.includes(text(one["system"]) ?? "") && receiverRoles.has(text(one["code"]) ?? ""),
    ),
    reference: text(who["reference"]),
    identifier: typeof system === "string" && typeof value === "string" ? { system, value } : undefined,
  };
}

const actionSystem = "http://terminology.hl7.org/CodeSystem/consentaction";

function readAction(action: JsonObject): string | undefined {
  const codes = objects(action["coding"]).map((coding) => codeOf(coding, actionSystem));
  return codes.length === 1 ? codes[0] : undefined;
}

function readData(data: JsonObject): { reference: string | undefined; only: boolean } {
  const { meaning, reference } = data;
  return {
    reference: isJsonObject(reference) ? text(reference["reference"]) : undefined,
    only: meaning === "instance",
  };
}

function codeOf(coding: JsonObject, system: string): string | undefined {
  return coding["system"] === system ? text(coding["code"]) : undefined;
}

function listOf<T>(value: Json | undefined, read: (one: JsonObject) => T): readonly T[] | undefined {
  return value === undefined ? undefined : objects(value).map(read);
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
