// How much is too much: against a floor, against the channel's own past, and what a decision changes.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  count,
  decided,
  decisionOn,
  inLastHour,
  limitOf,
  nothingPasses,
} from "../../../../src/exchange/brake/limits.ts";
import { nothingCounted, untouched, type BrakeState, type Stopped } from "../../../../src/exchange/brake/state.ts";

const hour = 3_600_000;
const day = 24 * hour;
const noon = Date.UTC(2026, 10, 25, 12);
const limits = { ...nothingPasses, clears: { perHour: 3, factor: 2 }, identity: { perHour: 100, factor: 1 } };

/** Counts until the channel stops, at most `most`; answers how many passed. */
function fill(state: BrakeState, now: number, most: number): { readonly state: BrakeState; readonly passed: number } {
  let [at, passed] = [state, 0];
  while (passed < most) {
    const next = count(at, ["clears"], limits, now);
    if (next.stopped) return { state: next, passed };
    at = next;
    passed += 1;
  }
  return { state: at, passed };
}

function stopOf(state: BrakeState): Stopped {
  assert.ok(state.stopped);
  return state.stopped;
}

describe("the limits of a brake", () => {
  it("the floor passes in an hour, the next one stops the channel and is not counted", () => {
    const { state, passed } = fill(untouched, noon, 10);
    assert.equal(passed, 3);
    assert.deepEqual(state.stopped, { since: noon, kind: "clears", count: 4, limit: 3 });
    assert.equal(inLastHour(state.kinds.clears ?? nothingCounted, noon), 3);
  });

  it("an hour later the same passes once more", () => {
    const { state } = fill(untouched, noon, 3);
    assert.equal(fill(state, noon + hour / 2, 3).passed, 0);
    assert.equal(fill(state, noon + hour + 5 * 60_000, 3).passed, 3);
  });

  it("an exchange that is too many of one kind is counted for none", () => {
    const { state } = fill(untouched, noon, 3);
    const next = count(state, ["identity", "clears"], limits, noon);
    assert.equal(next.stopped?.kind, "clears");
    assert.equal(next.kinds.identity, undefined);
  });

  it("the past raises the limit from the next day on, not within the day", () => {
    const { state } = fill(untouched, noon, 3);
    const clears = state.kinds.clears ?? nothingCounted;
    assert.equal(limitOf(clears, limits.clears, noon + 3 * hour), 3);
    assert.equal(limitOf(clears, limits.clears, noon + day), 6);
    assert.equal(limitOf(clears, limits.clears, noon + 40 * day), 3);
    assert.equal(fill(state, noon + day, 10).passed, 6);
  });

  it("applied: counting begins anew, and the day counts as past", () => {
    const { state } = fill(untouched, noon, 10);
    const after = decided(state, stopOf(state), "apply", noon, noon);
    assert.equal(after.stopped, undefined);
    assert.equal(fill(after, noon, 10).passed, 3);
    assert.equal(limitOf(after.kinds.clears ?? nothingCounted, limits.clears, noon + day), 6);
  });

  it("discarded: one more stops it at once, and nothing is learned of that day", () => {
    const { state } = fill(untouched, noon, 10);
    const after = decided(state, stopOf(state), "discard", noon, noon);
    assert.equal(fill(after, noon, 10).passed, 0);
    const later = fill(after, noon + 2 * hour, 3).state;
    assert.equal(limitOf(later.kinds.clears ?? nothingCounted, limits.clears, noon + day), 3);
  });

  it("a decision is about what was accepted up to it, of its kind; of two the earlier one counts", () => {
    const stopped = stopOf(fill(untouched, noon, 10).state);
    const once = decided(untouched, stopped, "apply", noon, noon);
    const twice = decided(once, stopped, "discard", noon + hour, noon + hour);
    assert.equal(decisionOn(twice, "clears", noon), "apply");
    assert.equal(decisionOn(twice, "clears", noon + 1), "discard");
    assert.equal(decisionOn(twice, "clears", noon + hour + 1), undefined);
    assert.equal(decisionOn(twice, "identity", noon), undefined);
  });

  it("whatever the times, within 60 minutes no more passes than the limit of that moment", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 30 * 60_000 }), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(gaps, (steps) => {
        let [state, now] = [untouched, noon];
        const passed: number[] = [];
        for (const step of steps) {
          now += step;
          const limit = limitOf(state.kinds.clears ?? nothingCounted, limits.clears, now);
          const next = count(state, ["clears"], limits, now);
          if (next.stopped) continue;
          state = next;
          passed.push(now);
          const within = passed.filter((at) => at > now - hour).length;
          assert.ok(within <= limit, `${within} within an hour, the limit is ${limit}`);
        }
        assert.ok(passed.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});
