// Compiles an allow-list into a tree over R4's element table: for each object which members may stay. Kept besides what is
// allowed: mandatory and modifier elements, without which a resource is invalid or means something else.
import { SluiceError } from "../core/errors.ts";
import { choiceIn, isPrimitive, type ElementInfo } from "../fhir/elements.ts";
import { nearestName } from "../fhir/nearest.ts";

/** What stays of one element; children are compiled when first needed, since datatypes refer to each other. */
export interface Kept {
  readonly name: string;
  /** JSON type of a primitive; undefined for complex elements. */
  readonly primitive: "string" | "number" | "boolean" | undefined;
  readonly list: boolean;
  /** Mandatory or modifier: if nothing of it may stay, it is masked and not left out. */
  readonly needed: boolean;
  readonly isReference: boolean;
  readonly children: KeptObject;
}

export interface KeptObject {
  readonly kept: ReadonlyMap<string, Kept>;
  /** All names that R4 knows here; any other name is never shown. */
  readonly known: ReadonlyMap<string, ElementInfo>;
}

/** Paths as a tree; `true` allows all below. */
type Wanted = true | Map<string, Wanted>;

/** Never kept by an allow-list: rebuilt, judged on their own, or able to repeat what was withheld. */
const structural = new Set(["id", "meta", "implicitRules", "extension", "modifierExtension"]);

/** @param policy Names the policy in errors. Throws `config-invalid` on a path that R4 does not have. */
export function compileTree(
  policy: string,
  type: string,
  elements: ReadonlyMap<string, ElementInfo>,
  paths: readonly string[],
): KeptObject {
  const wanted = new Map<string, Wanted>();
  for (const path of paths) add(wanted, elements, path.split("."), { policy, type, path });
  return keptObject(elements, wanted);
}

interface Place {
  readonly policy: string;
  readonly type: string;
  readonly path: string;
}

function add(
  wanted: Map<string, Wanted>,
  elements: ReadonlyMap<string, ElementInfo>,
  path: readonly string[],
  place: Place,
): void {
  const [name = "", ...rest] = path;
  const variants = variantsOf(elements, name);
  if (variants.length === 0) throw impossible(place, name, elements.keys());
  if (structural.has(name) || variants.some(isClosed)) throw notAllowable(place);
  for (const variant of variants) {
    const below = wanted.get(variant.name);
    if (rest.length === 0 || below === true) wanted.set(variant.name, true);
    else {
      const deeper = below ?? new Map<string, Wanted>();
      add(deeper, variant.children, rest, place);
      wanted.set(variant.name, deeper);
    }
  }
}

/** `deceased` and `deceased[x]` stand for every type of the choice. */
function variantsOf(elements: ReadonlyMap<string, ElementInfo>, name: string): readonly ElementInfo[] {
  const exact = elements.get(name);
  if (exact) return [exact];
  const choice = choiceIn(elements, name);
  return choice ? [...elements.values()].filter((one) => one.path === choice.path) : [];
}

/** Narrative, contained resources and resources inside a Bundle are never released by an allow-list. */
function isClosed({ types }: ElementInfo): boolean {
  return types.includes("Resource") || types.includes("Narrative");
}

function keptObject(known: ReadonlyMap<string, ElementInfo>, wanted: Wanted): KeptObject {
  const kept = new Map<string, Kept>();
  for (const element of known.values()) {
    if (structural.has(element.name) || isClosed(element)) continue;
    const needed = element.min > 0 || element.isModifier;
    const below = wanted === true ? true : (wanted.get(element.name) ?? (needed ? essence(element) : undefined));
    if (below !== undefined) kept.set(element.name, keptElement(element, below, needed));
  }
  return { kept, known };
}

function keptElement(element: ElementInfo, below: Wanted, needed: boolean): Kept {
  const [type = ""] = element.types;
  let children: KeptObject | undefined;
  return {
    name: element.name,
    primitive: isPrimitive(type) ? jsonType(type) : undefined,
    list: element.max > 1,
    needed,
    isReference: type === "Reference",
    get children() {
      return (children ??= keptObject(element.children, below));
    },
  };
}

/** What must stay of an element that nobody asked for: of a reference where it points, of a concept its codes. */
function essence(element: ElementInfo): Wanted {
  const [type = ""] = element.types;
  if (type === "BackboneElement" || type === "Element") return new Map();
  return essentials.get(type) ?? true;
}

const coding = new Map<string, Wanted>([
  ["system", true],
  ["version", true],
  ["code", true],
]);
const essentials: ReadonlyMap<string, Map<string, Wanted>> = new Map([
  ["Coding", coding],
  ["CodeableConcept", new Map([["coding", coding]])],
  [
    "Reference",
    new Map<string, Wanted>([
      ["reference", true],
      ["type", true],
    ]),
  ],
]);

function jsonType(type: string): "string" | "number" | "boolean" {
  if (type === "boolean") return "boolean";
  return ["integer", "positiveInt", "unsignedInt", "decimal"].includes(type) ? "number" : "string";
}

function impossible({ policy, type, path }: Place, name: string, names: Iterable<string>): SluiceError {
  const near = nearestName(name, names);
  const better = path
    .split(".")
    .map((part) => (part === name ? near : part))
    .join(".");
  return new SluiceError("config-invalid", `policy ${policy}: ${type} has no element ${path}`, {
    hint: near === undefined ? `use a path of the R4 ${type}, such as \`name.given\`` : `did you mean \`${better}\`?`,
    elements: [`${type}.${path}`],
  });
}

function notAllowable({ policy, type, path }: Place): SluiceError {
  return new SluiceError("config-invalid", `policy ${policy}: ${type}.${path} cannot be on an allow-list`, {
    hint: "narrative, contained resources, extensions and meta are never released by a policy: list the elements themselves",
    elements: [`${type}.${path}`],
  });
}
