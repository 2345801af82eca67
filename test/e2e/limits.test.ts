// A system's limits in the running product: what it asks for is kept to, one that fails is left alone but for one probe at a
// time, and no exchange counts a failure for that.
import assert from "node:assert/strict";
import type { Fault } from "../../src/connector/sandbox.ts";
import { reportOn, resume } from "../../src/exchange/governor/report.ts";
import type { SystemReport } from "../../src/exchange/governor/report.ts";
import { contactOf } from "./persons.ts";
import { PracticeRun, until } from "./practice-run.ts";

describe("the limits of a system", function () {
  this.timeout(120_000);
  const persons = 12;
  let run: PracticeRun;
  afterEach(() => run.close());

  /** Wall times at which requests to records arrived at the EHR, while `fault` says what becomes of them. */
  const watchEhr = (fault: (n: number) => Fault | undefined): readonly number[] => {
    const arrivals: number[] = [];
    run.sandboxes.ehr.setFault(() => {
      arrivals.push(run.clock.now());
      return fault(arrivals.length);
    });
    return arrivals;
  };
  const enter = (): void => {
    for (let n = 1; n <= persons; n += 1) run.sandboxes.crm.put("Contact", contactOf(n));
  };
  const allArrived = async (): Promise<void> => {
    await until("everybody", () => run.sandboxes.ehr.all("Patient").length === persons);
    await run.drained();
    const rows = await run.rows({ channel: "crm-to-ehr" });
    assert.equal(rows.length >= persons, true);
    assert.deepEqual(
      rows.filter((row) => row.failures > 0 || row.state === "quarantined"),
      [],
    );
  };
  const report = async (system: string): Promise<SystemReport> => {
    const { gateway, store } = run.running;
    const all = await reportOn(store, gateway.active.configuration, run.clock.now());
    return all.find((one) => one.system === system) ?? assert.fail(`nothing is told of ${system}`);
  };

  it("429 with Retry-After: no further request before its time; then everything arrives, without a failure", async () => {
    run = await PracticeRun.start({ overrides: { systems: { ehr: { concurrency: 1 } } } });
    const throttledAt = [5, 9];
    const arrivals = watchEhr((n) => (throttledAt.includes(n) ? "throttled" : undefined));
    enter();
    await until("the first 429", () => run.running.gateway.governors.isShut("ehr"));
    // Known in this process at once, in the store with the budget's next move.
    await until("the report of it", async () => (await report("ehr")).state === "asked to wait", 10);
    await allArrived();
    for (const n of throttledAt) {
      const gap = (arrivals[n] ?? 0) - (arrivals[n - 1] ?? 0);
      assert.ok(gap >= 1_000, `request ${n + 1} came ${gap} ms after the 429`);
    }
    assert.equal((await report("ehr")).todo, undefined);
  });

  it("503s: the circuit opens; one probe at a time, and the first that is answered lets all through", async () => {
    const breaker = { failures: 3, base: "400ms", cap: "400ms" };
    run = await PracticeRun.start({ overrides: { systems: { ehr: { breaker } } } });
    const { governors } = run.running.gateway;
    await run.quiet();
    let isWell = false;
    const arrivals = watchEhr(() => (isWell ? undefined : "unavailable"));
    enter();
    await until("the open circuit", () => governors.isShut("ehr") && governors.of("ehr").state().inFlight === 0);
    assert.match((await report("ehr")).state, /circuit open|probing/);
    const before = arrivals.length;
    await until("some probes", () => arrivals.length >= before + 4);
    const probes = arrivals.slice(before - 1, before + 4);
    for (const [n, at] of probes.slice(1).entries()) {
      const gap = at - (probes[n] ?? 0);
      assert.ok(gap >= 380, `a request came ${gap} ms after the one before`);
    }
    isWell = true;
    await allArrived();
    assert.equal((await report("ehr")).state, "called");
    assert.deepEqual(governors.of("ehr").state().budget.breaker, { failures: 0, opened: 0, openUntil: 0 });
  });

  it("an open circuit is closed at once by a person's word", async () => {
    run = await PracticeRun.start({ overrides: { systems: { ehr: { breaker: { failures: 3, base: "5m" } } } } });
    const { gateway, store } = run.running;
    const arrivals = watchEhr(() => "unavailable");
    enter();
    await until("the open circuit", () => gateway.governors.isShut("ehr"));
    await until("what was under way", () => gateway.governors.of("ehr").state().inFlight === 0);
    const before = arrivals.length;
    await run.poll("ehr", "Patient");
    assert.equal(arrivals.length, before, "no poll goes out meanwhile");
    run.sandboxes.ehr.setFault(undefined);
    assert.equal(await resume(store, "ehr"), true);
    await until("that it is heard", () => !gateway.governors.isShut("ehr"));
    assert.equal(await resume(store, "ehr"), false);
    run.clock.jump(6 * 60_000);
    await allArrived();
  });

  it("a daily limit: no request above it, and the next day brings the rest", async () => {
    // A person takes three requests, and polls take some: not enough for everybody.
    const ehr = { dailyLimit: 24 };
    run = await PracticeRun.prepare({ overrides: { systems: { ehr } } });
    const { ehr: sandbox } = run.sandboxes;
    await run.up();
    enter();
    await until("the limit", () => run.running.gateway.governors.isShut("ehr"));
    await until("what was under way", () => run.running.gateway.governors.of("ehr").state().inFlight === 0);
    assert.equal((await report("ehr")).state, "used up");
    assert.ok(sandbox.counts.requests <= ehr.dailyLimit, `${sandbox.counts.requests} requests`);
    const reached = sandbox.all("Patient").length;
    assert.ok(reached < persons);
    // Polls come four times a second here, so a day's requests may be theirs alone.
    await until("more of them on one of the next days", () => {
      if (run.running.gateway.governors.isShut("ehr")) run.clock.jump(24 * 3_600_000);
      return sandbox.all("Patient").length > reached;
    });
  });
});
