// Many processes, one budget: whatever the order of their moves, whoever dies in between.
import assert from "node:assert/strict";
import fc from "fast-check";
import { emptyBudget, type Budget, type Limits } from "../../../../src/exchange/governor/budget.ts";
import { nothingSeen, type Seen } from "../../../../src/exchange/governor/circuit.ts";
import { tick, type Ticked } from "../../../../src/exchange/governor/tick.ts";
import { limits, noon } from "./bench.ts";

interface Process {
  readonly id: string;
  waiting: number;
  inFlight: number;
  limit: number;
  granted: number;
  tokens: number;
  calls: number;
  spent: number;
  /** Requests made so far. */
  made: number;
  seen: Seen;
  probes: number;
}

/** The processes, and the budget that they move. */
class World {
  readonly limits: Limits;
  readonly alive: Process[] = [];
  readonly dead = new Set<string>();
  budget: Budget = emptyBudget();
  version = 0;
  now = noon;
  #born = 0;

  constructor(processes: number, own: Partial<Limits> = {}) {
    this.limits = { ...limits, ...own };
    for (let n = 0; n < processes; n += 1) this.start();
  }

  start(): void {
    this.#born += 1;
    const none = { waiting: 0, inFlight: 0, limit: 0, granted: 0, tokens: 0, calls: 0, spent: 0, made: 0, probes: 0 };
    this.alive.push({ id: `p${this.#born}`, ...none, seen: nothingSeen });
  }

  kill(process: Process): void {
    this.alive.splice(this.alive.indexOf(process), 1);
    this.dead.add(process.id);
  }

  tick(one: Process, struck: ReadonlySet<string> = new Set(), leaving = false): Ticked {
    this.version += 1;
    const { id, inFlight, waiting, tokens, calls, spent, seen } = one;
    const told = { id, inFlight, waiting, tokens, calls, spent, seen, leaving, stalled: struck };
    const standing = { ...told, version: this.version, now: this.now, today: "2026-11-25", closedUntil: 0 };
    const ticked = tick(this.budget, standing, this.limits);
    this.budget = ticked.budget;
    const { granted, limit } = ticked;
    Object.assign(one, { granted, limit, tokens: ticked.tokens, calls: ticked.calls, spent: 0, seen: nothingSeen });
    return ticked;
  }

  /** Makes a waiting request, if it may. */
  begin(one: Process): boolean {
    if (one.waiting === 0 || one.inFlight >= one.limit) return false;
    if (this.limits.rate !== undefined && one.tokens < 1) return false;
    if (this.limits.dailyLimit !== undefined && one.calls < 1) return false;
    one.waiting -= 1;
    one.inFlight += 1;
    one.tokens -= 1;
    one.calls -= 1;
    one.spent += 1;
    one.made += 1;
    return true;
  }

  get granted(): number {
    return this.budget.members.reduce((sum, member) => sum + member.granted, 0);
  }
}

const step = fc.record({
  what: fc.constantFrom("tick", "tick", "tick", "arrive", "begin", "begin", "end", "kill", "start", "leave", "strike"),
  who: fc.nat(50),
  many: fc.integer({ min: 1, max: 12 }),
});

function run(world: World, { what, who, many }: { what: string; who: number; many: number }): void {
  if (what === "start") {
    if (world.alive.length < 12) world.start();
    return;
  }
  const one = world.alive[who % Math.max(1, world.alive.length)];
  if (!one) return;
  if (what === "tick") world.tick(one);
  if (what === "strike") world.tick(one, world.dead);
  if (what === "arrive") one.waiting += many;
  if (what === "begin") while (world.begin(one));
  if (what === "end" && one.inFlight > 0) one.inFlight -= 1;
  if (what === "kill") world.kill(one);
  if (what === "leave" && one.inFlight === 0) {
    one.waiting = 0;
    world.tick(one, new Set(), true);
  }
}

describe("a budget that many processes move", () => {
  it("never grants more places than there are, and nobody has more under way than granted", () => {
    let busiest = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 8 }),
        fc.array(step, { maxLength: 120, size: "max" }),
        (concurrency, processes, steps) => {
          const world = new World(processes, { concurrency });
          for (const one of steps) {
            run(world, one);
            assert.ok(world.granted <= concurrency, `${world.granted} of ${concurrency} granted`);
            const underWay = world.alive.reduce((sum, process) => sum + process.inFlight, 0);
            assert.ok(underWay <= concurrency, `${underWay} of ${concurrency} under way`);
            for (const process of world.alive) assert.ok(process.inFlight <= process.granted);
            busiest = Math.max(busiest, underWay / concurrency);
          }
        },
      ),
      { numRuns: 500 },
    );
    assert.equal(busiest, 1, "no run used all places: the property says nothing");
  });

  it("lets every process come to its turn, however many there are", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(fc.nat(1_000)),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 12, maxLength: 12 }),
        (concurrency, processes, order, demands) => {
          const world = new World(processes, { concurrency });
          const rounds = 10 * (Math.ceil(processes / concurrency) + 1);
          for (let round = 0; round < rounds; round += 1) {
            const shuffled = world.alive
              .map((process) => ({ process, key: Number(order.next().value) }))
              .sort((a, b) => a.key - b.key);
            for (const { process } of shuffled) {
              process.inFlight = 0;
              process.waiting = demands[Number(process.id.slice(1)) - 1] ?? 1;
              world.tick(process);
              while (world.begin(process));
            }
          }
          for (const process of world.alive) assert.ok(process.made > 0, `${process.id} starved`);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("gives a process alone more places than it asks for, and shares them by demand between two", () => {
    const world = new World(2);
    const [first, second] = world.alive as [Process, Process];
    first.waiting = 1;
    assert.equal(world.tick(first).granted, 3);
    first.waiting = 10;
    assert.equal(world.tick(first).granted, 4);
    second.waiting = 1;
    assert.equal(world.tick(second).granted, 0);
    assert.equal(world.tick(first).granted, 3);
    assert.equal(world.tick(second).granted, 1);
    second.waiting = 10;
    world.tick(second);
    assert.equal(world.tick(first).granted, 2);
    assert.equal(world.tick(second).granted, 2);
  });

  it("gives a place back only when no request is under way on it", () => {
    const world = new World(2, { concurrency: 1 });
    const [first, second] = world.alive as [Process, Process];
    first.waiting = 5;
    second.waiting = 5;
    world.tick(first);
    assert.equal(world.begin(first), true);
    for (let n = 0; n < 6; n += 1) world.tick(second);
    assert.equal(world.tick(first).granted, 1);
    assert.equal(first.limit, 0, "it is asked to give way");
    assert.equal(world.tick(second).granted, 0);
    first.inFlight = 0;
    assert.equal(world.begin(first), false, "and begins nothing more");
    assert.equal(world.tick(first).granted, 0);
    assert.equal(world.tick(second).granted, 1);
  });

  it("keeps the places of a process that died until it is struck", () => {
    const world = new World(2, { concurrency: 2 });
    const [first, second] = world.alive as [Process, Process];
    first.waiting = 5;
    second.waiting = 5;
    world.tick(first);
    world.kill(first);
    assert.equal(world.tick(second).granted, 0);
    assert.equal(world.tick(second, new Set([first.id])).granted, 2);
  });

  it("makes no more requests in any time than the rate and one second's worth", () => {
    let most = 0;
    const wait = fc.record({ step, ms: fc.integer({ min: 0, max: 400 }) });
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 20, noNaN: true }),
        fc.array(wait, { maxLength: 120, size: "max" }),
        (rate, steps) => {
          const world = new World(4, { concurrency: 100, rate });
          const dead: number[] = [];
          for (const { step: one, ms } of steps) {
            if (one.what === "kill")
              dead.push(...world.alive.filter((_, n) => n === one.who % world.alive.length).map((p) => p.made));
            run(world, one);
            world.now += ms;
          }
          const made =
            world.alive.reduce((sum, process) => sum + process.made, 0) + dead.reduce((sum, n) => sum + n, 0);
          const allowed = Math.max(1, rate) + (rate * (world.now - noon)) / 1000;
          assert.ok(made <= allowed + 1e-6, `${made} made, ${allowed} allowed`);
          most = Math.max(most, made);
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(most > 20, "the rate was never used");
  });

  it("lets every process have its turn at a rate below one a second", () => {
    const world = new World(3, { rate: 0.5 });
    for (let round = 0; round < 40; round += 1) {
      world.now += 500;
      for (const process of world.alive) {
        process.inFlight = 0;
        process.waiting = 1;
        world.tick(process);
        world.begin(process);
      }
    }
    for (const process of world.alive) assert.ok(process.made >= 2, `${process.id} made ${process.made}`);
  });

  it("makes no more requests a day than the limit, whoever dies with what it had leased", () => {
    let fullest = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(step, { maxLength: 150, size: "max" }),
        (dailyLimit, steps) => {
          const world = new World(4, { concurrency: 100, dailyLimit });
          let made = 0;
          for (const one of steps) {
            const before = world.alive.map((process) => process.made);
            const then = [...world.alive];
            run(world, one);
            made += then.reduce((sum, process, n) => sum + process.made - (before[n] ?? 0), 0);
            assert.ok(made <= dailyLimit, `${made} of ${dailyLimit}`);
          }
          fullest = Math.max(fullest, made / dailyLimit);
        },
      ),
      { numRuns: 300 },
    );
    assert.equal(fullest, 1, "no run used the day up");
  });
});

describe("the probe of an open circuit", () => {
  const failed: Seen = { answered: false, failures: 3 };
  const event = fc.record({
    what: fc.constantFrom("tick", "tick", "tick", "strike", "kill", "start", "answer", "fail", "unused"),
    who: fc.nat(50),
    ms: fc.integer({ min: 0, max: 1_500 }),
  });

  it("is one process's at a time, whatever the order of moves, and nothing else is let through", () => {
    let claimed = 0;
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120, size: "max" }), (events) => {
        const world = new World(4);
        const first = world.alive[0] as Process;
        first.seen = failed;
        world.tick(first);
        assert.equal(world.budget.breaker.opened, 1);
        const holders = new Set<string>();
        for (const { what, who, ms } of events) {
          world.now += ms;
          const one = world.alive[who % Math.max(1, world.alive.length)];
          if (what === "start" && world.alive.length < 8) world.start();
          if (!one || what === "start") continue;
          one.waiting = 1;
          if (what === "kill") {
            world.kill(one);
            holders.delete(one.id);
            continue;
          }
          const mine = holders.has(one.id);
          if (mine && what === "answer") one.seen = { answered: true, failures: 0, probe: "answered" };
          if (mine && what === "fail") one.seen = { answered: false, failures: 1, probe: "failed" };
          if (mine && what === "unused") one.seen = { answered: false, failures: 0, probe: "unused" };
          if (mine && what !== "tick" && what !== "strike") holders.delete(one.id);
          const before = world.budget.breaker;
          world.tick(one, what === "strike" ? world.dead : new Set());
          const { breaker } = world.budget;
          if (breaker.opened === 0) return;
          if (breaker.probe === one.id) holders.add(one.id);
          if (breaker.probe !== before.probe && breaker.probe !== undefined) {
            claimed += 1;
            assert.ok(breaker.openUntil <= world.now, "claimed while the circuit was open");
          }
          assert.ok(holders.size <= 1, `${[...holders].join(", ")} all have it`);
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(claimed > 100, "the probe was hardly ever claimed");
  });

  it("closes the circuit with its answer, and opens it for twice as long with its failure", () => {
    const world = new World(2);
    const [first, second] = world.alive as [Process, Process];
    first.seen = failed;
    assert.equal(world.tick(first).announce, true);
    assert.equal(world.budget.breaker.openUntil, noon + 1_000);
    world.now += 1_000;
    first.waiting = second.waiting = 1;
    world.tick(second);
    world.tick(first);
    assert.equal(world.budget.breaker.probe, second.id);
    second.seen = { answered: false, failures: 1, probe: "failed" };
    world.tick(second);
    assert.equal(world.budget.breaker.openUntil, world.now + 2_000);
    world.now += 2_000;
    world.tick(first);
    assert.equal(world.budget.breaker.probe, first.id);
    first.seen = { answered: true, failures: 0, probe: "answered" };
    world.tick(first);
    assert.deepEqual(world.budget.breaker, { failures: 0, opened: 0, openUntil: 0 });
  });

  it("counts failures of all processes together, and begins anew with an answer to any", () => {
    const one: Seen = { answered: false, failures: 1 };
    const world = new World(3);
    const [first, second, third] = world.alive as [Process, Process, Process];
    for (const process of [first, second]) {
      process.seen = one;
      world.tick(process);
    }
    third.seen = { answered: true, failures: 0 };
    world.tick(third);
    for (const process of [first, second]) {
      process.seen = one;
      world.tick(process);
    }
    assert.equal(world.budget.breaker.opened, 0);
    third.seen = one;
    world.tick(third);
    assert.equal(world.budget.breaker.opened, 1);
  });
});
