// What must hold between the paths of one mapping: no two may write the same place, and what they create must be whole.
import { elementOf, mandatoryIn } from "../fhir/elements.ts";
import type { FieldLens } from "./field.ts";
import type { Condition, Fail } from "./path.ts";
import type { TypedPath, TypedStep } from "./typed-path.ts";

/** A path that Sluice writes: of a field or of a constant. `sure`: it is there whenever its element is created. */
export interface WrittenPath {
  readonly path: TypedPath;
  readonly sure: boolean;
}

const keyOf = (step: TypedStep): string => JSON.stringify([step.name, step.where, step.index]);
const prefixKey = (path: TypedPath, length: number): string => path.slice(0, length).map(keyOf).join(".");

/** Throws what `fail` makes when two fields could write the same place: then neither would read what it wrote. */
export function checkOverlaps(fields: readonly FieldLens[], failAt: (field: FieldLens) => Fail): void {
  const written = fields.filter((one) => one.movesToFhir);
  written.forEach((later, position) => {
    const earlier = written.slice(0, position).find((one) => overlap(one.path, later.path));
    if (!earlier) return;
    throw failAt(later)(
      `the path may mean the same place as that of ${earlier.field.crm}`,
      "make the filters exclude each other, or give one of the fields direction: to-crm",
    );
  });
}

function overlap(a: TypedPath, b: TypedPath): boolean {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [one, other] = [a[at], b[at]];
    if (!one || !other || one.name !== other.name) return sameChoice(one, other);
    if (keyOf(one) !== keyOf(other)) return !distinct(one, other);
  }
  return true;
}

function sameChoice(one: TypedStep | undefined, other: TypedStep | undefined): boolean {
  return one !== undefined && other !== undefined && one.element.otherChoices.includes(other.name);
}

function distinct(one: TypedStep, other: TypedStep): boolean {
  if (one.index !== undefined && other.index !== undefined) return one.index !== other.index;
  const equalities = (step: TypedStep): readonly Condition[] => step.where.filter(({ operator }) => operator === "=");
  return equalities(one).some(({ path, value }) =>
    equalities(other).some((that) => that.path.join(".") === path.join(".") && that.value !== value),
  );
}

/** Throws what `fail` makes when a filter of a written path could not be fulfilled by writing it. */
export function checkWritable({ field, path }: FieldLens, fail: Fail): void {
  path.forEach((step, at) => {
    const below = path.slice(at + 1).map(({ name }) => name);
    for (const { path: names, operator, value } of step.where) {
      const text = names.join(".");
      if (operator === "=") {
        if (below.join(".") === text || (below.length === 0 && field.isReference)) {
          throw fail(`the field writes ${text}, which its own filter fixes`, "filter by another element");
        }
        continue;
      }
      const fulfils =
        field.isReference && [...below, "reference"].join(".") === text && `${field.target}/`.startsWith(String(value));
      if (!fulfils) {
        throw fail(
          `a new element could not be made to fulfil ${text}.startsWith(…)`,
          "compare with =, or set direction: to-crm",
        );
      }
    }
  });
}

/** Throws what `fail` makes when the resource, or an element that Sluice creates in it, would lack a mandatory part. */
export function checkMandatory(type: string, written: readonly WrittenPath[], fail: Fail): void {
  for (const { path } of written) {
    for (let length = 0; length < path.length; length++) {
      const prefix = path.slice(0, length);
      const element = prefix.map(({ name }) => name).join(".");
      // An optional field may create an element, but the resource itself exists without it.
      const own = length === 0 ? [] : [path[length]?.name];
      const given = new Set([
        ...own,
        ...filtered(prefix.at(-1)),
        ...sureBelow(written, prefixKey(path, length), length),
      ]);
      for (const child of mandatoryIn(type, element)) {
        if (given.has(child.name) || (child.name.endsWith("[x]") && givenChoice(type, element, child.path, given)))
          continue;
        throw fail(
          `${child.path} must be there, and nothing gives it`,
          `add a required field or a constant for ${[...prefix.map(({ name }) => name), child.name].join(".")}`,
        );
      }
    }
  }
}

function filtered(step: TypedStep | undefined): readonly (string | undefined)[] {
  return (step?.where ?? []).map(({ path }) => path[0]);
}

function sureBelow(written: readonly WrittenPath[], key: string, length: number): readonly (string | undefined)[] {
  return written.filter((one) => one.sure && prefixKey(one.path, length) === key).map((one) => one.path[length]?.name);
}

function givenChoice(type: string, parent: string, path: string, given: ReadonlySet<string | undefined>): boolean {
  return [...given].some(
    (name) => name !== undefined && elementOf(type, parent === "" ? name : `${parent}.${name}`)?.path === path,
  );
}
