// Dates as years, and ages over 89.
import assert from "node:assert/strict";
import { birthYear, eventYear, horizonYear, yearOf } from "../../../src/deidentify/years.ts";

describe("deidentify/years", () => {
  it("takes the year of a date as written, and of nothing else", () => {
    for (const text of ["1980", "1980-05", "1980-05-05", "1980-12-31T23:59:59-05:00", "1980-05-05T10:00:00.123Z"])
      assert.equal(yearOf(text), 1980, text);
    for (const text of ["", "0000", "80", "1980-5", "May 1980", "1980-05-05T10:00", "1980 ", 1980, null, undefined])
      assert.equal(yearOf(text), undefined);
  });
  it("judges against the latest place on Earth and the years of keeping", () => {
    assert.equal(horizonYear(Date.parse("2026-12-31T09:59:59Z"), 0), 2026);
    assert.equal(horizonYear(Date.parse("2026-12-31T10:00:00Z"), 0), 2027);
    assert.equal(horizonYear(Date.parse("2026-06-01T00:00:00Z"), 3), 2029);
  });
  it("keeps the birth year up to 89 in the horizon's year", () => {
    assert.equal(birthYear(1937, 2026, undefined), "1937");
    assert.equal(birthYear(1936, 2026, undefined), undefined);
    assert.equal(birthYear(1937, 2027, undefined), undefined);
    assert.equal(birthYear(2026, 2026, undefined), "2026");
    assert.equal(birthYear(2027, 2026, undefined), undefined);
  });
  it("lets nobody grow older than at death", () => {
    assert.equal(birthYear(1927, 2026, 1994), "1927");
    assert.equal(birthYear(1910, 2026, 2008), undefined);
    assert.equal(birthYear(1920, 2026, 2009), "1920");
    assert.equal(birthYear(1920, 2026, 2010), undefined);
  });
  it("does not believe a death before birth or in the future", () => {
    assert.equal(birthYear(1980, 2026, 1970), undefined);
    assert.equal(birthYear(1930, 2026, 2027), undefined);
    assert.equal(birthYear(1980, 2026, 2027), "1980");
  });
  it("gives no event year beyond the horizon: no kept birth year and event year make 90", () => {
    assert.equal(eventYear("2026-11-25T10:00:00Z", 2026), "2026");
    assert.equal(eventYear("2027-01-01T10:00:00Z", 2026), undefined);
    for (let born = 1900; born <= 2030; born++)
      for (const horizon of [2026, 2030]) {
        const year = birthYear(born, horizon, undefined);
        const latest = Number(eventYear(`${horizon}-12-31`, horizon));
        if (year !== undefined) assert.ok(latest - Number(year) < 90);
      }
  });
});
