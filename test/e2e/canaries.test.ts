// A whole practice whose records are full of marked words, run in this process: where the marks may be found, and where not.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putOnRecord } from "../../src/exchange/administer.ts";
import { PracticeRun } from "./practice-run.ts";
import { findInFiles, findInText } from "./raw-bytes.ts";

describe("marked words of a whole practice", function () {
  this.timeout(180_000);
  let run: PracticeRun;
  let snapshot: string;
  let neverOfCrm: readonly string[];
  let neverOfEhr: readonly string[];

  before(async () => {
    run = await PracticeRun.start({ patients: 25, seed: 11, feed: true, notices: true });
    const { practice, crm, ehr } = run.sandboxes;
    const inCrm = JSON.stringify([practice.contacts, practice.events]);
    neverOfCrm = practice.canaries.neverLeave.filter((word) => inCrm.includes(word));
    neverOfEhr = practice.canaries.neverLeave.filter((word) => !inCrm.includes(word));
    await run.quiet();
    const [contact] = crm.records("Contact").keys();
    crm.edit("Contact", contact ?? "", { MobilePhone: "(555) 555-0142" });
    for (const patient of ehr.all("Patient").slice(0, 3)) {
      ehr.edit("Patient", patient["id"], (one) => ({ ...one, gender: "other" }));
    }
    // Answers that repeat what was sent: a vendor's error text is full of PHI.
    ehr.refuseWrites();
    for (const one of crm.records("Contact").keys()) crm.edit("Contact", one, { MailingCity: "Saltmarsh" });
    await run.quiet();
    // While everything is open, so that the write-ahead log is among the files.
    await putOnRecord(run.running.store, { actor: "test", action: "snapshot", reason: "test" });
    snapshot = await mkdtemp(join(tmpdir(), "sluice-snapshot-"));
    await cp(run.data, snapshot, { recursive: true, filter: (path) => !path.endsWith("lock.sqlite") });
  });
  after(async () => {
    await run.close();
    await rm(snapshot, { recursive: true, force: true });
  });

  it("the run was a full one: writes both ways, batches, refused writes, denials", async () => {
    const { crm, ehr, sink } = run.sandboxes;
    assert.ok(crm.counts.writes > 5 && ehr.counts.writes > 5 && sink.counts.stored > 0);
    assert.ok((await run.rows({ states: ["denied"] })).length > 0);
    const quarantined = await run.rows({ states: ["quarantined"] });
    assert.ok(quarantined.some((row) => row.cause === "destination-rejected"));
    assert.ok(neverOfCrm.length > 10 && neverOfEhr.length > 10);
  });

  it("what may flow has arrived: the search can find a mark", () => {
    const inEhr = JSON.stringify(run.sandboxes.ehr.all("Patient"));
    const crmOnly = run.sandboxes.practice.expectations.filter((one) => one.place === "crm").length;
    assert.ok(crmOnly > 0);
    const own = JSON.stringify(run.sandboxes.practice.patients);
    const arrived = run.sandboxes.practice.canaries.phi.filter((word) => inEhr.includes(word) && !own.includes(word));
    assert.ok(arrived.length > 0);
  });

  it("what must never leave its system is in no other one, in no version of any record", () => {
    const { crm, ehr, sink } = run.sandboxes;
    const versions = (type: string): unknown => ehr.all(type).map((one) => ehr.history(type, one["id"]));
    const inEhr = JSON.stringify(["Patient", "Appointment", "Consent"].map(versions));
    const inCrm = JSON.stringify(
      ["Contact", "Event"].map((type) => [...crm.records(type).keys()].map((id) => crm.history(type, id))),
    );
    const inSink = JSON.stringify(sink.received);
    assert.deepEqual(findInText(inEhr, neverOfCrm), []);
    assert.deepEqual(findInText(inCrm, neverOfEhr), []);
    assert.deepEqual(findInText(inSink, [...neverOfCrm, ...neverOfEhr]), []);
    assert.ok(findInText(inCrm, neverOfCrm).length > 0 && findInText(inEhr, neverOfEhr).length > 0);
  });

  it("no name reaches the marketing tool", () => {
    assert.deepEqual(findInText(JSON.stringify(run.sandboxes.sink.received), run.sandboxes.practice.canaries.phi), []);
  });

  describe("invariant 5: the queue holds ids, never PHI; what waits in the store is sealed", () => {
    const words = (): readonly string[] => [
      ...run.sandboxes.practice.canaries.phi,
      ...run.sandboxes.practice.canaries.neverLeave,
    ];

    it("no mark in any file of ledger and queue, the write-ahead log included, while all are open", async () => {
      assert.ok((await findInFiles(snapshot, ["ehr-to-marketing"])).length > 0);
      assert.deepEqual(await findInFiles(snapshot, words()), []);
    });

    it("none in the log", () => {
      assert.ok(run.logged.some((line) => line["msg"] === "exchange needs a person"));
      assert.deepEqual(findInText(JSON.stringify(run.logged), words()), []);
    });

    it("none in the words of what needs a person", async () => {
      const problems = (await run.rows({ states: ["quarantined"] })).map((row) => row.problem);
      assert.ok(problems.length > 0);
      assert.deepEqual(findInText(JSON.stringify(problems), words()), []);
    });

    it("none in the metrics, which count what is on record", async () => {
      const { running } = run;
      const text = await (await fetch(`${running.address}/metrics`)).text();
      const applied = (await run.audit()).filter(
        (header) => header["channel"] === "crm-to-ehr" && header["outcome"] === "applied",
      );
      assert.ok(applied.length > 0);
      assert.ok(
        text.includes(`sluice_deliveries_total{channel="crm-to-ehr",outcome="applied"} ${applied.length}\n`),
        text,
      );
      assert.match(text, /^sluice_exchanges_quarantined\{channel="crm-to-ehr",cause="destination-rejected"\} \d+$/m);
      assert.deepEqual(findInText(text, words()), []);
    });

    it("none in the headers of the audit log", async () => {
      const headers = JSON.stringify(await run.audit());
      assert.ok(headers.length > 10_000);
      assert.deepEqual(findInText(headers, words()), []);
    });
  });
});
