// Feeds: whose records may travel, what a batch is made of, and what becomes of one when nobody knows whether it arrived. No
// record is delivered twice, and no byte of a batch stays after its end.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Resource } from "../../connectors/fhir-r4/sandbox/index.ts";
import type { Fault } from "../../src/connector/sandbox.ts";
import { SluiceError } from "../../src/core/errors.ts";
import { systemRandom } from "../../src/core/ids.ts";
import type { RowState } from "../../src/core/records.ts";
import { seal } from "../../src/core/seal.ts";
import { layout } from "../../src/embedded.ts";
import type { Row } from "../../src/exchange/ports.ts";
import { appointmentOf, optOut, patientOf } from "./persons.ts";
import { PracticeRun, textOf, until } from "./practice-run.ts";
import { findInFiles } from "./raw-bytes.ts";
import { testKeys } from "./settings.ts";

const channel = "ehr-to-marketing";
const count = 3;

function optIn(patient: string): Resource {
  const policyRule = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "OPTIN" }] };
  return { ...optOut(patient), policyRule };
}

describe("feeds", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  /** What came to the recipient's door. */
  const sent: { readonly id: string; readonly body: string }[] = [];
  /** What happens to the next requests, in order. */
  let faults: (Fault | undefined)[] = [];
  let edits = 0;

  before(async () => {
    run = await PracticeRun.prepare({
      feed: true,
      // The second attempt of unknown outcome goes to a person.
      overrides: { sluice: { retry: { maxAttempts: 2 } } },
      sink: {
        fault: (request) => {
          sent.push({ id: textOf(request.headers["webhook-id"]), body: request.body });
          return faults.shift();
        },
      },
    });
    for (let n = 0; n < count; n += 1) {
      run.sandboxes.ehr.put(patientOf(n));
      run.sandboxes.ehr.put(optIn(`patient-${n}`));
    }
    await run.up();
    await run.quiet();
    assert.equal(run.sandboxes.sink.received.flatMap((batch) => batch.lines).length, count);
  });
  after(() => run.close());
  beforeEach(() => {
    sent.length = 0;
    faults = [];
  });
  afterEach(async () => {
    await run.running.store.ledger.cancelWhere({ channel, states: ["quarantined"] }, "end of the test", 1);
  });

  const isFeed = (row: Row): boolean => row.channel === channel;

  function edit(n: number): void {
    edits += 1;
    const gender = ["other", "male", "unknown", "female"][edits % 4] ?? "other";
    run.sandboxes.ehr.edit("Patient", `patient-${n}`, (one) => ({ ...one, gender }));
  }

  /** In one turn, so that one poll sees them all. */
  function editAll(): void {
    for (let n = 0; n < count; n += 1) edit(n);
  }

  /** A batch of all patients, with these faults on its way; resolves when it is on record for the first time. */
  async function startBatch(...coming: readonly (Fault | undefined)[]): Promise<{ head: Row; sealed: string }> {
    const recorded = run.hold("recorded", isFeed);
    faults = [...coming];
    editAll();
    const head = await recorded.row;
    assert.equal(head.intent?.members?.length, count);
    const sealed = await run.running.store.blobs.get(head.intent.blob ?? "");
    assert.ok(sealed);
    recorded.release();
    return { head, sealed };
  }

  async function statesOf({ intent }: Row): Promise<readonly RowState[]> {
    const rows = await Promise.all((intent?.members ?? []).map((id) => run.running.store.ledger.get(id)));
    return rows.map((row) => row?.state ?? "queued");
  }

  async function becomes(head: Row, state: RowState): Promise<void> {
    await until(`all members to be ${state}`, async () => (await statesOf(head)).every((one) => one === state));
  }

  const all = (state: RowState): readonly RowState[] => Array.from({ length: count }, () => state);

  /** Two answers are lost; all members are quarantined. */
  async function quarantinedBatch(): Promise<{ head: Row; sealed: string; group: string }> {
    const started = await startBatch("lost-answer", "lost-answer");
    await becomes(started.head, "quarantined");
    const [row] = await run.rows({ id: started.head.id });
    assert.equal(row?.cause, "outcome-unknown");
    return { ...started, group: row.problem?.group ?? "" };
  }

  /** Rows of the table of what waits in the store. */
  function batchesKept(): readonly unknown[] {
    const db = new DatabaseSync(join(layout(run.data).store, "sluice.sqlite"), { readOnly: true });
    try {
      return db.prepare("SELECT id FROM blobs WHERE id LIKE 'batch.%'").all();
    } finally {
      db.close();
    }
  }

  async function assertErased(sealed: string): Promise<void> {
    assert.deepEqual(batchesKept(), []);
    await run.running.store.flush();
    assert.deepEqual(await findInFiles(run.data, [sealed.slice(0, 60)]), []);
  }

  describe("a batch of which nobody knows whether it arrived", () => {
    it("goes to a person as a whole; a retry sends the same bytes under the same id, and it is stored once", async () => {
      const stored = run.sandboxes.sink.counts.stored;
      const { head, sealed, group } = await quarantinedBatch();
      await run.quiet();
      assert.deepEqual(
        sent.map(({ id }) => id),
        [head.intent?.linkId, head.intent?.linkId],
        "nothing of it leaves in another batch",
      );
      assert.equal(batchesKept().length, 1);
      assert.equal(await run.running.store.ledger.retry({ group }, 1), count);
      await becomes(head, "done");
      assert.deepEqual(new Set(sent.map(({ id, body }) => `${id} ${body}`)).size, 1);
      assert.equal(sent.length, 3);
      assert.equal(run.sandboxes.sink.counts.stored, stored + 1);
      await assertErased(sealed);
    });

    it("is resumed as a whole when one member is retried; its disclosures are on record for each attempt", async () => {
      const { head } = await quarantinedBatch();
      const member = head.intent?.members?.[1] ?? "";
      assert.notEqual(member, head.id);
      assert.equal(await run.running.store.ledger.retry({ id: member }, 1), count);
      await becomes(head, "done");
      assert.deepEqual(
        sent.map(({ id }) => id),
        [1, 2, 3].map(() => head.intent?.linkId),
      );
      for (const id of [head.id, member]) {
        const disclosures = (await run.auditOf(id)).filter((entry) => entry["kind"] === "disclosure");
        assert.deepEqual(
          disclosures.map((entry) => [entry["attempt"], entry["previous"]]),
          [
            [1, undefined],
            [2, "unknown"],
            [3, "unknown"],
          ],
        );
      }
    });

    it("is cancelled as a whole, and its bytes are erased", async () => {
      const { head, sealed } = await quarantinedBatch();
      assert.equal(await run.running.store.ledger.cancelWhere({ id: head.id }, "by a person", 1), count);
      assert.deepEqual(await statesOf(head), all("cancelled"));
      await run.quiet();
      assert.equal(sent.length, 2);
      await assertErased(sealed);
    });

    it("stays so when a later attempt certainly failed: still the same bytes under the same id", async () => {
      const { head, sealed } = await startBatch("lost-answer", "unavailable");
      await becomes(head, "done");
      await run.quiet();
      assert.equal(sent.length, 3);
      assert.equal(new Set(sent.map(({ id, body }) => `${id} ${body}`)).size, 1);
      await assertErased(sealed);
    });

    it("but one that certainly was not applied is formed anew, of what the records are then", async () => {
      const { head, sealed } = await startBatch("unavailable");
      await becomes(head, "done");
      await run.quiet();
      assert.equal(sent.length, 2);
      assert.notEqual(sent[0]?.id, sent[1]?.id);
      assert.equal(run.sandboxes.sink.received.filter((batch) => batch.id === sent[0]?.id).length, 0);
      assert.equal(run.sandboxes.sink.received.filter((batch) => batch.id === sent[1]?.id).length, 1);
      await assertErased(sealed);
    });

    it("is not sent while one of its patients has opted out; all of it waits for a person, and goes when it may", async () => {
      const { head, group } = await quarantinedBatch();
      run.sandboxes.ehr.put(optOut("patient-2"));
      await run.poll("ehr", "Consent");
      await run.running.store.ledger.retry({ group }, 1);
      await until("the refusal", async () => {
        const [row] = await run.rows({ id: head.id, states: ["quarantined"] });
        return row?.cause === "subject-not-permitted-any-more";
      });
      assert.deepEqual(await statesOf(head), all("quarantined"));
      await run.quiet();
      assert.equal(sent.length, 2);

      run.sandboxes.ehr.put(optIn("patient-2"));
      await run.poll("ehr", "Consent");
      await run.running.store.ledger.retry({ id: head.id }, 1);
      await becomes(head, "done");
      assert.equal(sent.filter(({ id }) => id === head.intent?.linkId).length, 3);
    });

    it("is not sent when its bytes are not those that are on record", async () => {
      const { head, sealed, group } = await quarantinedBatch();
      const blob = head.intent?.blob ?? "";
      const { keys } = await testKeys();
      const { blobs, ledger } = run.running.store;
      await blobs.put(blob, seal(keys.data, '{"resourceType":"Patient"}', blob, systemRandom));
      await ledger.retry({ group }, 1);
      await until("another attempt", async () => {
        const failures = (await run.auditOf(head.id)).filter((entry) => entry["kind"] === "failure");
        return failures.length === 2;
      });
      assert.deepEqual(await statesOf(head), all("quarantined"));
      assert.equal(sent.length, 2);

      await blobs.put(blob, sealed);
      await ledger.retry({ id: head.id }, 1);
      await becomes(head, "done");
      assert.equal(sent.length, 3);
    });

    it("does not keep newer notices of its records from leaving, and they do not end it", async () => {
      const { head, group } = await quarantinedBatch();
      edit(1);
      await run.quiet();
      assert.equal(sent.length, 3);
      assert.notEqual(sent[2]?.id, head.intent?.linkId);
      assert.equal(sent[2]?.body.split("\n").length, 1);
      assert.deepEqual(await statesOf(head), all("quarantined"));
      await run.running.store.ledger.retry({ group }, 1);
      await becomes(head, "done");
      assert.equal(sent[3]?.id, head.intent?.linkId);
    });
  });

  it("a batch that was applied, but not settled, is not formed anew", async () => {
    const { ledger } = run.running.store;
    const settle = ledger.settle.bind(ledger);
    let refused = 0;
    ledger.settle = async (...call) => {
      const row = await ledger.get(call[0]);
      if (row && isFeed(row) && refused === 0) {
        refused += 1;
        throw new SluiceError("store-unavailable", "the store gives no answer");
      }
      return settle(...call);
    };
    try {
      const { head } = await startBatch();
      await becomes(head, "done");
      await run.quiet();
      assert.equal(refused, 1);
      assert.equal(new Set(sent.map(({ id, body }) => `${id} ${body}`)).size, 1);
      assert.equal(run.sandboxes.sink.received.filter((batch) => batch.id === sent[0]?.id).length, 1);
    } finally {
      ledger.settle = settle;
    }
  });

  it("a record that names two patients is not sent, though both permit it; one that names one of them is", async () => {
    run.sandboxes.ehr.put(appointmentOf("visit-of-two", ["patient-0", "patient-1"]));
    run.sandboxes.ehr.put(appointmentOf("visit-of-one", ["patient-0"]));
    await run.quiet();
    const two = await run.newest(channel, "visit-of-two");
    assert.deepEqual([two?.state, two?.cause], ["quarantined", "two-patients"]);
    assert.equal((await run.newest(channel, "visit-of-one"))?.state, "done");
    const lines = sent.flatMap(({ body }) => body.split("\n")).filter((line) => line.includes('"Appointment"'));
    assert.equal(lines.length, 1);
  });

  it("of several notices of one record the newest leaves, the older ones end as superseded", async () => {
    const first = run.hold("recorded", isFeed);
    edit(2);
    await first.row;
    edit(0);
    await run.poll("ehr", "Patient");
    edit(0);
    edit(1);
    await run.poll("ehr", "Patient");
    first.release();
    await run.quiet();
    assert.equal(sent.length, 2);
    assert.equal(sent[1]?.body.split("\n").length, 2);
    const newestTwo = async (n: number): Promise<readonly RowState[]> =>
      (await run.rows({ channel, source: { id: `patient-${n}` }, newestFirst: true, limit: 2 })).map(
        (row) => row.state,
      );
    assert.deepEqual(await newestTwo(0), ["done", "superseded"]);
    assert.deepEqual(await newestTwo(1), ["done", "done"]);
  });
});
