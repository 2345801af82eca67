// A canary in every place of a Patient and an Appointment where a string can stand: none survives, wherever it is planted.
import assert from "node:assert/strict";
import fc from "fast-check";
import { SluiceError } from "../../src/core/errors.ts";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { deidentify } from "../../src/deidentify/safe-harbor.ts";
import { childrenOfType, isPrimitive, type ElementInfo } from "../../src/fhir/elements.ts";

const at = Date.parse("2026-11-24T12:00:00Z");
const bases: Readonly<Record<string, JsonObject>> = {
  Patient: {
    resourceType: "Patient",
    id: "p1",
    active: true,
    gender: "female",
    birthDate: "1980-05-05",
    link: [{ other: { reference: "Patient/p2" }, type: "refer" }],
  },
  Appointment: {
    resourceType: "Appointment",
    id: "a1",
    status: "booked",
    start: "2026-05-05T10:00:00Z",
    end: "2026-05-05T11:00:00Z",
    participant: [{ actor: { reference: "Patient/p1" }, status: "accepted" }],
  },
};

/** Paths to every primitive that is a string in JSON, down to `depth` objects; `_` siblings and contained ones included. */
function stringPaths(
  children: ReadonlyMap<string, ElementInfo>,
  path: readonly ElementInfo[],
  depth: number,
): (readonly ElementInfo[])[] {
  if (depth === 0) return [];
  return [...children.values()].flatMap((child) => {
    const here = [...path, child];
    const [type = ""] = child.types;
    if (isPrimitive(type))
      return ["boolean", "integer", "positiveInt", "unsignedInt", "decimal"].includes(type) ? [] : [here];
    return stringPaths(child.children, here, depth - 1);
  });
}

function plant(base: JsonObject, path: readonly ElementInfo[], value: Json): JsonObject {
  const [element, ...rest] = path;
  if (!element) return base;
  const existing = base[element.name];
  const first = Array.isArray(existing) ? (existing as readonly Json[])[0] : existing;
  const inner =
    rest.length === 0
      ? value
      : plant(typeof first === "object" && first !== null ? (first as JsonObject) : {}, rest, value);
  return { ...base, [element.name]: element.max > 1 ? [inner] : inner };
}

/** The text that left, or undefined when it was refused; a refusal must not hold the canary either. */
function release(resource: JsonObject, canary: string): string | undefined {
  try {
    return JSON.stringify(deidentify(resource, { pseudonym: (reference) => `code-${reference.length}`, at }));
  } catch (error) {
    assert.ok(error instanceof SluiceError);
    assert.equal(JSON.stringify([error.message, error.detail]).includes(canary), false);
    return undefined;
  }
}

const paths = Object.entries(bases).flatMap(([type, base]) =>
  stringPaths(childrenOfType(type), [], 4).map((path) => ({ base, path })),
);

describe("deidentify, any place", () => {
  it("lets no canary through, in any string of any depth", () => {
    assert.ok(paths.length > 1000);
    let released = 0;
    for (const { base, path } of paths) {
      const out = release(plant(base, path, "CANARY-77"), "CANARY-77");
      released += out === undefined ? 0 : 1;
      assert.equal(out?.includes("CANARY-77") ?? false, false, path.map((one) => one.name).join("."));
    }
    assert.ok(released > paths.length / 2);
  });

  it("lets no canary through in siblings, contained resources, extensions and unknown members", () => {
    const canary = "CANARY-78";
    const extension = [{ url: `urn:${canary}`, valueString: canary }];
    let released = 0;
    for (const base of Object.values(bases)) {
      for (const name of Object.keys(base).filter((one) => one !== "resourceType")) {
        const sibling = Array.isArray(base[name]) ? [{ extension }] : { extension };
        for (const change of [{ [`_${name}`]: sibling }, { [name]: canary }, { [canary]: base[name] ?? null }]) {
          const out = release({ ...base, ...change }, canary);
          released += out === undefined ? 0 : 1;
          assert.equal(out?.includes(canary) ?? false, false, name);
        }
      }
      for (const change of [{ contained: [{ resourceType: "Patient", name: [{ text: canary }] }] }, { extension }]) {
        const out = release({ ...base, ...change }, canary);
        assert.equal(out?.includes(canary), false);
      }
    }
    assert.ok(released > 0);
  });

  it("gives the same for the same record whatever its identifiers are", () => {
    const texts = fc.record({
      family: fc.string(),
      line: fc.string(),
      value: fc.string(),
      day: fc.integer({ min: 10, max: 28 }),
    });
    const make = ({
      family,
      line,
      value,
      day,
    }: {
      family: string;
      line: string;
      value: string;
      day: number;
    }): string | undefined =>
      release(
        {
          ...bases["Patient"],
          name: [{ family }],
          address: [{ line: [line], state: "MA", postalCode: "02139" }],
          telecom: [{ value }],
          birthDate: `1980-05-${day}`,
        },
        "\u0000",
      );
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        assert.ok(make(one) !== undefined);
        assert.equal(make(one), make(other));
      }),
      { numRuns: 50 },
    );
  });

  it("never shows a birth year and an event year that make 90, and no date finer than a year", () => {
    const years = fc.integer({ min: 1900, max: 2035 });
    let [kept, all] = [0, 0];
    fc.assert(
      fc.property(years, years, fc.integer({ min: 0, max: 5 }), (born, seen, horizonYears) => {
        const options = { pseudonym: () => "code", at, horizonYears };
        const patient = deidentify({ resourceType: "Patient", id: "p1", birthDate: `${born}-03-04` }, options).resource;
        const visit = deidentify(
          { ...bases["Appointment"], start: `${seen}-03-04T10:11:12Z`, created: `${seen}-03-04` },
          options,
        ).resource;
        const text = JSON.stringify([patient, visit]);
        assert.equal(/\d{4}-\d{2}|03-04|10:11/.test(text), false);
        all += 1;
        if (patient["birthDate"] === undefined || visit["created"] === undefined) return;
        kept += 1;
        assert.ok(Number(visit["created"]) - Number(patient["birthDate"]) < 90);
        assert.ok(text.includes(`"valueDateTime":"${seen}"`));
      }),
      { numRuns: 300 },
    );
    assert.ok(kept > all / 4 && kept < all);
  });
});
