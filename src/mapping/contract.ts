// What a compiled mapping offers the exchange. Values are neutral: what FHIR would hold at the field's path, so that the
// same field reads equal from either side. An absent field is unknown and never clears anything; null is known to be empty.
import type { MappingDeclaration, MappingField } from "../core/configuration.ts";
import type { Json, JsonObject } from "../core/json.ts";

/** Field name (`crm` name of the declaration) → neutral value. */
export type FieldValues = ReadonlyMap<string, Json>;

/**
 * What a record is read for. `source` (default): the fields that move away from it, required ones must be there.
 * `destination`: the fields that may be written into it, to merge with; what is missing may be about to be filled.
 * `middle`: all fields, of a resource that `writeMiddle` made and that was reduced since.
 */
export type Role = "source" | "destination" | "middle";

/** A reference in neutral form before links are applied: the system's own id of a record of that FHIR type. */
export interface NeutralReference {
  readonly $reference: { readonly type: string; readonly id: string };
}

export interface CompiledField extends MappingField {
  /** Names this field in values, bases and audit entries: the `crm` name. */
  readonly name: string;
  /** Path without filters, for allow-lists and audit: `telecom.value`. */
  readonly element: string;
  readonly isReference: boolean;
}

export interface CompiledMapping {
  readonly declaration: MappingDeclaration;
  readonly id: string;
  readonly fields: readonly CompiledField[];
  /** CRM fields to read, the link field and those of `ignoreWhen` and `subject` included. */
  readonly crmFields: readonly string[];
  /** CRM record → values. Throws `mapping-refused` with element names when a value cannot be converted or is missing. */
  readCrm(record: JsonObject, role?: Role): FieldValues;
  /** FHIR resource → values. Throws `mapping-refused`; `resource-withheld` on a modifier that has no counterpart. */
  readFhir(resource: JsonObject, role?: Role): FieldValues;
  /** Values → the CRM fields for them, and only them. */
  writeCrm(values: FieldValues): JsonObject;
  /** Values put into a copy of `into` (absent: a new resource with the constants). All else survives, order included. */
  writeFhir(values: FieldValues, into?: JsonObject): JsonObject;
  /** Source values of either direction as a new FHIR resource, on which gates and minimum necessary judge both alike. */
  writeMiddle(values: FieldValues): JsonObject;
  /** True when the CRM record is no visit (or person) at all. */
  ignores(record: JsonObject): boolean;
}
