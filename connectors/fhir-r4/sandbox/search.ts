// The sandbox EHR's search: the parameters it knows, each with its own matching; any other parameter is refused.
import { isJsonObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import type { ResourceStore, Version } from "./store.ts";

/** Reads a parameter's value once, then answers for each resource. */
type Matcher = (value: string) => (version: Version) => boolean;

const shared: Readonly<Record<string, Matcher>> = {
  _id: (value) => (version) => version.id === value,
  _lastUpdated: (value) => timeMatcher(value, (version) => version.changed),
  identifier: (value) => {
    const matches = tokenMatcher(value);
    return (version) => list(version.resource["identifier"]).some(matches);
  },
};

const own: Readonly<Record<string, Readonly<Record<string, Matcher>>>> = {
  Patient: {
    family: (value) => {
      const matches = beginning(value);
      return (version) => names(version).some((name) => matches(name["family"]));
    },
    given: (value) => {
      const matches = beginning(value);
      return (version) => names(version).some((name) => texts(name["given"]).some(matches));
    },
    birthdate: (value) => timeMatcher(value, (version) => timeOf(version.resource["birthDate"])),
  },
  Appointment: {
    patient: (value) => {
      const matches = patientMatcher(value);
      return (version) => list(version.resource["participant"]).some((one) => matches(one["actor"]));
    },
    status: (value) => (version) => version.resource["status"] === value,
    date: (value) => timeMatcher(value, (version) => timeOf(version.resource["start"])),
  },
  Consent: {
    patient: (value) => {
      const matches = patientMatcher(value);
      return (version) => matches(version.resource["patient"]);
    },
    status: (value) => (version) => version.resource["status"] === value,
  },
};

const controls: ReadonlySet<string> = new Set(["_count", "_sort", "_format"]);

/** Names of the search parameters of a type, for the CapabilityStatement. */
export function parametersOf(type: string): readonly string[] {
  return [...Object.keys(shared), ...Object.keys(own[type] ?? {})];
}

/** Under what the store lists a resource, so that the commonest searches need not look at all of a type. */
export function keysOf({ resource }: Version): readonly string[] {
  const values = list(resource["identifier"]).map((one) => one["value"]);
  const birthDate = resource["birthDate"];
  return [
    ...new Set(values.flatMap((value) => (typeof value === "string" ? `identifier ${value}` : []))),
    ...(typeof birthDate === "string" ? [`birthdate ${birthDate}`] : []),
  ];
}

/** The key that every match of a parameter has; undefined when there is none such. */
function keyOf(name: string, value: string): string | undefined {
  if (splitUnescaped(value, ",").length > 1) return undefined;
  if (name === "identifier") return `identifier ${splitUnescaped(value, "|").map(unescape).slice(0, 2).at(-1) ?? ""}`;
  // A resource's birth date may be less precise than a day: it then stands for the first day of its span.
  return name === "birthdate" && /^\d{4}-\d{2}-(?!01)\d{2}$/.test(value) ? `birthdate ${value}` : undefined;
}

/** The matches in the order asked for; undefined when a parameter or its value is not supported. */
export function search(store: ResourceStore, type: string, query: URLSearchParams): readonly Version[] | undefined {
  const tests: ((version: Version) => boolean)[] = [];
  let key: string | undefined;
  for (const [name, value] of query) {
    if (controls.has(name)) continue;
    const matcher = shared[name] ?? own[type]?.[name];
    if (!matcher || value === "" || !isProperValue(name, value)) return undefined;
    const options = splitUnescaped(value, ",").map(matcher);
    tests.push((version) => options.some((matches) => matches(version)));
    key ??= keyOf(name, value);
  }
  const sort = query.get("_sort");
  if (sort !== null && sort !== "_lastUpdated" && sort !== "-_lastUpdated") return undefined;
  const candidates = key === undefined ? store.all(type) : store.keyed(type, key);
  const found = candidates.filter((version) => tests.every((matches) => matches(version)));
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

function timeMatcher(value: string, timeIn: (version: Version) => number | undefined): (version: Version) => boolean {
  const wanted = span(value);
  if (!wanted) return () => false;
  const { prefix, from, to } = wanted;
  return (version) => {
    const time = timeIn(version);
    if (time === undefined) return false;
    if (prefix === "ge") return time >= from;
    if (prefix === "gt") return time >= to;
    if (prefix === "le") return time < to;
    if (prefix === "lt") return time < from;
    return time >= from && time < to;
  };
}

function timeOf(value: Json | undefined): number | undefined {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** `system|value`, `|value` (no system), `value` (any system). */
function tokenMatcher(text: string): (identifier: JsonObject) => boolean {
  const [first = "", second] = splitUnescaped(text, "|").map(unescape);
  if (second === undefined) return (identifier) => identifier["value"] === first;
  const system = first === "" ? undefined : first;
  return (identifier) => identifier["system"] === system && identifier["value"] === second;
}

function patientMatcher(value: string): (reference: Json | undefined) => boolean {
  const wanted = value.startsWith("Patient/") ? value : `Patient/${value}`;
  return (reference) => (isJsonObject(reference) ? reference["reference"] : undefined) === wanted;
}

/** FHIR string search: begins with, letter case and accents apart. */
function beginning(value: string): (text: Json | undefined) => boolean {
  const wanted = bare(unescape(value));
  return (text) => typeof text === "string" && bare(text).startsWith(wanted);
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
