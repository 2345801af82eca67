// What the brake counts, kind by kind, each beside the change that it does not count.
import assert from "node:assert/strict";
import type { Json } from "../../../../src/core/json.ts";
import { effectsOf, rules } from "../../../../src/exchange/brake/effects.ts";
import type { CompiledMapping } from "../../../../src/mapping/contract.ts";
import { exampleMapping } from "../../mapping/load-mapping.ts";

const person = exampleMapping("contact-patient");
const visit = exampleMapping("event-appointment");

function kindsOf(mapping: CompiledMapping, field: string, now: Json | undefined, then: Json | undefined): string[] {
  const values = (value: Json | undefined): Map<string, Json> => new Map(value === undefined ? [] : [[field, value]]);
  const effects = effectsOf(mapping, values(then), values(now), (name, value) => `${name} ${JSON.stringify(value)}`);
  return effects.map(({ kind }) => kind);
}

describe("what the brake counts", () => {
  for (const { what, mapping, field, counted, harmless } of [
    {
      what: "a field that becomes empty",
      mapping: person,
      field: "MobilePhone",
      counted: [["+1", null, ["clears"]]],
      harmless: [
        ["+1", "+2"],
        [null, "+2"],
        [undefined, null],
        [null, null],
      ],
    },
    {
      what: "another name, not the first one",
      mapping: person,
      field: "LastName",
      counted: [["Rivka", "Doe", ["identity"]]],
      harmless: [
        [null, "Doe"],
        ["Rivka", "Rivka"],
        ["Rivka", undefined],
      ],
    },
    {
      what: "an emptied birth date, as both",
      mapping: person,
      field: "Birthdate",
      counted: [["1950-01-01", null, ["clears", "identity"]]],
      harmless: [[null, "1950-01-01"]],
    },
    {
      what: "a person declared dead",
      mapping: person,
      field: "Deceased__c",
      counted: [[false, true, ["identity"]]],
      harmless: [[true, true]],
    },
    {
      what: "a record taken out of use, not one taken into use",
      mapping: person,
      field: "Active__c",
      counted: [[true, false, ["deletes"]]],
      harmless: [[false, true]],
    },
    {
      what: "a visit that is given up, once",
      mapping: visit,
      field: "Visit_Status__c",
      counted: [
        ["booked", "cancelled", ["cancellations"]],
        ["arrived", "noshow", ["cancellations"]],
        ["booked", "entered-in-error", ["cancellations"]],
      ],
      harmless: [
        ["cancelled", "noshow"],
        ["cancelled", "booked"],
        ["booked", "arrived"],
      ],
    },
    {
      what: "a visit that becomes another patient's",
      mapping: visit,
      field: "WhoId",
      counted: [[{ $link: "a" }, { $link: "b" }, ["identity"]]],
      harmless: [[{ $link: "a" }, { $link: "a" }]],
    },
  ] as const) {
    it(what, () => {
      for (const [now, then, kinds] of counted) assert.deepEqual(kindsOf(mapping, field, now, then), kinds);
      for (const [now, then] of harmless) assert.deepEqual(kindsOf(mapping, field, now, then), []);
    });
  }

  it("an element whose name only begins like one that counts is another", () => {
    const [name] = rules.filter((rule) => rule.element === "name");
    assert.ok(name);
    const fields = [{ ...person.fields[0], name: "X", element: "names" }];
    const mapping = { ...person, fields } as unknown as CompiledMapping;
    assert.deepEqual(kindsOf(mapping, "X", "a", "b"), []);
    const at = { ...person, fields: [{ ...fields[0], element: "name.text" }] } as unknown as CompiledMapping;
    assert.deepEqual(kindsOf(at, "X", "a", "b"), ["identity"]);
  });

  it("every rule says why", () => {
    assert.ok(rules.every((rule) => rule.why.length > 10));
  });
});
