// Values that Sluice sets itself when it creates a resource, or an element in one: a new Appointment participant has the
// status `accepted`. What exists already keeps its own value.
import type { JsonObject } from "../core/json.ts";
import { isPrimitive } from "../fhir/elements.ts";
import { SluiceError } from "../core/errors.ts";
import { compileLens, missing } from "./lens.ts";
import { parsePath, type Fail } from "./path.ts";
import { typePath, type TypedPath } from "./typed-path.ts";

export interface Constant {
  readonly path: TypedPath;
  /** `into`: the resource before this write; undefined when it is created. */
  readonly apply: (resource: JsonObject, into: JsonObject | undefined) => JsonObject;
}

/** Throws what `fail` makes when the path or the value does not fit. */
export function compileConstant(type: string, text: string, value: string | boolean, fail: Fail): Constant {
  const path = typePath(type, parsePath(text, fail), false, fail);
  const leaf = path.at(-1)?.element;
  const leafType = leaf?.types[0] ?? "";
  if (!isPrimitive(leafType)) throw fail(`${leaf?.path} is no simple value`, "set an element below it");
  if ((leafType === "boolean") !== (typeof value === "boolean")) {
    throw fail(`${leaf?.path} is a ${leafType}`, leafType === "boolean" ? "set true or false" : "set a text");
  }
  const lens = compileLens(
    path,
    (problem, hint) => new SluiceError("mapping-refused", `constant ${text} ${problem}`, { hint, elements: [text] }),
  );
  // An element that only startsWith selects cannot be made for a constant's sake.
  const creatable = path.every((step) => step.where.every(({ operator }) => operator === "="));
  const isNew = (resource: JsonObject, into: JsonObject | undefined): boolean =>
    into === undefined ? creatable || lens.holds(resource) : !lens.holds(into) && lens.holds(resource);
  return {
    path,
    apply: (resource, into) =>
      isNew(resource, into) && lens.read(resource) === missing ? lens.write(resource, value) : resource,
  };
}
