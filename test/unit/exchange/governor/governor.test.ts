// One governor a process, several processes on the same registers: what is let through, what is refused and with what words,
// and what it costs.
import assert from "node:assert/strict";
import type { AdmissionRequest, Outcome, Place } from "../../../../src/connector/admission.ts";
import { SluiceError, type ErrorCode } from "../../../../src/core/errors.ts";
import type { Limits } from "../../../../src/exchange/governor/budget.ts";
import type { Governor } from "../../../../src/exchange/governor/governor.ts";
import { governor, MemoryRegisters, settled, StillClock, noon } from "./bench.ts";

const live: AdmissionRequest = { channel: "a", background: false };
const backfill: AdmissionRequest = { channel: "a", background: true };
const well: Outcome = { kind: "answered", status: 200, retryAfter: undefined };
const broken: Outcome = { kind: "answered", status: 500, retryAfter: undefined };
const throttled: Outcome = { kind: "answered", status: 429, retryAfter: "30" };

describe("governor", () => {
  let registers: MemoryRegisters;
  let clock: StillClock;
  const opened: Governor[] = [];

  beforeEach(() => {
    registers = new MemoryRegisters();
    clock = new StillClock();
  });
  afterEach(async () => {
    registers.isDown = false;
    const closing = Promise.all(opened.splice(0).map((one) => one.close()));
    await clock.advance(5_000);
    await closing;
  });

  const open = (id = "p1", own: Partial<Limits> = {}): Governor => {
    const one = governor(id, registers, clock, own);
    opened.push(one);
    return one;
  };

  /** Asked now; undefined while its turn has not come. */
  const ask = (of: Governor, request = live): { place: Place | undefined; error: SluiceError | undefined } => {
    const asked: { place: Place | undefined; error: SluiceError | undefined } = { place: undefined, error: undefined };
    try {
      const leave = of.admit(request);
      if ("check" in leave) asked.place = leave;
      else
        leave.place.then(
          (place) => (asked.place = place),
          (error: unknown) => (asked.error = error as SluiceError),
        );
    } catch (error) {
      asked.error = error as SluiceError;
    }
    return asked;
  };
  const let1 = async (of: Governor, request = live): Promise<Place> => {
    const asked = ask(of, request);
    await settled();
    assert.ok(asked.place, `not let through: ${asked.error?.message ?? "it waits"}`);
    return asked.place;
  };
  const refused = async (of: Governor, code: ErrorCode, request = live): Promise<SluiceError> => {
    const asked = ask(of, request);
    await settled();
    assert.ok(asked.error, asked.place ? "it was let through" : "it waits");
    assert.equal(asked.error.code, code);
    assert.equal(asked.error.retry, "transient");
    return asked.error;
  };

  describe("places", () => {
    it("one process alone has them all after one move, and moves no more at each request", async () => {
      const one = open();
      for (let n = 0; n < 1_000; n += 1) (await let1(one)).done(well);
      assert.equal(registers.moves, 1);
    });

    it("more requests than places wait, and go as places come free", async () => {
      const one = open();
      const places = await Promise.all([1, 2, 3, 4].map(() => let1(one)));
      const fifth = ask(one);
      await settled();
      assert.equal(fifth.place, undefined);
      places[0]?.done(well);
      await settled();
      assert.ok(fifth.place);
    });

    it("a process without work gives everything back and moves nothing more", async () => {
      const one = open();
      (await let1(one)).done(well);
      await clock.advance(3_000);
      assert.deepEqual(registers.budget().members, []);
      const { moves } = registers;
      await clock.advance(3_600_000);
      assert.equal(registers.moves, moves);
    });

    it("alone and busy it moves once a second", async () => {
      const one = open();
      const place = await let1(one);
      await clock.advance(60_000);
      assert.ok(registers.moves <= 62, `${registers.moves} moves a minute`);
      place.done(well);
    });

    it("two processes share them", async () => {
      const [one, two] = [open("p1"), open("p2")];
      const first = await Promise.all([1, 2, 3, 4].map(() => let1(one)));
      const others = [ask(two), ask(two), ask(two)];
      await clock.advance(1_500);
      assert.ok(
        others.every((asked) => asked.place === undefined),
        "nobody is driven off",
      );
      for (const place of first) place.done(well);
      const mine = [ask(one), ask(one), ask(one)];
      await clock.advance(1_500);
      assert.equal(others.filter((asked) => asked.place).length, 2);
      assert.equal(mine.filter((asked) => asked.place).length, 2);
    });

    it("those of a process that died come free after some seconds, those of one that lives do not", async () => {
      const member = { beat: 1, demand: 4, granted: 2, since: 1, tokens: 0, drew: 1, calls: 0 };
      const members = ["dead", "alive"].map((id) => ({ ...member, id }));
      registers.put({ members });
      const one = open();
      const asked = [1, 2, 3, 4].map(() => ask(one));
      for (let beat = 2; beat < 12; beat += 1) {
        if (beat === 8)
          assert.ok(
            asked.every(({ place }) => place === undefined),
            "kept at first",
          );
        await clock.advance(500);
        const budget = registers.budget();
        const moved = budget.members.map((each) => (each.id === "alive" ? { ...each, beat } : each));
        registers.put({ ...budget, members: moved });
      }
      assert.equal(asked.filter(({ place }) => place).length, 2);
      assert.deepEqual(
        registers.budget().members.map(({ id }) => id),
        ["alive", "p1"],
      );
    });

    it("a store that is down: what is held is used up, then nothing more is granted", async () => {
      const one = open();
      (await let1(one)).done(well);
      registers.isDown = true;
      (await let1(one)).done(well);
      await clock.advance(500);
      const held = await let1(one);
      await clock.advance(3_500);
      assert.throws(() => {
        held.check();
      }, /store is silent/);
      held.done({ kind: "unused" });
      const leave = one.admit(live);
      assert.ok("giveUp" in leave);
      const gaveUp = leave.giveUp();
      assert.equal(gaveUp.code, "system-busy");
      assert.match(gaveUp.message, /store does not answer/);
      registers.isDown = false;
      const asked = ask(one);
      await clock.advance(1_000);
      assert.ok(asked.place, "and goes on when it is back");
    });

    it("a budget that cannot be read grants nothing; one that can does", async () => {
      registers.put("{}");
      const one = open();
      const asked = ask(one);
      await clock.advance(1_000);
      assert.equal(asked.place, undefined);
      registers.put({});
      await clock.advance(1_000);
      assert.ok(asked.place);
    });

    it("who gives up waiting takes no place along", async () => {
      const one = open("p1", { concurrency: 1 });
      const place = await let1(one);
      const leave = one.admit(live);
      assert.ok("giveUp" in leave);
      assert.match(leave.giveUp().message, /places are taken/);
      const next = ask(one);
      place.done(well);
      await settled();
      assert.ok(next.place);
    });
  });

  describe("turns within a process", () => {
    const order = async (requests: readonly AdmissionRequest[]): Promise<readonly number[]> => {
      const one = open("p1", { concurrency: 1 });
      let under = await let1(one);
      const served: number[] = [];
      const asked = requests.map((request) => ask(one, request));
      for (let left = requests.length; left > 0; left -= 1) {
        under.done(well);
        await settled();
        const at = asked.findIndex((each, index) => each.place !== undefined && !served.includes(index));
        served.push(at);
        under = asked[at]?.place ?? assert.fail("nobody was served");
      }
      return served;
    };
    const of = (channel: string, background = false): AdmissionRequest => ({ channel, background });

    it("channels take turns, however long the line of one is", async () => {
      assert.deepEqual(await order([of("a"), of("a"), of("a"), of("b"), of("c"), of("b")]), [0, 3, 4, 1, 5, 2]);
    });

    it("live work goes before backfill", async () => {
      assert.deepEqual(await order([of("a", true), of("a", true), of("b"), of("a")]), [2, 3, 0, 1]);
    });

    it("which does not starve", async () => {
      const served = await order([of("a", true), ...Array.from({ length: 20 }, () => of("b"))]);
      assert.ok(served.indexOf(0) <= 9, `it came as number ${served.indexOf(0)}`);
    });
  });

  describe("Retry-After", () => {
    it("shuts the system for every process, from the answer to the end of the time", async () => {
      const [one, two] = [open("p1"), open("p2")];
      (await let1(two)).done(well);
      await clock.advance(2_500);
      (await let1(one)).done(throttled);
      const error = await refused(one, "system-throttled");
      assert.equal(error.detail.retryAfter, 30_000);
      await clock.advance(100);
      assert.deepEqual(registers.announced, ["budget/ehr"]);
      await two.heard();
      assert.equal((await refused(two, "system-throttled")).detail.retryAfter, 29_900);
      assert.equal(one.isShut() && two.isShut(), true);
      const three = open("p3");
      await refused(three, "system-throttled");
      await clock.advance(29_899);
      await refused(one, "system-throttled");
      await clock.advance(1);
      assert.equal(one.isShut() || two.isShut(), false);
      (await let1(one)).done(well);
      (await let1(two)).done(well);
    });

    it("stops a request that was let through and is not on its connection yet", async () => {
      const one = open();
      const [first, second] = [await let1(one), await let1(one)];
      second.check();
      first.done(throttled);
      assert.throws(
        () => {
          second.check();
        },
        { code: "system-throttled" },
      );
    });

    for (const [name, outcome, forMs] of [
      ["a 429 that does not say how long: for the breaker's base", { ...throttled, retryAfter: undefined }, 1_000],
      ["a 503 that says how long", { ...throttled, status: 503 }, 30_000],
      ["a date", { ...throttled, retryAfter: new Date(noon + 7_000).toUTCString() }, 7_000],
    ] as const) {
      it(name, async () => {
        const one = open();
        (await let1(one)).done(outcome);
        assert.equal((await refused(one, "system-throttled")).detail.retryAfter, forMs);
        await clock.advance(forMs);
        (await let1(one)).done(well);
      });
    }

    it("a limit that only the body of an answer told shuts it too, a refusal of its own does not", async () => {
      const one = open();
      (await let1(one)).done({ ...well, status: 403 });
      one.note(new SluiceError("system-throttled", "the org's API request limit is reached", { retryAfter: 5_000 }));
      const own = await refused(one, "system-throttled");
      await clock.advance(4_000);
      one.note(own);
      await clock.advance(1_000);
      (await let1(one)).done(well);
    });
  });

  describe("circuit breaker", () => {
    const fail = async (of: Governor, times: number, outcome: Outcome = broken): Promise<void> => {
      for (let n = 0; n < times; n += 1) (await let1(of)).done(outcome);
    };

    it("opens after so many failures one after the other, and one answer in between begins the count anew", async () => {
      const one = open();
      await fail(one, 2);
      await fail(one, 1, well);
      await fail(one, 2, { kind: "failed" });
      (await let1(one)).done(broken);
      await clock.advance(100);
      const error = await refused(one, "system-unreachable");
      assert.equal(error.detail.retryAfter, registers.budget().breaker.openUntil - clock.now());
    });

    it("a 4xx is an answer", async () => {
      const one = open();
      await fail(one, 10, { kind: "answered", status: 422, retryAfter: undefined });
      (await let1(one)).done(well);
    });

    it("lets exactly one request through when its time is over; its answer lets all others through", async () => {
      const [one, two] = [open("p1"), open("p2")];
      await fail(one, 3);
      await clock.advance(3_000);
      await two.heard();
      const asked = [ask(one), ask(two), ask(one), ask(two)];
      await settled();
      const probes = asked.filter((each) => each.place);
      assert.equal(probes.length, 1);
      await clock.advance(300);
      assert.equal(asked.filter((each) => each.place).length, 1);
      probes[0]?.place?.check();
      probes[0]?.place?.done(well);
      await clock.advance(100);
      await Promise.all([one.heard(), two.heard()]);
      (await let1(one)).done(well);
      (await let1(two)).done(well);
    });

    it("its failure opens it for twice as long", async () => {
      const one = open();
      await fail(one, 3);
      await clock.advance(1_100);
      (await let1(one)).done(broken);
      await clock.advance(100);
      assert.equal(registers.budget().breaker.opened, 2);
      await clock.advance(1_700);
      await refused(one, "system-unreachable");
      await clock.advance(400);
      (await let1(one)).done(well);
      await clock.advance(100);
      await Promise.all([1, 2, 3, 4].map(() => let1(one)));
    });

    it("nothing follows a probe that failed, before all know that it failed or after", async () => {
      const one = open();
      await fail(one, 3);
      await clock.advance(1_100);
      const probe = await let1(one);
      registers.isDown = true;
      probe.done(broken);
      const next = ask(one);
      await clock.advance(500);
      assert.equal(next.place, undefined);
      registers.isDown = false;
      await clock.advance(500);
      assert.equal(next.error?.code, "system-unreachable");
      await clock.advance(2_000);
      (await let1(one)).done(well);
    });

    it("a probe that was not made leaves the place to the next one, here or elsewhere", async () => {
      const [one, two] = [open("p1"), open("p2")];
      await fail(one, 3);
      await clock.advance(1_100);
      (await let1(one)).done({ kind: "unused" });
      await clock.advance(100);
      await two.heard();
      (await let1(two)).done(well);
      await clock.advance(100);
      assert.equal(registers.budget().breaker.opened, 0);
    });

    it("a process that dies with the probe does not keep it", async () => {
      registers.put({
        breaker: { failures: 3, opened: 1, openUntil: noon, probe: "dead" },
        members: [{ id: "dead", beat: 1, demand: 1, granted: 1, since: 1, tokens: 0, drew: 1, calls: 0 }],
      });
      const one = open();
      await refused(one, "system-unreachable");
      await clock.advance(1_100);
      await refused(one, "system-unreachable");
      await clock.advance(1_100);
      await refused(one, "system-unreachable");
      await clock.advance(2_100);
      (await let1(one)).done(well);
    });
  });

  describe("the day's requests", () => {
    it("are refused when used up, for all processes, until the next day", async () => {
      const [one, two] = [open("p1", { dailyLimit: 10 }), open("p2", { dailyLimit: 10 })];
      let made = 0;
      const asked: ReturnType<typeof ask>[] = [];
      for (let n = 0; n < 40; n += 1) {
        asked.push(ask(n % 2 ? one : two));
        await clock.advance(300);
        for (const each of asked) {
          each.place?.done(well);
          if (each.place) made += 1;
          each.place = undefined;
        }
      }
      assert.equal(made, 10);
      await clock.advance(3_000);
      const error = await refused(one, "system-throttled");
      assert.match(error.message, /day's requests/);
      assert.ok((error.detail.retryAfter ?? 0) <= 15 * 60_000);
      await clock.advance(12 * 3_600_000);
      (await let1(one)).done(well);
      (await let1(two)).done(well);
    });

    it("backfill leaves a fifth of them to live work", async () => {
      registers.put({ quota: { day: "2026-11-25", used: 8 } });
      const one = open("p1", { dailyLimit: 10 });
      await one.heard();
      await refused(one, "system-throttled", backfill);
      (await let1(one)).done(well);
      registers.put({ quota: { day: "2026-11-25", used: 7 } });
      const two = open("p2", { dailyLimit: 10 });
      await two.heard();
      (await let1(two, backfill)).done(well);
    });

    it("are a share of what the vendor says it gives, as soon as it says so", async () => {
      const one = open("p1", { dailyShare: 0.5 });
      let usage: { used: number; limit: number } | undefined;
      one.watchUsage(() => usage);
      for (let n = 0; n < 5; n += 1) (await let1(one)).done(well);
      usage = { used: 40, limit: 10 };
      await clock.advance(2_000);
      await refused(one, "system-throttled");
      assert.deepEqual(registers.budget().quota, { day: "2026-11-25", used: 5, vendor: { used: 40, limit: 10 } });
      usage = { used: 40, limit: 100 };
      const two = open("p2", { dailyShare: 0.5 });
      two.watchUsage(() => usage);
      (await let1(two)).done(well);
    });
  });

  it("keeps to a rate", async () => {
    const one = open("p1", { rate: 10, concurrency: 100 });
    let made = 0;
    const wanting = (): void => {
      const leave = one.admit(live);
      const go = (place: Place): void => {
        made += 1;
        place.done(well);
        queueMicrotask(wanting);
      };
      if ("check" in leave) go(leave);
      else leave.place.then(go, () => undefined);
    };
    wanting();
    await clock.advance(10_000);
    assert.ok(made >= 95 && made <= 110, `${made} requests in ten seconds`);
  });

  it("who waits when the process stops is refused, and nothing is let through any more", async () => {
    const one = open("p1", { concurrency: 1 });
    const place = await let1(one);
    const waiting = ask(one);
    const closing = one.close();
    place.done(well);
    await clock.advance(100);
    await closing;
    assert.equal(waiting.error?.code, "system-busy");
    await refused(one, "system-busy");
    assert.deepEqual(registers.budget().members, []);
  });
});
