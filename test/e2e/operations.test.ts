// What operations do to a gateway: a credential withdrawn in the middle of a backfill, a refreshed sandbox, a store that
// answers slowly or not at all.
import assert from "node:assert/strict";
import { SluiceError } from "../../src/core/errors.ts";
import { ownLane } from "../../src/exchange/lanes.ts";
import { noticeId } from "../../src/exchange/notice.ts";
import type { NewRow } from "../../src/exchange/ports.ts";
import { ConfigurationError } from "../../src/settings/problems.ts";
import { contactOf, patientOf } from "./persons.ts";
import { PracticeRun, textOf, until } from "./practice-run.ts";
import { signedHeaders } from "./signed-notice.ts";

const long = process.env["SLUICE_LONG"] === "1";

describe("the EHR disables Sluice's client in the middle of a backfill", function () {
  this.timeout(long ? 1_800_000 : 180_000);
  const total = long ? 50_000 : 5_000;
  /** Records; each has `total / records` notices, as a backfill beside live work makes them. */
  const records = long ? 10_000 : 250;
  let run: PracticeRun;
  afterEach(() => run.close());

  it("it pauses once, nothing fails, and after the client is enabled again everything arrives once", async () => {
    run = await PracticeRun.start();
    const { gateway, store } = run.running;
    const contacts = Array.from({ length: records }, (_, n) =>
      run.sandboxes.crm.put("Contact", contactOf(n), 3_600_000),
    );
    const rows: NewRow[] = Array.from({ length: total }, (_, n) => {
      const source = { system: "crm", type: "Contact", id: contacts[n % records] ?? "" };
      const mark = `backfill ${Math.floor(n / records)}`;
      return {
        id: noticeId(gateway.keys, { channel: "crm-to-ehr", source, kind: "again", mark }),
        lane: ownLane(gateway, source),
        channel: "crm-to-ehr",
        source,
        kind: "again",
        mark,
        priority: "backfill",
        acceptedAt: run.clock.now(),
        configuration: gateway.active.configuration.hash,
      };
    });
    for (let n = 0; n < total; n += 1_000) await store.ledger.accept(rows.slice(n, n + 1_000));
    await until("a quarter of them", () => run.sandboxes.ehr.all("Patient").length >= records / 4);
    run.sandboxes.ehr.disableClient("sluice-sandbox");
    await until("the pause", () => gateway.pauses.has("ehr"));
    await until("what was under way", async () => {
      const sending = await run.rows({ states: ["sending"] });
      return sending.every((row) => row.next > run.clock.now());
    });
    const reached = run.sandboxes.ehr.all("Patient").length;
    const { tokens } = run.sandboxes.ehr.counts;
    await until("some tries to sign in again", () => run.sandboxes.ehr.counts.tokens >= tokens + 3);
    const writes = run.sandboxes.ehr.counts.writes;
    assert.ok(reached < records, "the pause came in the middle");
    assert.equal(run.sandboxes.ehr.all("Patient").length, reached);
    assert.equal((await store.systems.get("ehr")).paused !== undefined, true);
    assert.deepEqual(await run.rows({ states: ["quarantined"] }), []);
    const pauses = run.logged.filter((line) => line["msg"] === "system paused");
    assert.equal(pauses.length, 1);
    assert.match(textOf(pauses[0]?.["cause"]), /credential/);
    assert.equal(run.sandboxes.ehr.counts.writes, writes);

    run.sandboxes.ehr.enableClient("sluice-sandbox");
    await until("everybody", () => run.sandboxes.ehr.all("Patient").length >= records, 250);
    await run.drained();
    assert.equal(run.sandboxes.ehr.all("Patient").length, records);
    for (const patient of run.sandboxes.ehr.all("Patient")) {
      assert.equal(run.sandboxes.ehr.history("Patient", patient["id"]).length, 1);
    }
    assert.deepEqual(await run.rows({ states: ["quarantined"] }), []);
    const counts = await store.ledger.counts();
    assert.deepEqual(
      counts.filter((one) => ["cancelled", "denied"].includes(one.state)),
      [],
    );
    let failures = 0;
    for (const contact of contacts) {
      for (const row of await run.rows({ source: { id: contact } })) failures += row.failures;
    }
    assert.equal(failures, 0);
  });
});

describe("invariant 14: a system that is not who it should be is refused", function () {
  this.timeout(120_000);
  const other = "00D000000000009EAA";
  let run: PracticeRun;
  afterEach(() => run.close());

  it("a CRM sandbox that was refreshed: the start is refused, naming both organizations, and nothing is written", async () => {
    run = await PracticeRun.prepare();
    run.sandboxes.crm.put("Contact", contactOf(1));
    run.sandboxes.crm.setOrganization(other);
    await assert.rejects(run.up(), (error: unknown) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, "identity-mismatch");
      assert.match(error.message, /00D000000000001EAA/);
      assert.match(error.message, new RegExp(other));
      return true;
    });
    assert.equal(run.writes, 0);
  });

  it("one that was refreshed after it was bound is refused at the next start too; as itself it starts", async () => {
    run = await PracticeRun.start();
    await run.down();
    run.sandboxes.crm.setOrganization(other);
    await assert.rejects(run.up(), { code: "identity-mismatch" });
    run.sandboxes.crm.setOrganization("00D000000000001EAA");
    run.sandboxes.crm.put("Contact", contactOf(1));
    await run.up();
    await until("the patient", () => run.sandboxes.ehr.all("Patient").length === 1);
  });

  it("one that is refreshed while Sluice runs is paused before anything more is sent to it", async () => {
    run = await PracticeRun.start();
    run.sandboxes.ehr.put(patientOf(1));
    await until("the contact", () => run.sandboxes.crm.records("Contact").size === 1);
    await run.quiet();
    const before = run.writes;
    run.sandboxes.crm.setOrganization(other);
    run.sandboxes.crm.revokeTokens();
    await until("the pause", () => run.running.gateway.pauses.has("crm"));
    run.sandboxes.ehr.put(patientOf(2));
    await run.poll("ehr", "Patient");
    assert.equal(run.writes, before);
    run.sandboxes.crm.setOrganization("00D000000000001EAA");
    await until("the second contact", () => run.sandboxes.crm.records("Contact").size === 2);
  });

  it("a sandbox CRM beside a production EHR: the configuration is refused, naming both", async () => {
    run = await PracticeRun.prepare({
      overrides: { systems: { ehr: { environment: "production" }, marketing: { environment: "production" } } },
    });
    await assert.rejects(run.up(), (error: unknown) => {
      assert.ok(error instanceof ConfigurationError);
      const text = error.problems.map((one) => one.message).join("\n");
      assert.match(text, /"crm" is sandbox/);
      assert.match(text, /"ehr" is production/);
      return true;
    });
  });
});

/** Replaces one verb of a live store; answers how to put it back. */
function replaceVerb<Port extends object, Verb extends keyof Port>(port: Port, verb: Verb, by: Port[Verb]): () => void {
  const before = port[verb];
  port[verb] = by;
  return () => {
    port[verb] = before;
  };
}

describe("invariant 2: nothing leaves before its audit record is durable", function () {
  this.timeout(120_000);
  let run: PracticeRun;

  before(async () => {
    run = await PracticeRun.start();
  });
  after(() => run.close());

  function post(body: string, id: string): Promise<Response> {
    return fetch(`${run.running.address}/webhooks/crm`, {
      method: "POST",
      body,
      headers: signedHeaders(run.noticeSecret, id, body, run.clock.now()),
    });
  }
  const noticeOf = (contact: string): string => JSON.stringify({ type: "Contact", id: contact, event: "change" });

  it("a store that answers slowly: the webhook is acknowledged after its row is durable, not before", async () => {
    const { ledger } = run.running.store;
    const gate = Promise.withResolvers<undefined>();
    const asked = Promise.withResolvers<undefined>();
    const accept = ledger.accept.bind(ledger);
    const restore = replaceVerb(ledger, "accept", async (rows) => {
      asked.resolve(undefined);
      await gate.promise;
      return accept(rows);
    });
    try {
      const contact = "003000000000001AAA";
      let answered = false;
      const response = post(noticeOf(contact), "slow-1").then((answer) => {
        answered = true;
        return answer;
      });
      await asked.promise;
      // Another request goes all the way through meanwhile: the first one would have been answered by now.
      assert.equal((await fetch(`${run.running.address}/healthz`)).status, 200);
      assert.equal(answered, false);
      assert.equal(await run.newest("crm-to-ehr", contact), undefined);
      gate.resolve(undefined);
      assert.equal((await response).status, 202);
      assert.ok(await run.newest("crm-to-ehr", contact));
    } finally {
      restore();
    }
  });

  it("a store that fails: 503 and no row; the same notice again: 202", async () => {
    const { ledger } = run.running.store;
    const contact = "003000000000002AAA";
    const restore = replaceVerb(ledger, "accept", () =>
      Promise.reject(new SluiceError("store-unavailable", "the store gives no answer")),
    );
    const refused = await post(noticeOf(contact), "fails-1");
    restore();
    assert.equal(refused.status, 503);
    assert.ok(refused.headers.get("retry-after"));
    assert.equal(await run.newest("crm-to-ehr", contact), undefined);
    assert.equal((await post(noticeOf(contact), "fails-1")).status, 202);
    assert.ok(await run.newest("crm-to-ehr", contact));
  });

  it("many notices while the store stands still: all wait, memory stays in bounds, all are taken in the end", async () => {
    const { ledger } = run.running.store;
    const gate = Promise.withResolvers<undefined>();
    let waiting = 0;
    const accept = ledger.accept.bind(ledger);
    const restore = replaceVerb(ledger, "accept", async (rows) => {
      waiting += 1;
      await gate.promise;
      return accept(rows);
    });
    const before = process.memoryUsage().heapUsed;
    try {
      const responses = Array.from({ length: 400 }, (_, n) => post(noticeOf("003000000000003AAA"), `many-${n}`));
      await until("all to wait", () => waiting >= 400);
      assert.ok(process.memoryUsage().heapUsed - before < 200 * 1024 * 1024);
      gate.resolve(undefined);
      const statuses = new Set((await Promise.all(responses)).map((response) => response.status));
      assert.deepEqual([...statuses], [202]);
    } finally {
      restore();
    }
  });

  it("an audit record that is not durable yet, then fails: nothing leaves; once it is durable the change does", async () => {
    const { ledger } = run.running.store;
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<boolean>();
    const restore = replaceVerb(ledger, "begin", () => {
      asked.resolve(undefined);
      return answer.promise;
    });
    const before = run.writes;
    const contact = run.sandboxes.crm.put("Contact", contactOf(1));
    await asked.promise;
    await run.pollAll();
    assert.equal(run.writes, before);
    answer.reject(new SluiceError("store-unavailable", "the store gives no answer"));
    await until("the exchange to wait", async () => {
      const rows = await run.rows({ channel: "crm-to-ehr", source: { id: contact } });
      return rows.some((row) => row.cause === "store-unavailable");
    });
    assert.equal(run.writes, before);
    assert.equal(run.sandboxes.ehr.all("Patient").length, 0);
    restore();
    await until("the patient", () => run.sandboxes.ehr.all("Patient").length === 1);
    const row = await until("its end", async () => {
      const [done] = await run.rows({ channel: "crm-to-ehr", source: { id: contact }, states: ["done"] });
      return done;
    });
    assert.equal(row.failures, 0);
    const disclosures = (await run.auditOf(row.id)).filter((entry) => entry["kind"] === "disclosure");
    assert.equal(disclosures.length, 1);
  });
});
