// `/metrics`: who may read it, what the store's verbs are counted as, and that no answer of the store changes by it.
import assert from "node:assert/strict";
import { makeEntry } from "../../../src/audit/write.ts";
import type { AuditHeader } from "../../../src/audit/event.ts";
import { systemClock, type Clock } from "../../../src/core/clock.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import { newId, systemRandom } from "../../../src/core/ids.ts";
import type { Gateway } from "../../../src/exchange/gateway.ts";
import { emptyBudget } from "../../../src/exchange/governor/budget.ts";
import type { Hold, Store } from "../../../src/exchange/ports.ts";
import { measured } from "../../../src/http/metrics/measured.ts";
import { createMeters, type Meters } from "../../../src/http/metrics/meters.ts";
import { measure } from "../../../src/http/metrics/metrics.ts";
import { metricsRoute } from "../../../src/http/metrics/route.ts";
import { StoreFigures } from "../../../src/http/metrics/store-figures.ts";
import { intent, newRow, problem, take } from "../../contract/store/samples.ts";
import { closeAll, openStore } from "../store/opened.ts";
import { LightGateway } from "./light-gateway.ts";

const token = "0123456789abcdef0123456789abcdef";

describe("who may read /metrics", function () {
  this.timeout(60_000);
  const running: LightGateway[] = [];
  const start = async (readers?: object): Promise<LightGateway> => {
    const light = await LightGateway.start(readers ? { readers } : {});
    running.push(light);
    return light;
  };
  after(async () => {
    for (const light of running) await light.close();
  });
  const status = async (light: LightGateway, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(`${light.address}/metrics`, { headers })).status;

  it("without a token: a reader on this machine, and nobody for whom a proxy asks", async () => {
    const light = await start();
    const response = await fetch(`${light.address}/metrics`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(await response.text(), /^sluice_takes_new_work 1$/m);
    for (const name of ["x-forwarded-for", "forwarded", "via", "x-real-ip"]) {
      assert.equal(await status(light, { [name]: "198.51.100.7" }), 404, name);
    }
  });

  it("with a token: whoever shows it; to others the path is not there", async () => {
    const light = await start({ metricsToken: token });
    assert.equal(await status(light, { authorization: `Bearer ${token}` }), 200);
    assert.equal(await status(light, { authorization: `Bearer ${token}`, "x-forwarded-for": "198.51.100.7" }), 200);
    for (const wrong of [{}, { authorization: `Bearer ${token}0` }, { authorization: `Basic ${token}` }]) {
      const refused = await fetch(`${light.address}/metrics`, { headers: wrong as Record<string, string> });
      assert.equal(refused.status, 404);
      assert.deepEqual(await refused.json(), { error: "not-found" });
    }
  });

  it("behind a trusted proxy only the token counts", async () => {
    assert.equal(await status(await start({ trustProxy: true })), 404);
    const light = await start({ trustProxy: true, metricsToken: token });
    assert.equal(await status(light, { authorization: `Bearer ${token}` }), 200);
  });

  it("a token that could be guessed refuses the start", () => {
    const metrics = { contentType: "text/plain", text: () => Promise.resolve("") };
    assert.throws(() => metricsRoute(metrics, { metricsToken: "short" }), { code: "config-invalid" });
    metricsRoute(metrics, { metricsToken: token });
  });
});

describe("what is counted", () => {
  let meters: Meters;
  let raw: Store;
  let store: Store;
  beforeEach(async () => {
    meters = createMeters();
    raw = await openStore();
    store = measured(raw, meters, systemClock);
  });
  afterEach(closeAll);

  const header = (over: Partial<AuditHeader>) =>
    makeEntry(
      newId(systemRandom),
      { v: 1, kind: "disclosure", at: "2026-01-01T00:00:00.000Z", actor: "sluice", ...over },
      undefined,
      undefined,
      systemRandom,
    );

  /** Lines of the metric that are not 0: `labels value`. */
  async function lines(name: string): Promise<string[]> {
    const text = await meters.registry.getSingleMetricAsString(name);
    return text
      .split("\n")
      .filter((line) => line.startsWith(name) && !line.endsWith(" 0"))
      .map((line) => line.slice(name.length));
  }

  async function begun(): Promise<{ row: string; hold: Hold }> {
    const row = newRow();
    await store.ledger.accept([row]);
    const hold = await take(store.ledger, row.lane);
    assert.equal((await store.ledger.head(hold))?.id, row.id);
    return { row: row.id, hold };
  }

  it("an exchange that goes well: notice, decision, delivery, end, the wait for its entries, the lane", async () => {
    const { row, hold } = await begun();
    assert.deepEqual(await lines("sluice_lanes_running"), ['{kind="person"} 1']);
    await store.ledger.begin(row, intent(), [header({ channel: "crm-to-ehr", decision: "permit" })], hold);
    await store.ledger.settle(row, { n: 1, id: "p1", version: "1" }, hold);
    const outcome = header({ kind: "outcome", channel: "crm-to-ehr", outcome: "applied" });
    await store.ledger.finish(row, { state: "done", cause: undefined, at: 1 }, [outcome], hold);
    assert.deepEqual(await lines("sluice_lanes_running"), ['{kind="person"} 1']);
    await store.ledger.release(hold);
    assert.deepEqual(await lines("sluice_lanes_running"), []);
    assert.deepEqual(await lines("sluice_notices_total"), ['{channel="crm-to-ehr",result="accepted"} 1']);
    assert.deepEqual(await lines("sluice_decisions_total"), ['{channel="crm-to-ehr",decision="permit"} 1']);
    assert.deepEqual(await lines("sluice_deliveries_total"), ['{channel="crm-to-ehr",outcome="applied"} 1']);
    assert.deepEqual(await lines("sluice_exchanges_ended_total"), ['{channel="crm-to-ehr",state="done"} 1']);
    const waits = await lines("sluice_audit_wait_seconds");
    assert.ok(waits.includes('_count{step="begin"} 1') && waits.includes('_count{step="finish"} 1'), waits.join("\n"));
  });

  it("failures, waits, denials, quarantine", async () => {
    const { row, hold } = await begun();
    const wait = { next: 0, cause: "system-conflict", failed: true, waiting: false };
    await store.ledger.defer(row, wait, [], hold);
    await store.ledger.defer(row, { ...wait, cause: "system-throttled", failed: false, waiting: true }, [], hold);
    const failure = header({ kind: "failure", channel: "crm-to-ehr", outcome: "failed" });
    await store.ledger.quarantine(row, "weak-match", problem, [failure], hold);
    const denied = await begun();
    const denial = header({ kind: "denial", channel: "crm-to-ehr", decision: "deny" });
    await store.ledger.finish(denied.row, { state: "denied", cause: "rule", at: 1 }, [denial], denied.hold);
    await store.audit.append([header({ kind: "administration" })]);
    assert.deepEqual(await lines("sluice_retries_total"), ['{channel="crm-to-ehr",cause="system-conflict"} 1']);
    assert.deepEqual(await lines("sluice_waits_total"), ['{channel="crm-to-ehr",cause="system-throttled"} 1']);
    assert.deepEqual(await lines("sluice_quarantines_total"), ['{channel="crm-to-ehr",cause="weak-match"} 1']);
    assert.deepEqual(await lines("sluice_deliveries_total"), ['{channel="crm-to-ehr",outcome="failed"} 1']);
    assert.deepEqual(await lines("sluice_decisions_total"), ['{channel="crm-to-ehr",decision="deny"} 1']);
    assert.deepEqual(await lines("sluice_audit_entries_total"), [
      '{kind="failure"} 1',
      '{kind="denial"} 1',
      '{kind="administration"} 1',
    ]);
  });

  it("nothing of what was not written; a lane that was lost is no longer held", async () => {
    const { row, hold } = await begun();
    const state = await raw.ledger.peek(hold.lane);
    assert.ok(state && (await raw.ledger.claim(hold.lane, state)));
    const entries = [header({ channel: "crm-to-ehr" })];
    assert.equal(await store.ledger.begin(row, intent(), entries, hold), false);
    assert.deepEqual(await lines("sluice_decisions_total"), []);
    assert.deepEqual(await lines("sluice_audit_wait_seconds"), []);
    assert.deepEqual(await lines("sluice_lanes_running"), []);
  });

  it("a store that refuses is counted by its code, and the error is the store's own", async () => {
    await raw.close();
    const failed = await store.audit.append([header({})]).catch((error: unknown) => error);
    assert.ok(failed instanceof SluiceError && failed.code === "store-unavailable");
    assert.deepEqual(await lines("sluice_store_failures_total"), ['{step="append",code="store-unavailable"} 1']);
  });

  it("labels are words of closed lists: what looks like anything else is `other`", async () => {
    const row = newRow({ channel: "Xovaketiru Tamsin" });
    await store.ledger.accept([row]);
    await store.audit.append([header({ kind: "outcome", channel: "a b", outcome: "applied" })]);
    await store.audit.append([{ key: "k", header: "no JSON", sealed: "", commitment: "" }]);
    assert.deepEqual(await lines("sluice_notices_total"), ['{channel="other",result="accepted"} 1']);
    assert.deepEqual(await lines("sluice_deliveries_total"), ['{channel="other",outcome="applied"} 1']);
    assert.ok((await lines("sluice_audit_entries_total")).includes('{kind="other"} 1'));
  });
});

describe("figures that are read from the store", function () {
  this.timeout(60_000);
  let light: LightGateway;
  before(async () => {
    light = await LightGateway.start();
  });
  after(() => light.close());

  /** A gateway of the same parts whose clock is moved by hand. */
  function moved(over: Partial<Gateway> = {}): { gateway: Gateway; pass(ms: number): void } {
    let offset = 0;
    const clock: Clock = {
      now: () => systemClock.now() + offset,
      monotonic: () => offset,
      sleep: (ms, signal) => systemClock.sleep(ms, signal),
    };
    return { gateway: { ...light.gateway, store: light.store, clock, ...over }, pass: (ms) => (offset += ms) };
  }

  const textOf = (gateway: Gateway): Promise<string> =>
    measure(light.store)
      .of(gateway, () => true)
      .text();

  it("open exchanges, what they wait for, quarantine by cause code, the oldest, the audit head", async () => {
    const { gateway } = moved();
    const { ledger } = light.store;
    const waiting = newRow({ acceptedAt: systemClock.now() - 90_000 });
    const stuck = newRow({ acceptedAt: systemClock.now() - 200_000 });
    await ledger.accept([waiting, stuck]);
    const first = await take(ledger, waiting.lane);
    const wait = { next: 0, cause: "system-unreachable", failed: false, waiting: true };
    await ledger.defer(waiting.id, wait, [], first);
    const group = "both-changed:crm-to-ehr:name.family";
    const second = await take(ledger, stuck.lane);
    await ledger.quarantine(stuck.id, "both-changed", { ...problem, group }, [], second);
    const text = await textOf(gateway);
    assert.match(text, /^sluice_exchanges\{channel="crm-to-ehr",state="queued"\} 1$/m);
    assert.match(text, /^sluice_exchanges\{channel="ehr-to-crm",state="queued"\} 0$/m);
    assert.match(text, /^sluice_exchanges_waiting\{channel="crm-to-ehr",cause="system-unreachable"\} 1$/m);
    assert.match(text, /^sluice_exchanges_quarantined\{channel="crm-to-ehr",cause="both-changed"\} 1$/m);
    const oldest = /^sluice_oldest_queued_seconds\{channel="crm-to-ehr"\} ([\d.]+)$/m.exec(text)?.[1];
    assert.ok(Number(oldest) >= 90 && Number(oldest) < 150, `${oldest} s`);
    assert.match(text, /^sluice_oldest_queued_seconds\{channel="ehr-to-crm"\} 0$/m);
    assert.match(text, /^sluice_audit_head \d+$/m);
    assert.match(text, /^sluice_queue_jobs\{state="waiting"\} 0$/m);
    assert.match(text, /^sluice_system_paused\{system="crm"\} 0$/m);
    assert.ok(!text.includes("family"));
  });

  it("the store is asked again after 5 seconds, or 20 times what the last answer cost", async () => {
    let asked = 0;
    let costs = 0;
    const counting = moved();
    const ledger: Store["ledger"] = {
      ...light.store.ledger,
      counts: async () => {
        asked += 1;
        counting.pass(costs);
        return [];
      },
    };
    const gateway = { ...counting.gateway, store: { ...light.store, ledger } };
    const figures = new StoreFigures(gateway, createMeters());
    await Promise.all([figures.refresh(), figures.refresh()]);
    counting.pass(4_999);
    await figures.refresh();
    assert.equal(asked, 1);
    counting.pass(1);
    costs = 1_000;
    await figures.refresh();
    assert.equal(asked, 2);
    counting.pass(18_000);
    await figures.refresh();
    assert.equal(asked, 2);
    counting.pass(1_000);
    await figures.refresh();
    assert.equal(asked, 3);
  });

  it("a store and a queue that give no answer say so, and nothing old is shown as if it were new", async () => {
    let answers = true;
    const { gateway, pass } = moved();
    const ledger: Store["ledger"] = {
      ...light.store.ledger,
      counts: () =>
        answers ? light.store.ledger.counts() : Promise.reject(new SluiceError("store-unavailable", "down")),
    };
    const metrics = measure(light.store).of({ ...gateway, store: { ...light.store, ledger } }, () => true);
    assert.match(await metrics.text(), /^sluice_store_up 1$/m);
    answers = false;
    light.queueAnswers = false;
    pass(60_000);
    const down = await metrics.text();
    assert.match(down, /^sluice_store_up 0$/m);
    assert.match(down, /^sluice_queue_up 0$/m);
    assert.doesNotMatch(
      down,
      /^sluice_(exchanges|oldest_queued_seconds|audit_head|queue_jobs|store_read_age_seconds)[{ ]/m,
    );
    answers = true;
    light.queueAnswers = true;
    const up = await metrics.text();
    assert.match(up, /^sluice_store_up 1$/m);
    assert.match(up, /^sluice_exchanges\{channel="ehr-to-crm",state="queued"\} 0$/m);
  });

  it("a paused system and a configuration that is not current are shown", async () => {
    const { gateway } = moved();
    await light.gateway.pauses.pause("crm", "system-refused-credential", "mend it");
    const stale = await measure(light.store)
      .of(gateway, () => false)
      .text();
    assert.match(stale, /^sluice_system_paused\{system="crm"\} 1$/m);
    assert.match(stale, /^sluice_takes_new_work 0$/m);
    assert.match(stale, new RegExp(`^sluice_info\\{configuration="${gateway.active.configuration.hash}"\\} 1$`, "m"));
    await light.gateway.pauses.resume("crm");
    assert.match(await textOf(gateway), /^sluice_system_paused\{system="crm"\} 0$/m);
  });

  it("a throttled system, an open circuit, a channel that the brake stopped, and a budget that cannot be read", async () => {
    const { gateway } = moved();
    const { registers } = light.store;
    const quiet = await textOf(gateway);
    for (const name of ["system_throttled_seconds", "system_circuit_open", "system_calls_today"]) {
      assert.match(quiet, new RegExp(`^sluice_${name}\\{system="crm"\\} 0$`, "m"));
    }
    assert.match(quiet, /^sluice_channel_stopped\{channel="crm-to-ehr"\} 0$/m);
    const budget = {
      ...emptyBudget(),
      closedUntil: systemClock.now() + 60_000,
      breaker: { failures: 5, opened: 1, openUntil: 0 },
      quota: { day: "2026-01-01", used: 42 },
    };
    await registers.move("budget/crm", 0, JSON.stringify(budget));
    await registers.move("budget/ehr", 0, "{}");
    const stopped = { since: 1, kind: "deletes", count: 9, limit: 8 };
    await registers.move("brake/crm-to-ehr", 0, JSON.stringify({ kinds: {}, decisions: [], stopped }));
    await light.gateway.brakes.reload("crm-to-ehr");
    const text = await textOf(gateway);
    const left = Number(/^sluice_system_throttled_seconds\{system="crm"\} ([\d.]+)$/m.exec(text)?.[1]);
    assert.ok(left > 30 && left <= 60, `${left} s`);
    assert.match(text, /^sluice_system_circuit_open\{system="crm"\} 1$/m);
    assert.match(text, /^sluice_system_calls_today\{system="crm"\} 42$/m);
    assert.match(text, /^sluice_channel_stopped\{channel="crm-to-ehr"\} 1$/m);
    assert.match(text, /^sluice_store_up 1$/m);
    assert.doesNotMatch(text, /^sluice_system_calls_today\{system="ehr"\}/m);
  });

  it("two gateways in one process do not count into each other", async () => {
    const one = createMeters();
    const two = createMeters();
    one.decisions.inc({ channel: "crm-to-ehr", decision: "permit" });
    assert.match(await one.registry.metrics(), /sluice_decisions_total\{/);
    assert.doesNotMatch(await two.registry.metrics(), /sluice_decisions_total\{/);
  });
});
