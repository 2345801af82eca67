// A lane woken by accept is not woken again by the sweep, until it has run or its wake-up must be lost.
import assert from "node:assert/strict";
import type { Clock } from "../../../src/core/clock.ts";
import { Woken } from "../../../src/exchange/woken.ts";

describe("Woken", () => {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };

  it("knows a woken lane until it runs", () => {
    const woken = new Woken(clock);
    assert.equal(woken.has("a"), false);
    woken.mark("a");
    assert.equal(woken.has("a"), true);
    assert.equal(woken.has("b"), false);
    woken.forget("a");
    assert.equal(woken.has("a"), false);
  });

  it("takes a wake-up of five seconds ago for lost", () => {
    const woken = new Woken(clock);
    woken.mark("a");
    now += 4_999;
    assert.equal(woken.has("a"), true);
    now += 1;
    assert.equal(woken.has("a"), false);
  });
});
