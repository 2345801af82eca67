// The allow-list of three-digit ZIP prefixes.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { zip3, zip3Count } from "../../../src/deidentify/zip3.ts";

const census = new URL("../../../../shared/data/deid/zip3-population.tsv", import.meta.url);

describe("deidentify/zip3", () => {
  it("keeps the prefix of an area of more than 20,000", () => {
    for (const [zip, prefix] of [
      ["02139", "021"],
      ["02139-1234", "021"],
      ["021391234", "021"],
      [" 57601 ", "576"],
      ["00601", "006"],
    ])
      assert.equal(zip3(zip ?? ""), prefix, zip);
  });
  it("gives 000 for the 18 small areas", () => {
    for (const prefix of "036 059 102 202 203 204 205 369 556 692 753 772 821 823 878 879 884 893".split(" "))
      assert.equal(zip3(`${prefix}01`), "000", prefix);
  });
  it("gives 000 for prefixes that nobody assigned to an area", () => {
    for (const prefix of "000 001 008 055 090 098 192 340 569 872 962 966 969 987".split(" "))
      assert.equal(zip3(`${prefix}01`), "000", prefix);
  });
  it("gives 000 for what is no ZIP", () => {
    for (const text of ["", "0213", "021", "021390", "K1A 0B1", "O2139", "０２１３９", "02139-12", "02139 MA", "-2139"])
      assert.equal(zip3(text), "000", text);
  });
  it("has the 876 prefixes of the census table", function () {
    assert.equal(zip3Count, 876);
    if (!existsSync(census)) {
      console.log("      (skipped: ../shared/data/deid is not here)");
      this.skip();
    }
    const rows = readFileSync(census, "utf8").trim().split("\n").slice(1);
    for (const row of rows) {
      const [prefix = "", , population] = row.split("\t");
      assert.equal(zip3(`${prefix}01`), Number(population) > 20_000 ? prefix : "000", prefix);
    }
    assert.equal(rows.length, 894);
  });
});
