// The brakes of several processes over one store: together they let no more through than the limit, one of them stops the
// channel and says so on record, and all of them learn of it.
import assert from "node:assert/strict";
import fc from "fast-check";
import pino from "pino";
import type { Clock } from "../../../../src/core/clock.ts";
import type { BrakeKind, Channel } from "../../../../src/core/configuration.ts";
import { systemRandom } from "../../../../src/core/ids.ts";
import { Brakes, type Taken } from "../../../../src/exchange/brake/brakes.ts";
import { decide } from "../../../../src/exchange/brake/decide.ts";
import { nothingPasses } from "../../../../src/exchange/brake/limits.ts";
import { channelOf, registerOf, stoppedChannels } from "../../../../src/exchange/brake/state.ts";
import type { Store } from "../../../../src/exchange/ports.ts";
import { closeAll, openStore } from "../../store/opened.ts";

const noon = Date.UTC(2026, 10, 25, 12);

function process(store: Store, skewMs = 0): Brakes {
  const clock: Clock = { now: () => noon + skewMs, monotonic: () => 0, sleep: () => Promise.resolve() };
  return new Brakes(store, clock, systemRandom, pino({ level: "silent" }));
}

function channelWith(perHour: number, id = "c"): Channel {
  const limit = { perHour, factor: 1 };
  return { id, brake: { ...nothingPasses, clears: limit, identity: limit } } as unknown as Channel;
}

const clear = { acceptedAt: noon, kinds: ["clears"], counted: [] } as const;

async function stops(store: Store): Promise<number> {
  let found = 0;
  for await (const batch of store.audit.read())
    found += batch.entries.filter((entry) => entry.header.includes("brake stopped")).length;
  return found;
}

describe("the brakes of several processes", () => {
  afterEach(closeAll);

  it("however many ask at once, no more than the limit passes, and the stop is on record once", async function () {
    this.timeout(60_000);
    const store = await openStore();
    let next = 0;
    const cases = fc.record({
      limit: fc.integer({ min: 0, max: 8 }),
      takers: fc.array(fc.integer({ min: -3_000, max: 3_000 }), { minLength: 1, maxLength: 4 }),
      each: fc.integer({ min: 1, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ limit, takers, each }) => {
        next += 1;
        const channel = channelWith(limit, `c${next}`);
        const before = await stops(store);
        const processes = takers.map((skew) => process(store, skew));
        const asked = processes.flatMap((one) => Array.from({ length: each }, () => one.take(channel, clear)));
        const answers = await Promise.all(asked);
        const passed = answers.filter((one) => one.kind === "passed").length;
        assert.equal(passed, Math.min(limit, asked.length));
        assert.equal((await stops(store)) - before, asked.length > limit ? 1 : 0);
        for (const one of processes) await one.reload(channel.id);
        assert.ok(processes.every((one) => one.has(channel.id) === asked.length > limit));
      }),
      { numRuns: 40 },
    );
  });

  it("what an exchange was counted for it is not counted for again", async () => {
    const brakes = process(await openStore());
    const channel = channelWith(1);
    const kinds: readonly BrakeKind[] = ["clears"];
    const first = await brakes.take(channel, clear);
    assert.deepEqual(first, { kind: "passed", counted: kinds });
    assert.deepEqual(await brakes.take(channel, { ...clear, counted: kinds }), { kind: "passed", counted: [] });
    assert.deepEqual(await brakes.take(channel, { ...clear, kinds: ["clears", "identity"], counted: kinds }), {
      kind: "passed",
      counted: ["identity"],
    });
    assert.deepEqual(await brakes.take(channel, clear), { kind: "stopped" });
  });

  it("a stop is announced, and found by a process that starts later, which puts it on record if nobody could", async () => {
    const store = await openStore();
    const stopped = { since: noon, kind: "clears", count: 2, limit: 1 };
    const value = JSON.stringify({ kinds: {}, decisions: [], stopped });
    await store.registers.move(registerOf("c"), 0, value, { announce: true });
    const [change] = await store.changes.since(0, 10);
    assert.equal(channelOf(change?.ref ?? ""), "c");
    const later = process(store);
    assert.equal(later.has("c"), false);
    await later.load();
    await later.load();
    assert.deepEqual(later.all(), ["c"]);
    assert.equal(await stops(store), 1);
  });

  it("a state that cannot be read lets nothing through; one that can, does", async () => {
    const store = await openStore();
    const name = registerOf("c");
    const counted = (count: unknown): string =>
      JSON.stringify({ kinds: { clears: { recent: [[Math.floor(noon / 300_000), count]], days: [] } }, decisions: [] });
    // A count that is no number would be below every limit, and a stop that is null would be none.
    const malformed = ["{}", counted("1"), counted(null), '{"kinds":{},"decisions":[],"stopped":null}'];
    for (const [version, value] of malformed.entries()) {
      assert.equal(await store.registers.move(name, version, value), true);
      await assert.rejects(process(store).take(channelWith(20), clear), { code: "store-unavailable" });
    }
    assert.equal(await store.registers.move(name, malformed.length, counted(1)), true);
    assert.equal((await process(store).take(channelWith(20), clear)).kind, "passed");
  });

  it("decided once, by one person, while it is stopped; what was accepted before passes or is dropped, what comes later is counted", async () => {
    const store = await openStore();
    const brakes = process(store);
    const channel = channelWith(1);
    const by = { channel: "c", choice: "discard", actor: "operator:a", reason: "r", now: noon } as const;
    await assert.rejects(decide(store, by), { code: "usage-wrong" });
    await brakes.take(channel, clear);
    await brakes.take(channel, clear);
    assert.equal((await stoppedChannels(store)).length, 1);
    assert.equal(await decide(store, by), "clears");
    await assert.rejects(decide(store, by), { code: "usage-wrong" });
    await brakes.reload("c");
    assert.equal(brakes.has("c"), false);
    const dropped: Taken = { kind: "decided", choices: new Map([["clears", "discard"]]) };
    assert.deepEqual(await brakes.take(channel, clear), dropped);
    assert.deepEqual(await brakes.take(channel, { ...clear, kinds: ["identity"] }), {
      kind: "passed",
      counted: ["identity"],
    });
    assert.deepEqual(await brakes.take(channel, { ...clear, acceptedAt: noon + 1 }), { kind: "stopped" });
    assert.equal(await decide(store, { ...by, choice: "apply" }), "clears");
    // Between the two decisions: the second one is about it too.
    assert.deepEqual(await brakes.take(channel, { ...clear, acceptedAt: noon }), dropped);
  });
});
