// Copies what a compiled allow-list keeps of a resource, and accounts by element name for what stayed and what did not.
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Kept, KeptObject } from "./minimum-tree.ts";

export interface Account {
  readonly released: Set<string>;
  readonly withheld: Set<string>;
}

const subsetted = { system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "SUBSETTED" } as const;
export const subsettedMeta: JsonObject = { tag: [subsetted] };

export function isSubsetted(meta: Json | undefined): boolean {
  const tags = isJsonObject(meta) && Array.isArray(meta["tag"]) ? (meta["tag"] as readonly Json[]) : [];
  return tags.some((tag) => isJsonObject(tag) && tag["system"] === subsetted.system && tag["code"] === subsetted.code);
}

const reasonUrl = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const reasons = new Set(
  (
    "unknown asked-unknown temp-unknown not-asked asked-declined masked not-applicable unsupported as-text error " +
    "not-a-number negative-infinity positive-infinity not-performed not-permitted"
  ).split(" "),
);
const masked = { extension: [{ url: reasonUrl, valueCode: "masked" }] };

/** @param path Path of the object, with a dot at the end; empty for the resource. Throws `resource-withheld`. */
export function reduceObject(
  object: JsonObject,
  rule: KeptObject,
  path: string,
  account: Account,
): Record<string, Json> {
  if (object["modifierExtension"] !== undefined) throw modified(path);
  const out: Record<string, Json> = {};
  for (const name in object) {
    const value = object[name];
    if (value === undefined) continue;
    if (name.startsWith("_")) reduceSibling(out, name, object, rule, path, account);
    else {
      const kept = rule.kept.get(name);
      if (kept) reduceMember(out, value, kept, path, account);
      else account.withheld.add(path + (rule.known.has(name) ? name : "(unknown)"));
    }
  }
  return out;
}

function reduceMember(out: Record<string, Json>, value: Json, kept: Kept, path: string, account: Account): void {
  const here = path + kept.name;
  if (kept.list !== Array.isArray(value)) throw malformed(here);
  const values = kept.list ? (value as readonly Json[]) : [value];
  const reduced = values.flatMap((one) => reduceValue(one, kept, here, account));
  const [first] = reduced;
  if (first !== undefined) out[kept.name] = kept.list ? reduced : first;
}

/** None when nothing of it may stay. A null in a list stands for a value that is only in its `_` sibling. */
function reduceValue(value: Json, kept: Kept, here: string, account: Account): readonly Json[] {
  if (kept.primitive !== undefined) {
    if (value === null && kept.list) return [];
    if (typeof value !== kept.primitive) throw malformed(here);
    account.released.add(here);
    return [value];
  }
  if (!isJsonObject(value)) throw malformed(here);
  const reduced = reduceObject(value, kept.children, `${here}.`, account);
  // Contained resources are dropped, so a pointer to one would point nowhere.
  if (kept.isReference && typeof reduced["reference"] === "string" && reduced["reference"].startsWith("#")) {
    account.withheld.add(`${here}.reference`);
    delete reduced["reference"];
  }
  if (Object.keys(reduced).length > 0) return [reduced];
  account.withheld.add(here);
  return kept.needed ? [masked] : [];
}

/** Of a primitive's `_` sibling only a data-absent-reason stays, and only where the value itself is absent; a needed one is masked. */
function reduceSibling(
  out: Record<string, Json>,
  name: string,
  object: JsonObject,
  rule: KeptObject,
  path: string,
  account: Account,
): void {
  const base = name.slice(1);
  const kept = rule.kept.get(base);
  const alone = kept?.primitive !== undefined && !kept.list && object[base] === undefined;
  const reason = alone ? (absentReason(object[name]) ?? (kept.needed ? "masked" : undefined)) : undefined;
  if (reason !== undefined) out[name] = { extension: [{ url: reasonUrl, valueCode: reason }] };
  if (reason !== undefined && reason === absentReason(object[name])) account.released.add(path + base);
  else account.withheld.add(path + (rule.known.has(base) ? `${base}.extension` : "(unknown)"));
}

function absentReason(sibling: Json | undefined): string | undefined {
  const extensions =
    isJsonObject(sibling) && Array.isArray(sibling["extension"]) ? (sibling["extension"] as readonly Json[]) : [];
  const [code] = extensions.flatMap((one) => (isJsonObject(one) && one["url"] === reasonUrl ? one["valueCode"] : []));
  return typeof code === "string" && reasons.has(code) ? code : undefined;
}

/** "Cannot be safely ignored" (FHIR R4 extensibility.html#modifierExtension). */
function modified(path: string): SluiceError {
  return new SluiceError("resource-withheld", "the resource has a modifier extension that is not known", {
    hint: "ask the source what the extension means; a resource with it cannot be released",
    elements: [`${path}modifierExtension`],
  });
}

function malformed(element: string): SluiceError {
  return new SluiceError("resource-withheld", "an element does not have the form that R4 gives it", {
    hint: "the source sent a malformed resource: have it corrected there",
    elements: [element],
  });
}
