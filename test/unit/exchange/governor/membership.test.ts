// Processes that read and move one register at the same time, each step of each in any order.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Limits } from "../../../../src/exchange/governor/budget.ts";
import { Membership } from "../../../../src/exchange/governor/membership.ts";
import { Notes } from "../../../../src/exchange/governor/notes.ts";
import type { Registers } from "../../../../src/exchange/ports.ts";
import { limits, MemoryRegisters, StillClock } from "./bench.ts";

class Process {
  readonly #member: Membership;
  readonly #notes = new Notes();
  readonly #isCounted: boolean;
  inFlight = 0;
  waiting = 0;
  made = 0;

  constructor(id: string, registers: Registers, own: Limits) {
    const parts = { id, system: "ehr", limits: own, registers, clock: new StillClock(), timeZone: "UTC" };
    this.#member = new Membership(parts, this.#notes);
    this.#isCounted = own.dailyLimit !== undefined;
  }

  async move(leaving: boolean): Promise<void> {
    const wants = () => ({ inFlight: this.inFlight, waiting: this.waiting, vendor: undefined, leaving });
    await this.#member.move(wants).catch(() => undefined);
  }

  begin(): void {
    while (this.inFlight < this.#member.limit && (!this.#isCounted || this.#member.calls > 0)) {
      this.#member.use();
      this.#notes.spend(1);
      this.inFlight += 1;
      this.made += 1;
    }
  }
}

describe("membership", () => {
  const action = fc.record({
    what: fc.constantFrom("move", "move", "move", "begin", "begin", "end", "leave", "fail"),
    demand: fc.integer({ min: 0, max: 9 }),
  });
  const scripts = fc.array(fc.array(action, { minLength: 4, maxLength: 25, size: "max" }), {
    minLength: 2,
    maxLength: 4,
  });

  /** Runs each script in a process of its own, with every reading and moving in an order of the scheduler's. */
  const race = async (
    scheduler: fc.Scheduler,
    plans: readonly (readonly { readonly what: string; readonly demand: number }[])[],
    own: Limits,
    check: (processes: readonly Process[]) => void,
  ): Promise<void> => {
    const memory = new MemoryRegisters();
    let failing = 0;
    const registers: Registers = {
      get: (name) => scheduler.schedule(Promise.resolve()).then(() => memory.get(name)),
      move: async (name, seen, value) => {
        await scheduler.schedule(Promise.resolve());
        const isMoved = await memory.move(name, seen, value);
        await scheduler.schedule(Promise.resolve());
        // The answer is lost: whether it was moved is not known.
        if (failing > 0) {
          failing -= 1;
          throw new Error("the connection was lost");
        }
        return isMoved;
      },
      list: (prefix) => memory.list(prefix),
    };
    const processes = plans.map((_, n) => new Process(`p${n}`, registers, own));
    const play = async (process: Process, plan: (typeof plans)[number]): Promise<void> => {
      let moving: Promise<void> = Promise.resolve();
      for (const { what, demand } of plan) {
        await scheduler.schedule(Promise.resolve());
        if (what === "fail") failing += 1;
        if (what === "begin") process.begin();
        if (what === "end" && process.inFlight > 0) process.inFlight -= 1;
        process.waiting = demand;
        check(processes);
        if (what !== "move" && !(what === "leave" && process.inFlight === 0)) continue;
        await moving;
        // A leaving process begins nothing meanwhile, so that is waited for.
        moving = process.move(what === "leave" && process.inFlight === 0);
        if (what === "leave") await moving;
      }
      await moving;
    };
    await scheduler.waitFor(Promise.all(processes.map((process, n) => play(process, plans[n] ?? []))));
    check(processes);
  };

  it("never has more under way in all processes together than there are places", async () => {
    let busiest = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        scripts,
        fc.integer({ min: 1, max: 5 }),
        async (scheduler, plans, concurrency) => {
          await race(scheduler, plans, { ...limits, concurrency }, (processes) => {
            const underWay = processes.reduce((sum, process) => sum + process.inFlight, 0);
            assert.ok(underWay <= concurrency, `${underWay} of ${concurrency}`);
            busiest = Math.max(busiest, underWay / concurrency);
          });
        },
      ),
      { numRuns: 300 },
    );
    assert.equal(busiest, 1, "no run used all places");
  });

  it("never makes more requests a day in all processes together than the limit", async () => {
    let fullest = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        scripts,
        fc.integer({ min: 1, max: 12 }),
        async (scheduler, plans, dailyLimit) => {
          await race(scheduler, plans, { ...limits, concurrency: 100, dailyLimit }, (processes) => {
            const made = processes.reduce((sum, process) => sum + process.made, 0);
            assert.ok(made <= dailyLimit, `${made} of ${dailyLimit}`);
            fullest = Math.max(fullest, made / dailyLimit);
          });
        },
      ),
      { numRuns: 300 },
    );
    assert.equal(fullest, 1, "no run used the day up");
  });
});
