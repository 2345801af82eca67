// The sandbox EHR's own idea of a valid resource: known types, top-level elements of the right JSON kind, the required
// elements and codes of FHIR R4 for the three types that it knows well.
import { isJsonObject, type JsonObject } from "../../../src/core/json.ts";

export interface Problem {
  readonly status: 400 | 422;
  readonly code: "structure" | "required" | "value" | "invalid";
  /** Element path; absent when the whole body is wrong. */
  readonly expression?: string;
}

type Kind = "text" | "flag" | "number" | "object" | "list";

const common = {
  resourceType: "text",
  id: "text",
  meta: "object",
  implicitRules: "text",
  language: "text",
  text: "object",
} as const;
const lists = (names: string): Record<string, Kind> =>
  Object.fromEntries(names.split(" ").map((name) => [name, "list"]));
const domain: Record<string, Kind> = { ...common, ...lists("contained extension modifierExtension identifier") };

const elements: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  Patient: {
    ...domain,
    ...lists("name telecom address photo contact communication generalPractitioner link"),
    active: "flag",
    gender: "text",
    birthDate: "text",
    deceasedBoolean: "flag",
    deceasedDateTime: "text",
    maritalStatus: "object",
    multipleBirthBoolean: "flag",
    multipleBirthInteger: "number",
    managingOrganization: "object",
  },
  Appointment: {
    ...domain,
    ...lists("serviceCategory serviceType specialty reasonCode reasonReference supportingInformation slot basedOn"),
    ...lists("participant requestedPeriod"),
    status: "text",
    cancelationReason: "object",
    appointmentType: "object",
    priority: "number",
    description: "text",
    start: "text",
    end: "text",
    minutesDuration: "number",
    created: "text",
    comment: "text",
    patientInstruction: "text",
  },
  Consent: {
    ...domain,
    ...lists("category performer organization policy verification"),
    status: "text",
    scope: "object",
    patient: "object",
    dateTime: "text",
    sourceAttachment: "object",
    sourceReference: "object",
    policyRule: "object",
    provision: "object",
  },
};

const required: Readonly<Record<string, readonly string[]>> = {
  Patient: [],
  Appointment: ["status", "participant"],
  Consent: ["status", "scope", "category"],
};

const appointmentStatus =
  "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in waitlist";
const codes: Readonly<Record<string, string>> = {
  "Patient.gender": "male female other unknown",
  "Appointment.status": appointmentStatus,
  "Consent.status": "draft proposed active rejected inactive entered-in-error",
};

const date = /^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$/;
const moment =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const formats: Readonly<Record<string, RegExp>> = {
  "Patient.birthDate": date,
  "Appointment.start": moment,
  "Appointment.end": moment,
};

export function isKnownType(type: string): boolean {
  return type in elements;
}

/** The first thing that is wrong with a body sent to `type`, or undefined. */
export function problemOf(type: string, body: unknown): Problem | undefined {
  if (!isJsonObject(body) || body["resourceType"] !== type) return { status: 400, code: "structure" };
  const known = elements[type] ?? {};
  for (const [name, value] of Object.entries(body)) {
    const expression = `${type}.${name}`;
    const kind = known[name];
    if (kind === undefined && !name.startsWith("_")) return { status: 422, code: "structure", expression };
    if (kind !== undefined && kindOf(value) !== kind) return { status: 422, code: "structure", expression };
    if (Array.isArray(value) && (value.length === 0 || !value.every(isJsonObject))) {
      return { status: 422, code: "structure", expression };
    }
    if (typeof value === "string" && !isAllowed(expression, value)) return { status: 422, code: "value", expression };
  }
  const missing = (required[type] ?? []).find((name) => body[name] === undefined);
  if (missing !== undefined) return { status: 422, code: "required", expression: `${type}.${missing}` };
  return type === "Appointment" ? appointmentProblem(body) : undefined;
}

/** Invariants app-2 and app-3 and the required participant status. */
function appointmentProblem(body: JsonObject): Problem | undefined {
  if ((body["start"] === undefined) !== (body["end"] === undefined)) {
    return { status: 422, code: "invalid", expression: "Appointment.start" };
  }
  const timeless = ["proposed", "cancelled", "waitlist"].some((status) => status === body["status"]);
  if (body["start"] === undefined && !timeless)
    return { status: 422, code: "invalid", expression: "Appointment.start" };
  const participants = body["participant"] as readonly JsonObject[];
  if (participants.every((one) => typeof one["status"] === "string")) return undefined;
  return { status: 422, code: "required", expression: "Appointment.participant.status" };
}

function isAllowed(expression: string, value: string): boolean {
  if (value.trim() === "") return false;
  const list = codes[expression];
  if (list !== undefined) return list.split(" ").includes(value);
  return formats[expression]?.test(value) ?? true;
}

function kindOf(value: unknown): Kind | undefined {
  if (Array.isArray(value)) return "list";
  if (isJsonObject(value)) return "object";
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "flag";
  return typeof value === "number" ? "number" : undefined;
}
