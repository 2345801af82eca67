// Checks a parsed path against the R4 element table: names, choices, cardinality, filters. What passes can be read and
// written without ambiguity.
import { childrenOfType, choiceIn, isPrimitive, type ElementInfo } from "../fhir/elements.ts";
import { nearestName } from "../fhir/nearest.ts";
import type { Condition, Fail, PathStep } from "./path.ts";

export interface TypedStep extends PathStep {
  readonly element: ElementInfo;
  /** The element repeats: JSON holds a list. */
  readonly many: boolean;
}

/** A path whose last step is the leaf. Never empty. */
export type TypedPath = readonly TypedStep[];

type Children = ReadonlyMap<string, ElementInfo>;

/** Elements that belong to the server or to Sluice, never to a mapping. */
const notMappable: ReadonlySet<string> = new Set(["id", "meta", "implicitRules", "contained", "modifierExtension"]);

/** `list`: the last step may be a whole list. Throws what `fail` makes. */
export function typePath(type: string, steps: readonly PathStep[], list: boolean, fail: Fail): TypedPath {
  let children: Children = childrenOfType(type);
  let owner = type;
  return steps.map((step, position) => {
    const element = childOf(children, step.name, owner, fail);
    if (notMappable.has(step.name)) throw fail(`${element.path} cannot be mapped`, "take the field out of the mapping");
    const last = position === steps.length - 1;
    const typed = { ...step, element, many: element.max > 1 };
    checkSelection(typed, last && list, fail);
    checkConditions(typed, fail);
    children = element.children;
    owner = element.path;
    if (!last && children.size === 0) throw fail(`${element.path} has no elements below it`, "end the path here");
    return typed;
  });
}

function childOf(children: Children, name: string, owner: string, fail: Fail): ElementInfo {
  const found = children.get(name);
  if (found) return found;
  const choice = choiceIn(children, name);
  if (choice) {
    const variants = [...children.values()].filter((child) => child.path === choice.path).map((child) => child.name);
    throw fail(`${choice.path} may have one of several types`, `name the type: ${variants.join(", ")}`);
  }
  const nearest = nearestName(name, children.keys());
  const hint = nearest ? `did you mean "${nearest}"?` : `${owner} has ${[...children.keys()].join(", ")}`;
  throw fail(`${owner} has no element "${name}"`, hint);
}

function checkSelection(step: TypedStep, list: boolean, fail: Fail): void {
  const { element, many, where, index } = step;
  if (!many && (index !== undefined || where.length > 0)) {
    throw fail(`${element.path} does not repeat, so nothing is to be selected`, "leave out [n] and where(…)");
  }
  if (index !== undefined && where.length > 0) {
    throw fail(`${element.path} has both where(…) and [n]`, "use one of them; where(…) takes the first match");
  }
  if (list && (index !== undefined || where.length > 0)) {
    throw fail(`${element.path} is mapped as a whole list`, "leave out [n] and where(…), or take another codec");
  }
  if (many && !list && index === undefined && where.length === 0) {
    throw fail(`${element.path} repeats`, `say which one is meant: ${step.name}.where(…) or ${step.name}[0]`);
  }
}

function checkConditions(step: TypedStep, fail: Fail): void {
  for (const condition of step.where) {
    let children = step.element.children;
    let owner = step.element.path;
    let types: readonly string[] = step.element.types;
    for (const name of condition.path) {
      const element = childOf(children, name, owner, fail);
      if (element.max > 1) {
        throw fail(`${element.path} repeats and cannot be compared`, "filter by an element that does not repeat");
      }
      ({ children, path: owner, types } = element);
    }
    checkLiteral(condition, owner, types[0] ?? "", fail);
  }
}

function checkLiteral(condition: Condition, path: string, type: string, fail: Fail): void {
  if (!isPrimitive(type))
    throw fail(`${path} is no simple value and cannot be compared`, "compare an element below it");
  if ((type === "boolean") !== (typeof condition.value === "boolean")) {
    throw fail(
      `${path} is a ${type}`,
      type === "boolean" ? "compare with true or false" : "compare with a text in single quotes",
    );
  }
}
