// Modifier elements change the meaning of what surrounds them (conformance-rules.html#isModifier). A resource that holds
// one which its mapping neither carries over nor allows is withheld as a whole.
import { SluiceError } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { MappingDeclaration } from "../core/configuration.ts";
import { childrenOfType, elementOf, modifiersOf, type ElementInfo } from "../fhir/elements.ts";
import { nearestName } from "../fhir/nearest.ts";
import type { FieldLens } from "./field.ts";
import type { Fail } from "./path.ts";

/** Withheld wherever they stand, so they need no rule. */
const alwaysWithheld = /(?:^|\.)(?:implicitRules|modifierExtension)$/;

interface Watch {
  readonly element: string;
  readonly path: readonly string[];
  readonly allowed: ReadonlySet<Json>;
}

/**
 * Compiles the check that `readFhir` makes; it throws `resource-withheld`. Throws what `fail` makes when a modifier element
 * of the type has neither a field that reads it nor a rule.
 */
export function compileModifiers(
  declaration: MappingDeclaration,
  fields: readonly FieldLens[],
  fail: Fail,
): (resource: JsonObject) => void {
  const { type } = declaration.fhir;
  const modifiers = modifiersOf(type).filter((path) => !alwaysWithheld.test(path));
  checkRules(declaration, modifiers, fail);
  const watched = modifiers.flatMap((modifier) => watches(declaration, modifier, fields, fail));
  const withhold = (element: string): SluiceError =>
    new SluiceError(
      "resource-withheld",
      `${type}.${element} changes the meaning of the resource and the mapping ${declaration.id} does not carry it`,
      {
        hint: `map it, or allow values of it under modifiers: in the mapping ${declaration.id}`,
        elements: [element],
      },
    );
  return (resource) => {
    const nested = findNested(resource, "");
    if (nested !== undefined) throw withhold(nested);
    for (const { element, path, allowed } of watched) {
      if (valuesAt(resource, path, 0).some((value) => !allowed.has(value))) throw withhold(element);
    }
  };
}

function checkRules(declaration: MappingDeclaration, modifiers: readonly string[], fail: Fail): void {
  for (const rule of Object.keys(declaration.modifiers)) {
    if (modifiers.some((modifier) => covers(rule, modifier))) continue;
    const nearest = nearestName(
      rule,
      modifiers.flatMap((modifier) => [modifier, ...variantsOf(declaration.fhir.type, modifier)]),
    );
    const hint = nearest ? `did you mean "${nearest}"?` : `modifier elements are ${modifiers.join(", ") || "none"}`;
    throw fail(`modifiers: ${declaration.fhir.type} has no modifier element "${rule}"`, hint);
  }
}

/** A rule names a modifier by its path; a choice also without `[x]` or by one of its types. */
function covers(rule: string, modifier: string): boolean {
  if (rule === modifier || `${rule}[x]` === modifier) return true;
  return modifier.endsWith("[x]") && new RegExp(`^${modifier.slice(0, -3)}[A-Z][A-Za-z]*$`).test(rule);
}

/** JSON paths of a modifier element: itself, or of a choice one for each type. */
function variantsOf(type: string, modifier: string): readonly string[] {
  const element = elementOf(type, modifier);
  const dot = modifier.lastIndexOf(".");
  const siblings =
    dot < 0
      ? childrenOfType(type)
      : (elementOf(type, modifier.slice(0, dot))?.children ?? new Map<string, ElementInfo>());
  const prefix = modifier.slice(0, dot + 1);
  return [...siblings.values()].filter((one) => one.path === element?.path).map((one) => `${prefix}${one.name}`);
}

function watches(
  declaration: MappingDeclaration,
  modifier: string,
  fields: readonly FieldLens[],
  fail: Fail,
): readonly Watch[] {
  const variants = variantsOf(declaration.fhir.type, modifier);
  const rules = Object.entries(declaration.modifiers).filter(([rule]) => covers(rule, modifier));
  const readers = fields.filter(({ field, movesToCrm }) => movesToCrm && variants.includes(field.element));
  if (rules.length === 0 && readers.length === 0) {
    throw fail(
      `${declaration.fhir.type}.${modifier} is a modifier element without a counterpart`,
      `map a CRM field to ${variants.join(" or ")}, or add to modifiers: ${JSON.stringify(modifier.replace("[x]", ""))}: [] (never passes) or the values that may pass`,
    );
  }
  return variants
    .filter(
      (variant) => !readers.some(({ field, codec }) => field.element === variant || codec.otherChoice !== undefined),
    )
    .map((variant) => {
      const allowed = rules.filter(
        ([rule]) => rule === variant || (covers(rule, modifier) && !variants.includes(rule)),
      );
      return { element: variant, path: variant.split("."), allowed: new Set(allowed.flatMap(([, values]) => values)) };
    });
}

function valuesAt(node: Json | undefined, path: readonly string[], position: number): readonly Json[] {
  if (node === undefined || node === null) return [];
  if (Array.isArray(node)) return (node as readonly Json[]).flatMap((item) => valuesAt(item, path, position));
  const name = path[position];
  if (name === undefined) return [node];
  return isJsonObject(node) ? valuesAt(node[name], path, position + 1) : [];
}

/** Path of the first modifierExtension or implicitRules at any depth, contained resources included. */
function findNested(node: JsonObject, path: string): string | undefined {
  for (const name in node) {
    const value = node[name];
    if (value === undefined || value === null) continue;
    if ((name === "modifierExtension" && !isEmptyList(value)) || name === "implicitRules") return `${path}${name}`;
    if (typeof value !== "object") continue;
    const found = findIn(value, `${path}${name}.`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findIn(value: Json, path: string): string | undefined {
  if (!Array.isArray(value)) return isJsonObject(value) ? findNested(value, path) : undefined;
  for (const item of value as readonly Json[]) {
    const found = findIn(item, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isEmptyList(value: Json): boolean {
  return Array.isArray(value) && value.length === 0;
}
