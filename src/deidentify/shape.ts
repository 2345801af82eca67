// Refuses a resource whose form is not R4's: in a closed world, what is not understood cannot be said to hold no
// identifier, and a modifier that is not understood changes what the rest means.
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { childrenOfType, isPrimitive, isResourceType, type ElementInfo } from "../fhir/elements.ts";

/** Throws `input-malformed` or, for a modifier, `resource-withheld`; both with the element's path, never with a value. */
export function assertShape(resource: JsonObject, type: string): void {
  walkObject(resource, childrenOfType(type), type);
}

function walkObject(object: JsonObject, known: ReadonlyMap<string, ElementInfo>, path: string): void {
  for (const name in object) {
    const value = object[name];
    if (value === undefined || name === "resourceType") continue;
    const base = name.startsWith("_") ? name.slice(1) : name;
    if (base === "modifierExtension" || base === "implicitRules") throw modifier(`${path}.${base}`);
    const element = known.get(base);
    if (!element) throw malformed(`${path}.(unknown)`);
    walkMember(value, element, name !== base, `${path}.${base}`);
  }
}

function walkMember(value: Json, element: ElementInfo, sibling: boolean, path: string): void {
  if (element.max > 1 !== Array.isArray(value)) throw malformed(path);
  const values = Array.isArray(value) ? (value as readonly Json[]) : [value];
  for (const one of values) {
    if (one === null && element.max > 1) continue;
    if (sibling) walkSibling(one, element, path);
    else walkValue(one, element, path);
  }
}

function walkSibling(value: Json, element: ElementInfo, path: string): void {
  if (!isJsonObject(value) || !isPrimitive(element.types[0] ?? "")) throw malformed(path);
  walkObject(value, childrenOfType("Element"), path);
}

function walkValue(value: Json, element: ElementInfo, path: string): void {
  const [type = ""] = element.types;
  if (isPrimitive(type)) {
    if (typeof value !== jsonType(type)) throw malformed(path);
    return;
  }
  if (!isJsonObject(value)) throw malformed(path);
  if (type !== "Resource") return walkObject(value, element.children, path);
  const inner = value["resourceType"];
  if (typeof inner !== "string" || !isResourceType(inner)) throw malformed(path);
  walkObject(value, childrenOfType(inner), path);
}

function jsonType(type: string): string {
  if (type === "boolean") return "boolean";
  return ["integer", "positiveInt", "unsignedInt", "decimal"].includes(type) ? "number" : "string";
}

export function malformed(path: string): SluiceError {
  return new SluiceError("input-malformed", "the resource does not have the form that R4 gives it", {
    hint: "have the record corrected at its source; nothing of it was released",
    elements: [path],
  });
}

function modifier(path: string): SluiceError {
  return new SluiceError("resource-withheld", "the resource has a modifier that is not known", {
    hint: "a resource whose meaning a modifier changes cannot be de-identified: leave it out of the feed",
    elements: [path],
  });
}
