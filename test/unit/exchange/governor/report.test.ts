// What `sluice systems` tells, and what a person's word does.
import assert from "node:assert/strict";
import type { Configuration, SystemConfig } from "../../../../src/core/configuration.ts";
import { emptyBudget, type Budget } from "../../../../src/exchange/governor/budget.ts";
import { dayIn, untilNextDay } from "../../../../src/exchange/governor/day.ts";
import { reportOn, resume, type SystemReport } from "../../../../src/exchange/governor/report.ts";
import type { Systems, SystemState } from "../../../../src/exchange/ports.ts";
import { governor, limits, MemoryRegisters, noon, settled, StillClock } from "./bench.ts";

describe("the report on a system", () => {
  const config = { id: "ehr", name: "EHR", environment: "sandbox", identity: { issuer: "a" }, ...limits };
  const configurationOf = (own: object): Configuration => {
    const system = { ...config, ...own } as unknown as SystemConfig;
    return { systems: new Map([["ehr", system]]), timeZone: "UTC" } as unknown as Configuration;
  };
  const systemsWith = (state: Partial<SystemState>): Systems & { state: SystemState } => {
    const systems = {
      state: { identity: { issuer: "a" }, paused: undefined, ...state },
      get: () => Promise.resolve(systems.state),
      bind: () => Promise.resolve(true),
      pause: () => Promise.resolve(false),
      resume: () => {
        const wasPaused = systems.state.paused !== undefined;
        systems.state = { ...systems.state, paused: undefined };
        return Promise.resolve(wasPaused);
      },
    };
    return systems;
  };
  const report = async (
    budget: Partial<Budget> | string,
    { own = {}, state = {} }: { own?: object; state?: Partial<SystemState> } = {},
  ): Promise<SystemReport> => {
    const registers = new MemoryRegisters();
    registers.put(budget);
    const [one] = await reportOn({ registers, systems: systemsWith(state) }, configurationOf(own), noon);
    return one ?? assert.fail("nothing is told");
  };
  const open = { failures: 5, opened: 2, openUntil: noon + 10 };

  for (const [name, budget, own, state] of [
    ["asked to wait", { closedUntil: noon + 1 }, {}, "asked to wait"],
    ["whose time to wait is over", { closedUntil: noon }, {}, "called"],
    ["with an open circuit", { breaker: open }, {}, "circuit open"],
    ["whose circuit is to be probed", { breaker: { ...open, openUntil: noon } }, {}, "probing"],
    ["whose requests of the day are used up", { quota: { day: "2026-11-25", used: 9 } }, { dailyLimit: 9 }, "used up"],
    [
      "whose requests of yesterday were used up",
      { quota: { day: "2026-11-24", used: 9 } },
      { dailyLimit: 9 },
      "called",
    ],
    ["whose budget cannot be read", "{}", {}, "unreadable"],
  ] as const) {
    it(`one ${name}: ${state}`, async () => {
      const told = await report(budget, { own });
      assert.equal(told.state, state);
      assert.equal(told.todo === undefined, state === "called");
    });
  }

  it("names a pause with its fix, and an identity that is not the bound one", async () => {
    const paused = { since: noon, cause: "it refused Sluice's credential", fix: "register the key" };
    assert.match((await report({}, { state: { paused } })).todo ?? "", /register the key/);
    const other = await report({}, { state: { identity: { issuer: "b" } } });
    assert.equal(other.identity, "other");
    assert.match(other.todo ?? "", /identity/);
    assert.equal((await report({})).identity, "bound");
    assert.equal((await report({}, { state: { identity: undefined } })).identity, "unseen");
  });

  it("a person's word ends wait, open circuit and pause, and running processes hear of it", async () => {
    const registers = new MemoryRegisters();
    const clock = new StillClock();
    registers.put({ closedUntil: noon + 60_000, breaker: open, quota: { day: "2026-11-25", used: 7 } });
    const one = governor("p1", registers, clock);
    await one.heard();
    assert.equal(one.isShut(), true);
    const systems = systemsWith({ paused: { since: 0, cause: "c", fix: "f" } });
    assert.equal(await resume({ registers, systems }, "ehr"), true);
    assert.equal(systems.state.paused, undefined);
    assert.deepEqual(registers.announced, ["budget/ehr"]);
    assert.equal(registers.budget().quota.used, 7);
    await one.heard();
    assert.equal(one.isShut(), false);
    assert.equal(await resume({ registers, systems }, "ehr"), false);
  });

  it("and writes anew what cannot be read", async () => {
    const registers = new MemoryRegisters();
    registers.put("{}");
    assert.equal(await resume({ registers, systems: systemsWith({}) }, "ehr"), true);
    await settled();
    assert.deepEqual(registers.budget(), emptyBudget());
  });
});

describe("the day of the day's requests", () => {
  it("is that of the zone, also when clocks change", () => {
    const zone = "America/New_York";
    assert.equal(dayIn(zone, Date.parse("2026-11-25T04:59:59Z")), "2026-11-24");
    assert.equal(dayIn(zone, Date.parse("2026-11-25T05:00:00Z")), "2026-11-25");
    for (const [at, hours] of [
      ["2026-11-25T05:00:00Z", 24],
      ["2026-11-01T04:00:00Z", 25],
      ["2026-03-08T05:00:00Z", 23],
    ] as const) {
      const left = untilNextDay(zone, Date.parse(at));
      assert.ok(Math.abs(left - hours * 3_600_000) <= 1_000, `${at}: ${left}`);
    }
  });
});
