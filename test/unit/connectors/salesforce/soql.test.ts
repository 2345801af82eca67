// SOQL is made from checked names and escaped text only; the sandbox's reader is the independent check.
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseSoql } from "../../../../connectors/salesforce/sandbox/soql.ts";
import {
  dateLiteral,
  fieldName,
  instantLiteral,
  recordId,
  select,
  textLiteral,
} from "../../../../connectors/salesforce/soql.ts";

describe("salesforce SOQL", () => {
  it("keeps any text inside its quotes", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("'", "\\", '"', "\n", "a", " OR ") })),
        (text) => {
          const where = `LastName = ${textLiteral(text)} AND Birthdate = null`;
          const query = parseSoql(select({ type: "Contact", fields: ["Id"], where, orderBy: ["Id"], limit: 5 }));
          assert.ok(query.where?.op === "and");
          const [first] = query.where.parts;
          assert.ok(first?.op === "compare" && first.literal.kind === "text");
          assert.equal(first.literal.value, text);
        },
      ),
    );
  });

  it("refuses names that are none, and takes those that are", () => {
    for (const bad of ["", "a b", "Name,Id", "1a", "x'y", "Who.Name", "a;"]) {
      assert.throws(() => fieldName(bad), { code: "input-malformed" });
    }
    for (const good of ["Id", "Sluice_Link_Id__c"]) assert.equal(fieldName(good), good);
  });

  it("refuses ids that are none, and takes both spellings", () => {
    for (const bad of ["", "../../x", "0030000000000", "003000000000000A", "00300000000000/"]) {
      assert.throws(() => recordId(bad), { code: "input-malformed" });
    }
    for (const good of ["003000000000000", "003000000000000AAA"]) assert.equal(recordId(good), good);
  });

  it("refuses dates that are none", () => {
    assert.throws(() => dateLiteral("1980-02-29 OR Id != null"), { code: "input-malformed" });
    assert.equal(dateLiteral("1980-02-29"), "1980-02-29");
  });

  it("writes instants in whole seconds unless there are milliseconds", () => {
    assert.equal(instantLiteral(Date.UTC(2026, 0, 2, 3, 4, 5)), "2026-01-02T03:04:05Z");
    assert.equal(instantLiteral(Date.UTC(2026, 0, 2, 3, 4, 5, 60)), "2026-01-02T03:04:05.060Z");
  });
});
