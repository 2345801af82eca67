// Durations: what is written is what is meant, in both directions.
import assert from "node:assert/strict";
import fc from "fast-check";
import { durationText, parseDuration } from "../../../src/settings/duration.ts";

describe("settings: durations", () => {
  it("are read with their unit", () => {
    assert.equal(parseDuration("500ms"), 500);
    assert.equal(parseDuration("30s"), 30_000);
    assert.equal(parseDuration("15m"), 900_000);
    assert.equal(parseDuration("2h"), 7_200_000);
    assert.equal(parseDuration("7d"), 604_800_000);
  });

  it("are refused without unit, with fractions, signs, zero, spaces, and above a year", () => {
    for (const text of ["30", "1.5h", "-1s", "0s", "1 s", "s", "", "1S", "400d", "999999999d"])
      assert.equal(parseDuration(text), undefined, text);
  });

  it("come back from their text", () => {
    const durations = fc.integer({ min: 1, max: 999_999_999 });
    fc.assert(fc.property(durations, (ms) => parseDuration(durationText(ms)) === ms));
    assert.equal(durationText(900_000), "15m");
    assert.equal(durationText(1500), "1500ms");
  });
});
