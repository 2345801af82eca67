// Values that a system holds back: how they are recognised, and how the reason goes when a value comes.
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";

const absentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const isAbsentReason = (extension: Json): boolean => isJsonObject(extension) && extension["url"] === absentReason;

/** The value is said to be withheld or not known: a data-absent-reason, or the text that some CRMs put in its place. */
export function isMasked(value: Json | undefined): boolean {
  if (value === "REDACTED") return true;
  if (Array.isArray(value)) return (value as readonly Json[]).some(isMasked);
  const extensions = isJsonObject(value) ? value["extension"] : undefined;
  return Array.isArray(extensions) && (extensions as readonly Json[]).some(isAbsentReason);
}

/** A value that is there has no reason to be absent; its other extensions stay. */
export function withoutMask(node: JsonObject, name: string): JsonObject {
  const beside = node[`_${name}`];
  if (!isMasked(beside)) return node;
  const { [`_${name}`]: _beside, ...rest } = node;
  const stripped = stripMask(beside);
  return stripped === undefined ? rest : { ...rest, [`_${name}`]: stripped };
}

export function withoutMaskAt(node: JsonObject, name: string, at: number): JsonObject {
  const beside = node[`_${name}`];
  if (at < 0 || !Array.isArray(beside) || !isMasked((beside as readonly Json[])[at])) return node;
  const next = (beside as readonly Json[]).with(at, stripMask((beside as readonly Json[])[at]) ?? null);
  const { [`_${name}`]: _beside, ...rest } = node;
  return next.every((one) => one === null) ? rest : { ...rest, [`_${name}`]: next };
}

/** The object without the reason for its absence; an empty one for undefined. */
export function unmasked(node: JsonObject | undefined): JsonObject {
  return isMasked(node) ? ((stripMask(node) ?? {}) as JsonObject) : (node ?? {});
}

function stripMask(beside: Json | undefined): Json | undefined {
  if (!isJsonObject(beside)) return undefined;
  const kept = ((beside["extension"] ?? []) as readonly Json[]).filter((one) => !isAbsentReason(one));
  const { extension: _extension, ...rest } = beside;
  if (kept.length > 0) return { ...rest, extension: kept };
  return Object.keys(rest).length > 0 ? rest : undefined;
}
