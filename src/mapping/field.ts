// One field of a mapping, compiled: its codec and its lens joined, with the rules for unknown, empty and required.
import type { Clock } from "../core/clock.ts";
import type { MappingField } from "../core/configuration.ts";
import { SluiceError } from "../core/errors.ts";
import { canonicalJson, type Json, type JsonObject } from "../core/json.ts";
import { nearestName } from "../fhir/nearest.ts";
import { codecs, type Codec, type Reading } from "./codecs.ts";
import type { Refuse } from "./normal.ts";
import type { CompiledField } from "./contract.ts";
import { compileLens, missing, otherChoice, unknown } from "./lens.ts";
import { elementPath, parsePath, type Fail } from "./path.ts";
import { typePath, type TypedPath } from "./typed-path.ts";

export interface FieldLens {
  readonly field: CompiledField;
  readonly path: TypedPath;
  readonly codec: Codec;
  readonly refuse: Refuse;
  readonly movesToFhir: boolean;
  readonly movesToCrm: boolean;
  /** undefined = unknown, null = empty. Throw `mapping-refused`. */
  readonly readCrm: (record: JsonObject) => Reading;
  /** `whole`: the resource holds all that its server has, so what is missing is empty. */
  readonly readFhir: (resource: JsonObject, whole: boolean) => Reading;
  /** Puts the CRM value into `into`, or nothing where null is to be kept. */
  readonly writeCrm: (into: Record<string, Json>, neutral: Json) => void;
  readonly writeFhir: (resource: JsonObject, neutral: Json) => JsonObject;
}

/** Throws what `fail` makes when the declaration is wrong. */
export function compileField(type: string, declared: MappingField, clock: Clock, fail: Fail): FieldLens {
  const steps = parsePath(declared.fhir, fail);
  const element = elementPath(steps);
  const refuse: Refuse = (problem, hint) =>
    new SluiceError("mapping-refused", `${type}.${element} (CRM field ${declared.crm}) ${problem}`, {
      hint,
      elements: [element],
    });
  const codec = codecOf(declared, refuse, clock, fail);
  const path = typePath(type, steps, codec.list === true, fail);
  checkLeaf(path, declared, codec, fail);
  const field: CompiledField = {
    ...declared,
    name: declared.crm,
    element,
    isReference: declared.codec === "reference",
  };
  return {
    field,
    path,
    codec,
    refuse,
    movesToFhir: declared.direction !== "to-crm",
    movesToCrm: declared.direction !== "to-fhir",
    ...crmSide(field, codec, refuse),
    ...fhirSide(field, codec, path, refuse),
  };
}

function codecOf(declared: MappingField, refuse: Refuse, clock: Clock, fail: Fail): Codec {
  const name = declared.codec ?? "text";
  const make = codecs.get(name);
  if (!make) {
    const nearest = nearestName(name, codecs.keys());
    throw fail(
      `there is no codec "${name}"`,
      nearest ? `did you mean "${nearest}"?` : `use one of ${[...codecs.keys()].join(", ")}`,
    );
  }
  if ((name === "code") !== (declared.table !== undefined)) {
    throw fail(
      "a table goes with the codec code, and only with it",
      "give codec: code and table: {CRM value: FHIR code}",
    );
  }
  for (const code of Object.values(declared.table ?? {})) {
    if (!/^[^\s]+( [^\s]+)*$/.test(code))
      throw fail(`the table has "${code}", which is no FHIR code`, "use the code, not its display");
  }
  if ((name === "reference") !== (declared.target !== undefined)) {
    throw fail("a target goes with the codec reference, and only with it", "give codec: reference and target: Patient");
  }
  return make({ field: declared, refuse, clock });
}

function checkLeaf(path: TypedPath, declared: MappingField, codec: Codec, fail: Fail): void {
  const leaf = path.at(-1);
  if (!leaf) throw fail("the path is empty", "write a FHIR path");
  const { element } = leaf;
  if (!element.types.some((one) => codec.types.includes(one))) {
    throw fail(
      `${element.path} is a ${element.types.join(" or ")}, which the codec ${declared.codec ?? "text"} cannot convert`,
      element.children.size > 0 && !element.types.includes("Reference")
        ? `go on to an element below it: ${[...element.children.keys()].join(", ")}`
        : `take a codec for ${element.types.join(" or ")}`,
    );
  }
  if (codec.list && !leaf.many) throw fail(`${element.path} does not repeat`, "take a codec for a single value");
  if (declared.target !== undefined && element.targets.length > 0 && !element.targets.includes(declared.target)) {
    throw fail(`${element.path} cannot refer to ${declared.target}`, `it can refer to ${element.targets.join(", ")}`);
  }
  if (declared.onEmpty === "clear" && element.min > 0 && !declared.required && declared.direction !== "to-crm") {
    throw fail(`${element.path} must be there and cannot be cleared`, "set required: true, or onEmpty: keep");
  }
}

function crmSide(field: CompiledField, codec: Codec, refuse: Refuse): Pick<FieldLens, "readCrm" | "writeCrm"> {
  const { crm } = field;
  return {
    readCrm: (record) => {
      const value = record[crm];
      if (value === undefined || value === "REDACTED") return undefined;
      return value === null || (typeof value === "string" && value.trim() === "") ? null : codec.fromCrm(value);
    },
    writeCrm: (into, neutral) => {
      if (neutral === null) {
        if (mayClear(field, refuse)) into[crm] = null;
        return;
      }
      const value = codec.toCrm(neutral);
      if (field.maxLength !== undefined && typeof value === "string" && value.length > field.maxLength) {
        throw refuse(
          `has ${value.length} characters, the CRM field takes ${field.maxLength}`,
          "shorten it, or widen the CRM field",
        );
      }
      into[crm] = value;
    },
  };
}

function fhirSide(
  field: CompiledField,
  codec: Codec,
  path: TypedPath,
  refuse: Refuse,
): Pick<FieldLens, "readFhir" | "writeFhir"> {
  const lens = compileLens(path, refuse);
  const readFhir = (resource: JsonObject, whole: boolean): Reading => {
    const found = lens.read(resource);
    if (found === unknown) return undefined;
    if (found === otherChoice) return codec.otherChoice;
    if (found === missing) return whole ? (codec.missing ?? null) : undefined;
    return codec.fromFhir(found);
  };
  return {
    readFhir,
    writeFhir: (resource, neutral) => {
      // Equal in meaning: left as it is written there.
      if (equal(readable(readFhir, resource), neutral)) return resource;
      if (neutral === null) {
        // What is hidden was never seen, so it cannot be erased (ARCHITECTURE, What always holds 8).
        if (!mayClear(field, refuse) || lens.read(resource) === unknown) return resource;
        const cleared = lens.clear(resource);
        if (lens.read(cleared) !== missing)
          throw refuse("cannot be emptied without another taking its place", "correct it by hand");
        return cleared;
      }
      const written = lens.write(resource, codec.toFhir(neutral));
      if (!equal(readFhir(written, true), neutral)) {
        throw refuse("cannot be written so that it reads the same again", "check the field's path and codec");
      }
      return written;
    },
  };
}

function mayClear(field: CompiledField, refuse: Refuse): boolean {
  if (field.required) throw refuse("is required and empty", "fill it in");
  return field.onEmpty === "clear";
}

/** What stands there now; undefined also when it cannot be converted: a good value may replace it. */
function readable(read: FieldLens["readFhir"], resource: JsonObject): Reading {
  try {
    return read(resource, true);
  } catch (error) {
    if (error instanceof SluiceError && error.code === "mapping-refused") return undefined;
    throw error;
  }
}

function equal(a: Reading, b: Reading): boolean {
  if (a === b) return true;
  return (
    typeof a === "object" && typeof b === "object" && a !== null && b !== null && canonicalJson(a) === canonicalJson(b)
  );
}
