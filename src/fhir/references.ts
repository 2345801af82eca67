// Whose data a resource is: every reference to a Patient, wherever it stands. Fails closed: a reference that might be to a
// Patient but whose id cannot be told is reported, so that the gate that asks can refuse.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { childrenOfType, isKnown, isResourceType, type ElementInfo } from "./elements.ts";
import { isFhirId } from "./ids.ts";

/** A literal reference (references.html#literal) taken apart. */
export interface ParsedReference {
  readonly type: string;
  readonly id: string;
  readonly version: string | undefined;
  /** Service base URL of an absolute reference, without a slash at the end. */
  readonly base: string | undefined;
}

const literal = /^(?:(https?:\/\/[^?#\s]+?)\/)?([A-Z][A-Za-z]+)\/([^/?#\s]+)(?:\/_history\/([^/?#\s]+))?$/;

/** `Patient/1`, `Patient/1/_history/2`, `https://host/base/Patient/1` → its parts; undefined for any other form. */
export function parseReference(text: unknown): ParsedReference | undefined {
  const [, base, type = "", id, version] = typeof text === "string" ? (literal.exec(text) ?? []) : [];
  if (!isResourceType(type) || !isFhirId(id)) return undefined;
  if (version !== undefined && !isFhirId(version)) return undefined;
  return { type, id, version, base };
}

export interface PatientReferences {
  /** Distinct logical ids of Patients, in order of appearance; of a Patient resource its own id first. */
  readonly ids: readonly string[];
  /** Paths of references that are or may be to a Patient whose id cannot be told (logical, conditional, contained, foreign). */
  readonly unresolvable: readonly string[];
}

interface Found {
  readonly ids: Set<string>;
  readonly unresolvable: Set<string>;
  readonly base: string | undefined;
  /** Ids of the outermost resource's contained resources. */
  readonly contained: ReadonlySet<unknown>;
}

/**
 * All Patients that a resource names: itself, in references at any depth (contained resources, Bundle entries and
 * extensions included). With `base`, an absolute reference to another server's Patient is unresolvable: its ids are not ours.
 */
export function patientReferences(resource: JsonObject, base?: string): PatientReferences {
  const contained = Array.isArray(resource["contained"]) ? (resource["contained"] as readonly Json[]) : [];
  const found: Found = {
    ids: new Set(),
    unresolvable: new Set(),
    base: base?.replace(/\/$/, ""),
    contained: new Set(contained.map((one) => (isJsonObject(one) ? one["id"] : undefined))),
  };
  walkResource(resource, "", false, found);
  return { ids: [...found.ids], unresolvable: [...found.unresolvable] };
}

function walkResource(resource: JsonObject, path: string, contained: boolean, found: Found): void {
  const type = typeof resource["resourceType"] === "string" ? resource["resourceType"] : "";
  const here = path === "" ? type : path;
  if (type === "Patient") {
    // A contained Patient has no identity of its own outside the resource (references.html#contained).
    if (isFhirId(resource["id"]) && !contained) found.ids.add(resource["id"]);
    else found.unresolvable.add(here);
  }
  walkMembers(resource, isKnown(type) ? childrenOfType(type) : undefined, here, found);
}

function walkMembers(
  node: JsonObject,
  children: ReadonlyMap<string, ElementInfo> | undefined,
  path: string,
  found: Found,
): void {
  for (const name in node) {
    const value = node[name];
    if (typeof value === "object" && value !== null)
      walkValue(value, children?.get(name), name, `${path}.${name}`, found);
  }
}

function walkValue(value: Json, element: ElementInfo | undefined, name: string, path: string, found: Found): void {
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) walkValue(item, element, name, path, found);
    return;
  }
  if (!isJsonObject(value)) return;
  if (typeof value["resourceType"] === "string") return walkResource(value, path, name === "contained", found);
  const isReference = element ? element.types.includes("Reference") : "reference" in value;
  if (isReference) judgeReference(value, element?.targets ?? [], path, found);
  walkMembers(value, element?.children, path, found);
}

function judgeReference(reference: JsonObject, targets: readonly string[], path: string, found: Found): void {
  const text = reference["reference"];
  const type = typeName(reference["type"]);
  const parsed = parseReference(text);
  if (parsed) {
    const contradicts = type === "Patient" && parsed.type !== "Patient";
    const foreign =
      parsed.type === "Patient" && parsed.base !== undefined && parsed.base !== (found.base ?? parsed.base);
    if (contradicts || foreign) found.unresolvable.add(path);
    else if (parsed.type === "Patient") found.ids.add(parsed.id);
    return;
  }
  const unknown = text === undefined ? namesWithoutId(reference, targets) : !isHarmless(text, found.contained);
  if (unknown && mayBePatient(text, type, targets)) found.unresolvable.add(path);
}

/** A contained target is judged where it stands; a conditional reference says its type. */
function isHarmless(text: unknown, contained: ReadonlySet<unknown>): boolean {
  if (typeof text !== "string") return false;
  if (text.startsWith("#")) return text === "#" || contained.has(text.slice(1));
  const conditionalOn = /^(?:https?:\/\/[^?#\s]+\/)?([A-Z][A-Za-z]+)\?/.exec(text)?.[1];
  return conditionalOn !== undefined && conditionalOn !== "Patient" && isResourceType(conditionalOn);
}

/** No literal reference: an identifier points at somebody; a mere display does where only subjects can stand. */
function namesWithoutId(reference: JsonObject, targets: readonly string[]): boolean {
  if (reference["identifier"] !== undefined || typeName(reference["type"]) === "Patient") return true;
  const forSubjects = targets.length > 0 && targets.every((target) => target === "Patient" || target === "Group");
  return reference["display"] !== undefined && forSubjects;
}

function mayBePatient(text: unknown, type: string | undefined, targets: readonly string[]): boolean {
  if (typeof text === "string" && /patient/i.test(text)) return true;
  if (type !== undefined) return type === "Patient" || !isResourceType(type);
  return targets.length === 0 || targets.includes("Patient");
}

/** `Patient`, also from `http://hl7.org/fhir/StructureDefinition/Patient`; undefined when there is none. */
function typeName(type: Json | undefined): string | undefined {
  return typeof type === "string" ? type.slice(type.lastIndexOf("/") + 1) : undefined;
}
