// Several gateways and workers over one MongoDB and one Redis: what one of them learns counts in all, nothing runs twice,
// and one on another configuration takes no new work.
import assert from "node:assert/strict";
import type { ProductionPlaces } from "../../src/settings/deployment.ts";
import { openDatabase } from "../../src/store/mongo/database.ts";
import { verifyStore } from "../../src/cli/audit.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStates } from "../../src/core/records.ts";
import { decide } from "../../src/exchange/brake/decide.ts";
import { contactOf, optOut, patientOf } from "./persons.ts";
import { textOf, until } from "./practice-run.ts";
import { ProductionRun, productionServers, type StartedProcess } from "./production-run.ts";
import { signedHeaders } from "./signed-notice.ts";

describe("the production profile", function () {
  this.timeout(180_000);
  let servers: Pick<ProductionPlaces, "mongodb" | "redis">;
  let run: ProductionRun;

  before(async function () {
    servers = await productionServers(this);
  });
  afterEach(() => run.close());

  const notify = async (gateway: StartedProcess, contact: string, id: string): Promise<Response> => {
    const body = JSON.stringify({ type: "Contact", id: contact, event: "change" });
    const secret = run.sandboxes.env["CRM_WEBHOOK_SECRET"] ?? "";
    return fetch(`${gateway.address}/webhooks/crm`, {
      method: "POST",
      body,
      headers: signedHeaders(secret, id, body, systemClock.now()),
    });
  };

  it("two gateways and three workers, whose clocks differ by seconds: everybody arrives once, both ways", async () => {
    run = await ProductionRun.prepare(servers);
    const gateways = [await run.start("gateway"), await run.start("gateway", { ahead: 2_000 })];
    for (const ahead of [-2_000, 0, 2_000]) await run.start("worker", { ahead });
    const contacts = Array.from({ length: 12 }, (_, n) => run.sandboxes.crm.put("Contact", contactOf(n)));
    for (let n = 20; n < 32; n += 1) run.sandboxes.ehr.put(patientOf(n));
    for (const [n, contact] of contacts.entries()) {
      const answer = await notify(gateways[n % 2]!, contact, `first-${n}`);
      assert.equal(answer.status, 202);
    }
    await until("everybody on both sides", () => {
      const { crm, ehr } = run.sandboxes;
      return ehr.all("Patient").length >= 24 && crm.records("Contact").size >= 24;
    });
    await run.drained();
    assert.equal(run.sandboxes.ehr.all("Patient").length, 24);
    assert.equal(run.sandboxes.crm.records("Contact").size, 24);
    assert.deepEqual(await run.rows({ states: ["quarantined"] }), []);
    assert.equal((await verifyStore(run.store)).ok, true);
  });

  it("a worker takes no notices, a gateway runs nothing", async () => {
    run = await ProductionRun.prepare(servers);
    const gateway = await run.start("gateway");
    const contact = run.sandboxes.crm.put("Contact", contactOf(1));
    assert.equal((await notify(gateway, contact, "a")).status, 202);
    const worker = await run.start("worker");
    assert.equal((await notify(worker, contact, "b")).status, 404);
    await until("the patient", () => run.sandboxes.ehr.all("Patient").length === 1);
  });

  it("a newer program has changed the store: notices are taken before, and refused after, and no work is", async () => {
    run = await ProductionRun.prepare(servers);
    const [gateway, worker] = [await run.start("gateway"), await run.start("worker")];
    const contact = run.sandboxes.crm.put("Contact", contactOf(1));
    assert.equal((await notify(gateway, contact, "before")).status, 202);
    const outside = await openDatabase({ uri: run.places.mongodb, database: run.places.prefix });
    try {
      await outside.raw("schema").updateOne({ _id: "schema" }, { $set: { version: 1_000 } });
    } finally {
      await outside.close();
    }
    await until("the worker to stop", () => !worker.worker.takesNewWork);
    await until("the refusal", async () => (await fetch(`${gateway.address}/healthz`)).status === 503);
    assert.equal((await notify(gateway, contact, "after")).status, 503);
  });

  it("a consent that one worker reads stops what another would send", async () => {
    run = await ProductionRun.prepare(servers);
    const workers = [await run.start("worker"), await run.start("worker")];
    run.sandboxes.ehr.put(patientOf(1));
    await until("the contact", () => run.sandboxes.crm.records("Contact").size === 1);
    await run.drained();
    run.sandboxes.ehr.put(optOut("patient-1"));
    const subject = { system: "ehr", type: "Patient", id: "patient-1" };
    const known = (one: StartedProcess): boolean => one.gateway.consents.of([subject]).length === 1;
    await until("the consent in every worker", () => workers.every(known));
    const { writes } = run;
    const moved = [{ system: "phone", use: "mobile", value: "(555) 555-7777" }];
    run.sandboxes.ehr.put(patientOf(1, { telecom: moved }));
    await until("the denial", async () => (await run.rows({ states: ["denied"] })).length > 0);
    assert.equal(run.writes, writes);
    run.sandboxes.ehr.put({ ...optOut("patient-1"), status: "inactive" });
    await until("the change, once it is permitted again", () => run.writes > writes);
  });

  it("a refused credential pauses the system once, in all of them", async () => {
    run = await ProductionRun.prepare(servers);
    const workers = [await run.start("worker"), await run.start("worker")];
    run.sandboxes.ehr.put(patientOf(1));
    await until("the contact", () => run.sandboxes.crm.records("Contact").size === 1);
    run.sandboxes.ehr.disableClient("sluice-sandbox");
    await until("the pause everywhere", () => workers.every((one) => one.gateway.pauses.has("ehr")));
    const told = workers.flatMap((one) => one.logged.filter((line) => line["msg"] === "system paused"));
    assert.equal(told.length, 1);
    run.sandboxes.ehr.enableClient("sluice-sandbox");
    await until("the end of the pause", () => workers.every((one) => !one.gateway.pauses.has("ehr")));
    run.sandboxes.ehr.put(patientOf(2));
    await until("the second contact", () => run.sandboxes.crm.records("Contact").size === 2);
  });

  describe("another configuration is activated while exchanges wait (E5)", () => {
    const next = { sluice: { retry: { maxAttempts: 9 } } };

    it("the worker on the old one takes no new work; each record names the version it ran with", async () => {
      run = await ProductionRun.prepare(servers);
      const old = await run.start("worker");
      run.sandboxes.ehr.put(patientOf(0));
      await until("the first", () => run.sandboxes.crm.records("Contact").size === 1);
      await run.drained();
      const before = old.gateway.active.configuration.hash;
      const hash = await run.activate(next);
      await until("the old worker to stop", () => !old.worker.takesNewWork);
      for (let n = 1; n <= 30; n += 1) run.sandboxes.ehr.put(patientOf(n));
      const gateway = await run.start("gateway", { overrides: next });
      const contact = run.sandboxes.crm.put("Contact", contactOf(40));
      assert.equal((await notify(gateway, contact, "waits")).status, 202);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      // A poll that was under way may have accepted what it read; nobody has run anything.
      const waiting = await run.rows({ states: openStates });
      assert.ok(waiting.length >= 1);
      assert.ok(waiting.every((row) => row.state === "queued" && row.attempt === 0));
      assert.equal(run.sandboxes.crm.records("Contact").size, 2);
      assert.equal(run.sandboxes.ehr.all("Patient").length, 31);
      await run.start("worker", { overrides: next });
      await until("the rest", () => run.sandboxes.crm.records("Contact").size === 32);
      await run.drained();
      const ran = new Map<string, number>();
      for await (const batch of run.store.audit.read()) {
        for (const { header } of batch.entries) {
          const { kind, configuration } = JSON.parse(header) as { kind: string; configuration?: string };
          if (kind === "disclosure" && configuration) ran.set(configuration, (ran.get(configuration) ?? 0) + 1);
        }
      }
      assert.deepEqual([...ran.keys()].sort(), [before, hash].sort());
      assert.ok((ran.get(hash) ?? 0) >= 31);
    });

    it("activated back, the old worker goes on", async () => {
      run = await ProductionRun.prepare(servers);
      const old = await run.start("worker");
      await run.activate(next);
      await until("the old worker to stop", () => !old.worker.takesNewWork);
      await run.activate();
      run.sandboxes.ehr.put(patientOf(1));
      await until("the contact", () => run.sandboxes.crm.records("Contact").size === 1);
    });
  });

  describe("a data loader blanks a field of everybody (E4)", () => {
    const limit = 4;
    const persons = 16;
    const limits = { perHour: limit, factor: 1 };
    const overrides = { channels: { "crm-to-ehr": { brake: { clears: limits, identity: limits } } } };
    let workers: StartedProcess[];
    let contacts: string[];

    const mobiles = (): number =>
      run.sandboxes.ehr.all("Patient").filter((one) => textOf(one["telecom"]).includes('"mobile"')).length;
    const edits = (n: number, fields: Readonly<Record<string, unknown>>): void => {
      run.sandboxes.crm.edit("Contact", contacts[n] ?? "", fields);
    };

    beforeEach(async () => {
      run = await ProductionRun.prepare(servers, overrides);
      contacts = [];
      for (let n = 0; n < persons; n += 1) {
        run.sandboxes.ehr.put(patientOf(n));
        contacts.push(run.sandboxes.crm.put("Contact", contactOf(n)));
      }
      workers = [await run.start("worker"), await run.start("worker", { ahead: 2_000 }), await run.start("worker")];
      const linked = async (id: string): Promise<boolean> =>
        (await run.store.links.pairOf({ system: "crm", type: "Contact", id }, "ehr")) !== undefined;
      await until("everybody to be linked", async () => (await Promise.all(contacts.map(linked))).every(Boolean));
      await run.drained();
    });

    it("all workers together let no more through than the limit; applied, the rest goes", async () => {
      for (let n = 0; n < persons; n += 1) edits(n, { MobilePhone: null });
      await until("the brake everywhere", () => workers.every((one) => one.gateway.brakes.has("crm-to-ehr")));
      await until("every notice", async () => (await run.rows({ channel: "crm-to-ehr" })).length >= 2 * persons);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      const left = mobiles();
      assert.ok(left >= persons - limit, `${persons - left} were cleared`);
      const stops = workers.flatMap((one) => one.logged.filter((line) => textOf(line["msg"]).includes("brake")));
      assert.equal(stops.length, 1, "one process stops the channel");
      const now = systemClock.now();
      const decision = { channel: "crm-to-ehr", choice: "apply", actor: "operator:test", reason: "it is right", now };
      await decide(run.store, decision as Parameters<typeof decide>[1]);
      await until("the rest", () => mobiles() === 0);
    });

    it("below the limit nobody is asked", async () => {
      for (let n = 0; n < limit; n += 1) edits(n, { MobilePhone: null });
      await until("the clears", () => mobiles() === persons - limit);
      assert.equal(
        workers.some((one) => one.gateway.brakes.has("crm-to-ehr")),
        false,
      );
    });
  });

  it("a worker that is stopped gives back what it holds: another goes on at once", async () => {
    run = await ProductionRun.prepare(servers, { sluice: { lease: "60s" } });
    const first = await run.start("worker");
    for (let n = 0; n < 40; n += 1) run.sandboxes.ehr.put(patientOf(n));
    await until("some", () => run.sandboxes.crm.records("Contact").size >= 5);
    const [, second] = await Promise.all([first.close(), run.start("worker")]);
    assert.deepEqual(
      (await run.store.ledger.held()).filter((lane) => lane.fence === 0),
      [],
    );
    await until("the rest", () => run.sandboxes.crm.records("Contact").size === 40);
    await run.drained();
    assert.ok(second.worker.takesNewWork);
    assert.equal(run.sandboxes.crm.records("Contact").size, 40);
  });
});
