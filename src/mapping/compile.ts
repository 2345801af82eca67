// Compiles a mapping declaration once into the functions that convert records: all names are checked here against the R4
// element table, so that converting meets no surprise but the record's own.
import { systemClock, type Clock } from "../core/clock.ts";
import type { MappingDeclaration } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { isResourceType, resourceTypes } from "../fhir/elements.ts";
import { nearestName } from "../fhir/nearest.ts";
import { compileConstant, type Constant } from "./constants.ts";
import type { CompiledMapping, FieldValues, Role } from "./contract.ts";
import { compileField, type FieldLens } from "./field.ts";
import { compileModifiers } from "./modifiers.ts";
import { checkMandatory, checkOverlaps, checkWritable } from "./path-checks.ts";
import type { Fail } from "./path.ts";

/** Throws `config-invalid` with the path, what is wrong and a hint. `clock` tells the codec birth-date what day it is. */
export function compileMapping(declaration: MappingDeclaration, clock: Clock = systemClock): CompiledMapping {
  const { type } = declaration.fhir;
  const failAt =
    (place: string, element: string): Fail =>
    (problem, hint) =>
      new SluiceError("config-invalid", `mapping ${declaration.id}${place}: ${problem}`, { hint, elements: [element] });
  const fail = failAt("", type);
  checkType(type, fail);
  const fields = declaration.fields.map((field) =>
    compileField(type, field, clock, failAt(`, field ${field.crm}`, field.fhir)),
  );
  const constants = Object.entries(declaration.constants).map(([path, value]) =>
    compileConstant(type, path, value, failAt(", constants", path)),
  );
  checkFields(declaration, fields, constants, failAt);
  const checkModifiers = compileModifiers(declaration, fields, fail);
  return {
    declaration,
    id: declaration.id,
    fields: fields.map(({ field }) => field),
    crmFields: crmFields(declaration, fields),
    readCrm: crmReader(fields),
    readFhir: fhirReader(type, fields, checkModifiers),
    writeCrm: crmWriter(fields),
    writeFhir: fhirWriter(
      type,
      fields.filter((one) => one.movesToFhir),
      constants,
    ),
    writeMiddle: fhirWriter(type, fields, constants),
    ignores: (record) => declaration.ignoreWhen.some(({ crm, equals }) => says(record[crm], equals)),
  };
}

function checkType(type: string, fail: Fail): void {
  if (isResourceType(type)) return;
  const nearest = nearestName(type, resourceTypes());
  throw fail(
    `"${type}" is no R4 resource type`,
    nearest ? `did you mean "${nearest}"?` : "use a FHIR R4 (4.0.1) resource type",
  );
}

function checkFields(
  declaration: MappingDeclaration,
  fields: readonly FieldLens[],
  constants: readonly Constant[],
  failAt: (place: string, element: string) => Fail,
): void {
  const failField = ({ field }: FieldLens): Fail => failAt(`, field ${field.crm}`, field.fhir);
  fields.forEach((one, position) => {
    if (fields.findIndex(({ field }) => field.crm === one.field.crm) !== position) {
      throw failField(one)("the CRM field is mapped twice", "map each CRM field once");
    }
    if (one.movesToFhir) checkWritable(one, failField(one));
  });
  checkOverlaps(fields, failField);
  checkSubject(declaration, fields, failAt(", subject", declaration.subject));
  const written = fields
    .filter((one) => one.movesToFhir)
    .map(({ path, field }) => ({ path, sure: field.required === true }));
  if (written.length > 0) {
    const set = constants.map(({ path }) => ({ path, sure: true }));
    checkMandatory(declaration.fhir.type, [...written, ...set], failAt("", declaration.fhir.type));
  }
}

function checkSubject({ subject, fhir }: MappingDeclaration, fields: readonly FieldLens[], fail: Fail): void {
  if (subject === "self") {
    if (fhir.type !== "Patient")
      throw fail(`a ${fhir.type} is not the patient`, "give the path of the field that refers to the patient");
    return;
  }
  const found = fields.find(({ field }) => field.fhir === subject);
  if (!found?.field.isReference || found.field.target !== "Patient" || !found.field.required) {
    throw fail(
      "no required reference field to Patient has this path",
      "repeat the fhir path of the field with codec: reference, target: Patient, required: true",
    );
  }
}

function crmFields(declaration: MappingDeclaration, fields: readonly FieldLens[]): readonly string[] {
  const { crm, ignoreWhen } = declaration;
  return [...new Set([...fields.map(({ field }) => field.crm), crm.linkField, ...ignoreWhen.map((rule) => rule.crm)])];
}

/** Only what is known gets into the values. */
function read(fields: readonly FieldLens[], role: Role, reading: (one: FieldLens) => Json | undefined): FieldValues {
  const values = new Map<string, Json>();
  for (const one of fields) {
    const value = reading(one);
    if ((value === undefined || value === null) && one.field.required && role === "source")
      throw one.refuse("is required and missing", "fill it in");
    if (value !== undefined) values.set(one.field.name, value);
  }
  return values;
}

function byDirection(all: readonly FieldLens[]): readonly [readonly FieldLens[], readonly FieldLens[]] {
  return [all.filter((one) => one.movesToFhir), all.filter((one) => one.movesToCrm)];
}

function crmReader(all: readonly FieldLens[]): CompiledMapping["readCrm"] {
  const [toFhir, toCrm] = byDirection(all);
  const fields = { source: toFhir, destination: toCrm, middle: all };
  return (record, role = "source") => read(fields[role], role, (one) => one.readCrm(record));
}

function fhirReader(
  type: string,
  all: readonly FieldLens[],
  check: (resource: JsonObject) => void,
): CompiledMapping["readFhir"] {
  const [toFhir, toCrm] = byDirection(all);
  const fields = { source: toCrm, destination: toFhir, middle: all };
  return (resource, role = "source") => {
    checkResource(type, resource);
    check(resource);
    const whole = !isPartial(resource);
    return read(fields[role], role, (one) => one.readFhir(resource, whole));
  };
}

function crmWriter(all: readonly FieldLens[]): CompiledMapping["writeCrm"] {
  const fields = all.filter((one) => one.movesToCrm);
  return (values) => {
    const record: Record<string, Json> = {};
    for (const one of fields) {
      const value = values.get(one.field.name);
      if (value !== undefined) one.writeCrm(record, value);
    }
    return record;
  };
}

function fhirWriter(
  type: string,
  fields: readonly FieldLens[],
  constants: readonly Constant[],
): CompiledMapping["writeFhir"] {
  return (values, into) => {
    if (into) checkWhole(type, into);
    let resource: JsonObject = into ? { ...into } : { resourceType: type };
    for (const one of fields) {
      const value = values.get(one.field.name);
      if (value !== undefined) resource = one.writeFhir(resource, value);
    }
    return constants.reduce((made, constant) => constant.apply(made, into), resource);
  };
}

function checkResource(type: string, resource: JsonObject): void {
  if (resource["resourceType"] === type) return;
  throw new SluiceError("mapping-refused", `the resource is no ${type}`, {
    hint: `give a ${type}`,
    elements: ["resourceType"],
  });
}

/** A part written back would erase the rest (ARCHITECTURE, What always holds 8). */
function checkWhole(type: string, resource: JsonObject): void {
  checkResource(type, resource);
  if (!isPartial(resource)) return;
  throw new SluiceError(
    "mapping-refused",
    `the ${type} is only a part of what its server holds, so nothing may be written into it`,
    {
      hint: "read it without _elements or _summary, with an account that may see all of it",
      elements: ["meta"],
    },
  );
}

/** v3-ObservationValue: the server left something out (search.html#elements) or hid it (security-labels.html). */
const partialCodes: ReadonlySet<unknown> = new Set(["SUBSETTED", "REDACTED", "MASKED"]);

function isPartial({ meta }: JsonObject): boolean {
  if (!isJsonObject(meta)) return false;
  const labels = [meta["tag"], meta["security"]].flatMap((list) =>
    Array.isArray(list) ? (list as readonly Json[]) : [],
  );
  return labels.some((label) => isJsonObject(label) && partialCodes.has(label["code"]));
}

/** `null` is said by null and by an empty text, never by a field that was not read. */
function says(value: Json | undefined, equals: string | boolean | null): boolean {
  return equals === null ? value === null || value === "" : value === equals;
}
