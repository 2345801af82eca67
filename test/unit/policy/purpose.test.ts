// The purposes of use and what covers what.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { purposes } from "../../../src/core/decision.ts";
import { parseJson } from "../../../src/core/json.ts";
import { isPurpose, purposeCovers } from "../../../src/policy/purpose.ts";

const hierarchies = new URL("../../../../shared/data/labels/hl7-v3-hierarchies.json", import.meta.url);

describe("policy/purpose", () => {
  it("knows every purpose that a channel may have", () => {
    for (const code of purposes) assert.ok(isPurpose(code) && purposeCovers(code, code), code);
    assert.ok(!isPurpose("PurposeOfUse") && !isPurpose("toString") && !purposeCovers("FUN", "FUN"));
  });
  it("covers downwards only, and never across", () => {
    assert.ok(purposeCovers("HPAYMT", "ELIGVER") && !purposeCovers("ELIGVER", "HPAYMT"));
    assert.ok(purposeCovers("HRESCH", "CLINTRCHPC") && !purposeCovers("CLINTRCH", "BIORCH"));
    for (const code of purposes) if (code !== "HMARKT") assert.ok(!purposeCovers(code, "HMARKT"), code);
  });
  it("never inherits break-glass", () => {
    assert.ok(!purposeCovers("TREAT", "BTG") && !purposeCovers("ETREAT", "BTG") && purposeCovers("BTG", "BTG"));
    assert.ok(purposeCovers("TREAT", "ERTREAT"));
  });
  it("has the codes and parents of HL7 Terminology", function () {
    if (!existsSync(hierarchies)) {
      console.log("      (skipped: ../shared/data/labels is not here)");
      this.skip();
    }
    type Codes = Record<string, { parents: string[] }>;
    const published = parseJson(readFileSync(hierarchies, "utf8")) as Record<string, { codes: Codes }>;
    const codes = published["ActReason.PurposeOfUse"]?.codes ?? {};
    const names = Object.keys(codes).filter((code) => code !== "PurposeOfUse");
    assert.ok(names.length > 50);
    for (const child of names) {
      assert.ok(isPurpose(child), child);
      for (const parent of names) {
        const direct = codes[child]?.parents.includes(parent) === true;
        if (direct && child !== "BTG") assert.ok(purposeCovers(parent, child), `${parent} > ${child}`);
      }
    }
  });
});
