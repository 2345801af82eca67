// The sandbox EHR's search: the parameters it knows, each with its own matching; any other parameter is refused.
import { isJsonObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import type { Version } from "./store.ts";

type Matcher = (version: Version, value: string) => boolean;

const shared: Readonly<Record<string, Matcher>> = {
  _id: (version, value) => version.id === value,
  _lastUpdated: (version, value) => matchesTime(version.changed, value),
  identifier: (version, value) => list(version.resource["identifier"]).some((one) => matchesToken(one, value)),
};

const own: Readonly<Record<string, Readonly<Record<string, Matcher>>>> = {
  Patient: {
    family: (version, value) => names(version).some((name) => begins(name["family"], value)),
    given: (version, value) =>
      names(version).some((name) => texts(name["given"]).some((given) => begins(given, value))),
    birthdate: (version, value) => matchesTime(timeOf(version.resource["birthDate"]), value),
  },
  Appointment: {
    patient: (version, value) =>
      list(version.resource["participant"]).some((one) => refersToPatient(one["actor"], value)),
    status: (version, value) => version.resource["status"] === value,
    date: (version, value) => matchesTime(timeOf(version.resource["start"]), value),
  },
  Consent: {
    patient: (version, value) => refersToPatient(version.resource["patient"], value),
    status: (version, value) => version.resource["status"] === value,
  },
};

const controls: ReadonlySet<string> = new Set(["_count", "_sort", "_format"]);

/** Names of the search parameters of a type, for the CapabilityStatement. */
export function parametersOf(type: string): readonly string[] {
  return [...Object.keys(shared), ...Object.keys(own[type] ?? {})];
}

/** The matches in the order asked for; undefined when a parameter or its value is not supported. */
export function search(
  versions: readonly Version[],
  type: string,
  query: URLSearchParams,
): readonly Version[] | undefined {
  let found = [...versions];
  for (const [name, value] of query) {
    if (controls.has(name)) continue;
    const matcher = shared[name] ?? own[type]?.[name];
    if (!matcher || value === "" || !isProperValue(name, value)) return undefined;
    const options = splitUnescaped(value, ",");
    found = found.filter((version) => options.some((option) => matcher(version, option)));
  }
  const sort = query.get("_sort");
  if (sort !== null && sort !== "_lastUpdated" && sort !== "-_lastUpdated") return undefined;
  found.sort((left, right) => left.changed - right.changed);
  return sort === "-_lastUpdated" ? found.reverse() : found;
}

const timed: ReadonlySet<string> = new Set(["_lastUpdated", "birthdate", "date"]);

function isProperValue(name: string, value: string): boolean {
  return !timed.has(name) || span(value) !== undefined;
}

/** FHIR R4 3.1.1.4.7: a date stands for the whole span that its precision leaves open. */
function span(value: string): { prefix: string; from: number; to: number } | undefined {
  const parts = /^(eq|ge|gt|le|lt)?(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2}))?$/.exec(
    value,
  );
  const from = Date.parse(`${parts?.[2] ?? ""}${parts?.[3] ?? ""}`);
  if (!parts || Number.isNaN(from)) return undefined;
  const length = parts[3] === undefined ? 86_400_000 : parts[4] === undefined ? 1000 : 1;
  return { prefix: parts[1] ?? "eq", from, to: from + length };
}

function matchesTime(time: number | undefined, value: string): boolean {
  const wanted = span(value);
  if (!wanted || time === undefined) return false;
  if (wanted.prefix === "ge") return time >= wanted.from;
  if (wanted.prefix === "gt") return time >= wanted.to;
  if (wanted.prefix === "le") return time < wanted.to;
  if (wanted.prefix === "lt") return time < wanted.from;
  return time >= wanted.from && time < wanted.to;
}

function timeOf(value: Json | undefined): number | undefined {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** `system|value`, `|value` (no system), `value` (any system). */
function matchesToken(identifier: JsonObject, text: string): boolean {
  const [first = "", second] = splitUnescaped(text, "|").map(unescape);
  if (second === undefined) return identifier["value"] === first;
  const system = first === "" ? undefined : first;
  return identifier["system"] === system && identifier["value"] === second;
}

function refersToPatient(reference: Json | undefined, value: string): boolean {
  const text = isJsonObject(reference) ? reference["reference"] : undefined;
  return text === (value.startsWith("Patient/") ? value : `Patient/${value}`);
}

/** FHIR string search: begins with, letter case and accents apart. */
function begins(value: Json | undefined, wanted: string): boolean {
  return typeof value === "string" && bare(value).startsWith(bare(unescape(wanted)));
}

function bare(text: string): string {
  return text.normalize("NFD").replaceAll(/\p{M}/gu, "").toLowerCase();
}

function splitUnescaped(text: string, separator: "," | "|"): string[] {
  const parts = [""];
  for (const [piece] of text.matchAll(/\\.|[^\\]/gsu)) {
    if (piece === separator) parts.push("");
    else parts.push(`${parts.pop() ?? ""}${piece}`);
  }
  return parts;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/gsu, "$1");
}

function names(version: Version): readonly JsonObject[] {
  return list(version.resource["name"]);
}

function list(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}

function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter((one) => typeof one === "string") : [];
}
