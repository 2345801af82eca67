// Dates as intervals: precision, zones, days on which the clocks change, and what is no date.
import assert from "node:assert/strict";
import { dateTimeRange, isCalendarDay, localDay, periodRange, within } from "../../../src/policy/fhir-time.ts";

const zone = "America/New_York";
const iso = (text: string): number => Date.parse(text);

describe("policy/fhir-time", () => {
  it("covers the whole of a year, month or day of the zone", () => {
    assert.deepEqual(dateTimeRange("2026", zone), { from: iso("2026-01-01T05:00Z"), until: iso("2027-01-01T05:00Z") });
    assert.deepEqual(dateTimeRange("2026-12", zone), {
      from: iso("2026-12-01T05:00Z"),
      until: iso("2027-01-01T05:00Z"),
    });
    assert.deepEqual(dateTimeRange("2026-07-04", zone), {
      from: iso("2026-07-04T04:00Z"),
      until: iso("2026-07-05T04:00Z"),
    });
  });

  it("knows days that are 23 and 25 hours long", () => {
    const hours = (day: string): number => {
      const range = dateTimeRange(day, zone);
      return range ? (range.until - range.from) / 3_600_000 : NaN;
    };
    assert.equal(hours("2026-03-08"), 23);
    assert.equal(hours("2026-11-01"), 25);
    assert.equal(hours("2026-02-28"), 24);
  });

  it("covers one unit of a time's own precision", () => {
    const from = iso("2026-05-01T10:00:00Z");
    assert.deepEqual(dateTimeRange("2026-05-01T12:00:00+02:00", zone), { from, until: from + 1000 });
    assert.deepEqual(dateTimeRange("2026-05-01T10:00:00.250Z", zone), { from: from + 250, until: from + 251 });
  });

  it("refuses what is no FHIR date", () => {
    for (const text of [
      "",
      "26",
      "2026-13",
      "2026-02-30",
      "2026-2-3",
      "2026-01-01T10:00",
      "2026-01-01T10:00:00",
      2026,
      null,
      "2026-01-01 ",
      "2026-01-01T25:00:00Z",
    ])
      assert.equal(dateTimeRange(text, zone), undefined, String(text));
  });

  it("takes a Period as inclusive at both ends and open where an end is missing", () => {
    const until = periodRange({ end: "2026-12-31" }, zone);
    assert.ok(until && within(until, iso("2027-01-01T04:59:59.999Z")) && within(until, 0));
    assert.ok(!within(until, iso("2027-01-01T05:00Z")));
    const since = periodRange({ start: "2026-06" }, zone);
    assert.ok(since && within(since, iso("2099-01-01T00:00Z")) && !within(since, iso("2026-06-01T03:59Z")));
  });

  it("refuses a Period that is empty, reversed or malformed", () => {
    for (const period of [{}, { start: "2026-02-01", end: "2026-01-01" }, { start: "soon" }, "2026", []])
      assert.equal(periodRange(period, zone), undefined);
    assert.ok(periodRange({ start: "2026-02-01", end: "2026-02-01" }, zone));
  });

  it("tells the day of the zone", () => {
    assert.equal(localDay(iso("2026-03-01T04:59:59Z"), zone), "2026-02-28");
    assert.equal(localDay(iso("2026-03-01T05:00:00Z"), zone), "2026-03-01");
    assert.equal(localDay(iso("2026-03-01T05:00:00Z"), "Asia/Tokyo"), "2026-03-01");
    assert.ok(isCalendarDay("2028-02-29") && !isCalendarDay("2026-02-29") && !isCalendarDay("2026-02"));
  });
});
