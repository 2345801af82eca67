// Each kind of exchange, run through the product, passes the stages of its column of the stage table, in that order.
import assert from "node:assert/strict";
import { kinds } from "../../src/exchange/stages.ts";
import { contactOf, patientOf } from "./persons.ts";
import { PracticeRun, until } from "./practice-run.ts";

describe("the stage table", function () {
  this.timeout(120_000);
  let run: PracticeRun;

  beforeEach(async () => {
    run = await PracticeRun.prepare({ feed: true });
  });
  afterEach(() => run.close());

  /** Stages of the last run of one exchange: a run begins with `check`. */
  function lastRun(exchange: string): readonly string[] {
    const stages = run.seen.filter((one) => one.exchange === exchange).map((one) => one.stage);
    return stages.slice(stages.lastIndexOf("check"));
  }

  it("a sync event that a webhook announces", async () => {
    const { address } = await run.up();
    run.sandboxes.crm.setNotify({ url: `${address}/webhooks/crm`, secret: run.noticeSecret });
    const contact = run.sandboxes.crm.put("Contact", contactOf(1));
    await run.sandboxes.crm.noticesSent();
    const row = await until("the exchange", async () => {
      const rows = await run.rows({ channel: "crm-to-ehr", source: { id: contact }, states: ["done"] });
      return rows[0];
    });
    const intake = run.seen.filter((one) => one.exchange === "notice").map((one) => one.stage);
    assert.deepEqual(intake, kinds["sync-event"].intake);
    assert.deepEqual(lastRun(row.id), kinds["sync-event"].run);
  });

  it("a sync event that a poll finds", async () => {
    const contact = run.sandboxes.crm.put("Contact", contactOf(2));
    await run.up();
    const row = await until("the exchange", async () => {
      const rows = await run.rows({ channel: "crm-to-ehr", source: { id: contact }, states: ["done"] });
      return rows[0];
    });
    const intake = run.seen.filter((one) => one.exchange === "poll:crm/Contact").map((one) => one.stage);
    const { intake: column } = kinds["sync-event"];
    assert.deepEqual(intake.slice(0, 2), column.slice(column.indexOf("select")));
    assert.deepEqual(lastRun(row.id), kinds["sync-event"].run);
    assert.equal(run.sandboxes.ehr.all("Patient").length, 1);
  });

  it("a feed", async () => {
    run.sandboxes.ehr.put(patientOf(3));
    run.sandboxes.ehr.put({
      resourceType: "Consent",
      id: "marketing-yes",
      status: "active",
      scope: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/consentscope", code: "patient-privacy" }] },
      category: [{ coding: [{ system: "http://loinc.org", code: "59284-0" }] }],
      patient: { reference: "Patient/patient-3" },
      dateTime: "2026-01-05T10:00:00Z",
      policyRule: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "OPTIN" }] },
    });
    await run.up();
    const row = await until("the batch", async () => {
      const rows = await run.rows({ channel: "ehr-to-marketing", states: ["done"] });
      return rows[0];
    });
    const intake = run.seen.filter((one) => one.exchange === "poll:ehr/Patient").map((one) => one.stage);
    assert.deepEqual(intake.slice(0, 2), kinds.feed.intake);
    assert.deepEqual(lastRun(row.id), kinds.feed.run);
    assert.equal(run.sandboxes.sink.received.length, 1);
  });
});
