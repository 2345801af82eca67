// The merge against what both sides agreed on, and against what each had when they were let differ.
import assert from "node:assert/strict";
import type { Json } from "../../../src/core/json.ts";
import { apart, baseAt } from "../../../src/exchange/apart.ts";
import { mergeThreeWay, type ThreeWay } from "../../../src/exchange/three-way.ts";
import { exampleMapping } from "../mapping/load-mapping.ts";

const fields = exampleMapping("contact-patient").fields.filter((field) => field.name === "MobilePhone");
const hash = (_field: string, value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const h = (value: Json): string => hash("", value);
const values = (value: Json): Map<string, Json> => new Map([["MobilePhone", value]]);

function merge(from: "crm" | "ehr", crm: Json, ehr: Json, base: string): ThreeWay {
  const [to, source, destination] = from === "crm" ? (["ehr", crm, ehr] as const) : (["crm", ehr, crm] as const);
  const bases = { source: baseAt({ MobilePhone: base }, from), destination: baseAt({ MobilePhone: base }, to) };
  return mergeThreeWay(fields, values(source), values(destination), bases, hash);
}

const written = (three: ThreeWay): Json | undefined => three.changed.get("MobilePhone");

describe("three-way merge", () => {
  it("one side has moved: its value moves, an emptied field is cleared; both have: a conflict", () => {
    assert.equal(written(merge("crm", "2", "1", h("1"))), "2");
    assert.equal(written(merge("ehr", "2", "1", h("1"))), undefined);
    assert.equal(written(merge("crm", null, "1", h("1"))), null);
    assert.deepEqual(merge("crm", "2", "3", h("1")).conflicts, ["MobilePhone"]);
  });

  for (const [crm, ehr] of [
    [null, "1"],
    ["2", "1"],
  ] as const) {
    describe(`apart at ${JSON.stringify(crm)} and ${JSON.stringify(ehr)}`, () => {
      const base = apart({ crm: h(crm), ehr: h(ehr) });

      it("neither side's value is news", () => {
        for (const from of ["crm", "ehr"] as const) {
          const three = merge(from, crm, ehr, base);
          assert.equal(three.changed.size, 0);
          assert.deepEqual(three.conflicts, []);
          assert.deepEqual(three.agreed, {});
        }
      });

      it("whoever changes it moves it, and both agree again", () => {
        for (const from of ["crm", "ehr"] as const) {
          const three = merge(from, from === "crm" ? "7" : crm, from === "ehr" ? "7" : ehr, base);
          assert.equal(written(three), "7");
          assert.equal(three.agreed["MobilePhone"], h("7"));
        }
      });

      it("both change it: a conflict", () => {
        assert.deepEqual(merge("crm", "7", "8", base).conflicts, ["MobilePhone"]);
      });
    });
  }

  it("a side that is not named has no base: it is not overwritten", () => {
    assert.deepEqual(merge("crm", "7", "1", apart({ crm: h("2"), other: h("1") })).conflicts, ["MobilePhone"]);
  });
});
