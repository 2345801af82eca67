// Whatever a resource holds, an allow-list lets through only what it lists or must keep, and reducing twice is reducing once.
import assert from "node:assert/strict";
import fc from "fast-check";
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../src/core/json.ts";
import { childrenOfType, elementOf, type ElementInfo } from "../../src/fhir/elements.ts";
import { compileMinimum, type Minimized } from "../../src/policy/minimum.ts";

const names = [
  "name",
  "name.given",
  "telecom",
  "telecom.value",
  "birthDate",
  "gender",
  "address.city",
  "contact.name.text",
  "communication",
  "link",
  "identifier.value",
];
const allowLists = fc.subarray(names, { minLength: 1 });

/** Patients in R4's form whose every string is one of a kind, with unknown members and extensions among them. */
function patients(): fc.Arbitrary<JsonObject> {
  return fc.infiniteStream(fc.nat()).map((numbers) => {
    let count = 0;
    const next = (): number => Number(numbers.next().value);
    const fill = (children: ReadonlyMap<string, ElementInfo>, depth: number): JsonObject => {
      const object: Record<string, Json> = {};
      for (const child of children.values()) {
        if (["modifierExtension", "implicitRules", "contained", "id"].includes(child.name) || next() % 3 === 0)
          continue;
        const value = valueOf(child, depth);
        if (value !== undefined) object[child.name] = child.max > 1 ? [value, ...(next() % 2 ? [value] : [])] : value;
      }
      if (next() % 4 === 0) object["surprise"] = `canary-${count++}`;
      return object;
    };
    const valueOf = (child: ElementInfo, depth: number): Json | undefined => {
      const [type = ""] = child.types;
      if (type === "boolean") return next() % 2 === 0;
      if (["integer", "positiveInt", "unsignedInt", "decimal"].includes(type)) return next();
      if (child.children.size === 0) return `canary-${count++}`;
      return depth > 3 ? undefined : fill(child.children, depth + 1);
    };
    return { resourceType: "Patient", id: "1", ...fill(childrenOfType("Patient"), 0) };
  });
}

function reduce(paths: readonly string[], resource: JsonObject): Minimized | undefined {
  const policy = {
    id: "p",
    recipient: "crm",
    purposes: ["HOPERAT"],
    allow: { Patient: paths },
    justification: "t",
  } as const;
  try {
    return compileMinimum(policy).minimize(resource);
  } catch (error) {
    assert.ok(error instanceof SluiceError && error.code === "resource-withheld");
    return undefined;
  }
}

function leaves(value: Json | undefined, path = ""): [string, Json][] {
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap((item) => leaves(item, path));
  if (!isJsonObject(value)) return value === undefined ? [] : [[path, value]];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, path === "" ? name : `${path}.${name}`));
}

/** Listed, below what is listed, or reached only through mandatory and modifier elements and their parts. */
function mayStay(path: string, allowed: readonly string[]): boolean {
  if (allowed.some((one) => path === one || path.startsWith(`${one}.`))) return true;
  const parts = path.split(".");
  return parts.some((_, index) => {
    const element = elementOf("Patient", parts.slice(0, index + 1).join("."));
    return element !== undefined && (element.min > 0 || element.isModifier);
  });
}

describe("policy/minimum, any resource", () => {
  it("keeps nothing that is not allowed or needed, and no extension", () => {
    let kept = 0;
    fc.assert(
      fc.property(allowLists, patients(), (paths, patient) => {
        const result = reduce(paths, patient);
        if (!result) return;
        kept += 1;
        const { resourceType: _type, id: _id, meta: _meta, ...rest } = result.resource;
        for (const [path] of leaves(rest)) assert.ok(mayStay(path, paths) || path.includes("_"), path);
        assert.equal(JSON.stringify(rest).includes("surprise"), false);
      }),
      { numRuns: 150 },
    );
    assert.ok(kept > 100);
  });

  it("keeps every allowed value", () => {
    fc.assert(
      fc.property(patients(), (patient) => {
        const before = leaves(patient).filter(([path]) => /^(birthDate|gender|telecom\.value|name\.given)$/.test(path));
        const after = leaves(reduce(["birthDate", "gender", "telecom.value", "name"], patient)?.resource);
        for (const leaf of before)
          assert.ok(
            after.some((one) => JSON.stringify(one) === JSON.stringify(leaf)),
            leaf[0],
          );
      }),
      { numRuns: 100 },
    );
  });

  it("gives the same when applied again, and names no value", () => {
    fc.assert(
      fc.property(allowLists, patients(), (paths, patient) => {
        const once = reduce(paths, patient);
        if (!once) return;
        assert.deepEqual(reduce(paths, once.resource)?.resource, once.resource);
        assert.equal(JSON.stringify([once.released, once.withheld]).includes("canary"), false);
      }),
      { numRuns: 100 },
    );
  });
});
