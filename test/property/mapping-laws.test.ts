// The lens laws of the example mappings: what is written reads the same, what is read and written back changes nothing,
// and nothing that the mapping does not name is touched.
import assert from "node:assert/strict";
import fc from "fast-check";
import { isJsonObject, type Json, type JsonObject } from "../../src/core/json.ts";
import { SluiceError } from "../../src/core/errors.ts";
import type { CompiledMapping, FieldValues } from "../../src/mapping/contract.ts";
import { exampleMapping } from "../unit/mapping/load-mapping.ts";
import { appointment, contact, event, patient } from "./mapping-arbitraries.ts";

const runs = { numRuns: 300 };

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
const ordered = (value: unknown): string => JSON.stringify(value);

/** A CRM that says "alive" against a date of death is refused (unit tests); such pairs say nothing about the laws. */
function isContradiction(values: FieldValues, resource: JsonObject): boolean {
  return values.get("Deceased__c") === false && resource["deceasedDateTime"] !== undefined;
}

/** The codec flag says "no" aloud only over a "yes"; both read the same. */
function withoutSpokenNo({ deceasedBoolean, ...rest }: JsonObject): JsonObject {
  return deceasedBoolean === true ? { ...rest, deceasedBoolean } : rest;
}

/** What reading must give after writing `values` over what read as `before`. */
function expected(mapping: CompiledMapping, values: FieldValues, before: FieldValues): Map<string, Json> {
  const after = new Map(before);
  for (const field of mapping.fields) {
    const value = values.get(field.name);
    if (value === undefined || field.direction === "to-crm") continue;
    const hidden = !before.has(field.name);
    if (value === null && (field.onEmpty !== "clear" || hidden)) continue;
    after.set(field.name, value);
  }
  return after;
}

const sorted = (values: FieldValues): [string, Json][] => [...values].sort(([a], [b]) => (a < b ? -1 : 1));

interface Case {
  readonly mapping: CompiledMapping;
  readonly crm: fc.Arbitrary<JsonObject>;
  readonly fhir: fc.Arbitrary<JsonObject>;
}

const cases: Readonly<Record<string, Case>> = {
  "contact-patient": { mapping: exampleMapping("contact-patient"), crm: contact, fhir: patient },
  "event-appointment": { mapping: exampleMapping("event-appointment"), crm: event, fhir: appointment },
};

for (const [name, { mapping, crm, fhir }] of Object.entries(cases)) {
  describe(`mapping laws: ${name}`, () => {
    it("get-put: writing back what was read changes nothing, order included", () => {
      fc.assert(
        fc.property(fhir, (resource) => {
          const values = mapping.readFhir(frozen(resource));
          assert.equal(ordered(mapping.writeFhir(values, resource)), ordered(resource));
        }),
        runs,
      );
    });

    it("put-get: what was written is read, absent and kept values stay", () => {
      fc.assert(
        fc.property(crm, fhir, (record, resource) => {
          const values = mapping.readCrm(frozen(record));
          fc.pre(!isContradiction(values, resource));
          const written = mapping.writeFhir(values, frozen(resource));
          assert.deepEqual(
            sorted(mapping.readFhir(written)),
            sorted(expected(mapping, values, mapping.readFhir(resource))),
          );
        }),
        runs,
      );
    });

    it("put-put: the last write wins, and writing twice is writing once", () => {
      fc.assert(
        fc.property(crm, crm, crm, fhir, (first, second, third, resource) => {
          const [one, two, three] = [mapping.readCrm(first), mapping.readCrm(second), mapping.readCrm(third)];
          fc.pre(!isContradiction(two, resource));
          const over = mapping.writeFhir(two, resource);
          assert.equal(ordered(mapping.writeFhir(two, over)), ordered(over));
          // Both write the same fields: what only the first wrote would rightly stay.
          const common = (these: FieldValues, those: FieldValues): FieldValues =>
            new Map([...these].filter(([field, value]) => value !== null && (those.get(field) ?? null) !== null));
          const made = mapping.writeFhir(one);
          const twice = mapping.writeFhir(common(three, two), mapping.writeFhir(common(two, three), made));
          assert.deepEqual(withoutSpokenNo(twice), withoutSpokenNo(mapping.writeFhir(common(three, two), made)));
        }),
        runs,
      );
    });

    it("what the mapping does not name survives in its place", () => {
      fc.assert(
        fc.property(crm, fhir, (record, resource) => {
          const values = mapping.readCrm(record);
          fc.pre(!isContradiction(values, resource));
          const written = mapping.writeFhir(values, frozen(resource));
          const named = new Set(mapping.fields.map(({ element }) => element.split(".")[0] ?? ""));
          const survivors = Object.keys(written).filter((key) => key in resource);
          assert.deepEqual(
            survivors,
            Object.keys(resource).filter((key) => survivors.includes(key)),
          );
          for (const key of Object.keys(resource)) {
            if (!named.has(key.replace(/^_/, ""))) assert.deepEqual(written[key], resource[key], key);
            else checkSurvivors(resource[key], written[key], mapping);
          }
        }),
        runs,
      );
    });

    it("CRM round trip: through FHIR and back, values are equal", () => {
      fc.assert(
        fc.property(crm, (record) => {
          const values = mapping.readCrm(frozen(record));
          const known = new Map([...values].filter(([, value]) => value !== null));
          const fields = mapping.writeCrm(known);
          assert.deepEqual(sorted(mapping.readCrm(fields)), sorted(known));
          const back = mapping.writeCrm(mapping.readFhir(mapping.writeFhir(known)));
          for (const field of Object.keys(fields)) assert.deepEqual(back[field], fields[field], field);
        }),
        runs,
      );
    });

    it("a created resource has its mandatory parts and no empty ones", () => {
      fc.assert(
        fc.property(crm, (record) => {
          const made = mapping.writeFhir(mapping.readCrm(record));
          assert.ok(!/\[\]|\{\}|null|""/.test(ordered(made)));
        }),
        runs,
      );
    });
  });
}

/** Of a list only one item may change, and in it only what the mapping names or its filter made. */
function checkSurvivors(before: Json | undefined, after: Json | undefined, mapping: CompiledMapping): void {
  if (!Array.isArray(before)) return;
  const items = before as readonly Json[];
  const left = (after ?? []) as readonly Json[];
  const leaves = new Set(mapping.fields.flatMap(({ element }) => element.split(".")));
  for (const item of items) {
    if (!isJsonObject(item)) continue;
    const kept = Object.entries(item).filter(([key]) => !leaves.has(key.replace(/^_/, "")));
    const home = left.find(
      (one) => isJsonObject(one) && kept.every(([key, value]) => ordered(one[key]) === ordered(value)),
    );
    const bare = Object.keys(item).every((key) => ["system", "use", "value"].includes(key));
    assert.ok(home !== undefined || bare, "an item is gone");
  }
}

describe("mapping laws: refusals", () => {
  it("no refusal says a value", () => {
    const { mapping, crm } = cases["contact-patient"] as Case;
    const broken = fc.constantFrom<JsonObject>(
      { Birthdate: "canary-1" },
      { Gender__c: "canary-2" },
      { FirstName: "canary\u0000" },
      { Active__c: "canary" },
      { LastName: { canary: 1 } },
    );
    fc.assert(
      fc.property(crm, broken, (record, wrong) => {
        assert.throws(
          () => mapping.readCrm({ ...record, ...wrong }),
          (error) => error instanceof SluiceError && !JSON.stringify([error.message, error.detail]).includes("canary"),
        );
      }),
      runs,
    );
  });
});
