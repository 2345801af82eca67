// What becomes of an exchange whose answer was lost, whose gateway died between two steps, or whose holder stalled: it is
// read back, sent again or overtaken, the last edit arrives, and nothing is there twice.
import assert from "node:assert/strict";
import type { JsonObject } from "../../src/core/json.ts";
import { SluiceError } from "../../src/core/errors.ts";
import type { Row } from "../../src/exchange/ports.ts";
import type { Resource } from "../../connectors/fhir-r4/sandbox/index.ts";
import type { Fault, SandboxRequest } from "../../src/connector/sandbox.ts";
import { contactOf, eventOf, optOut, patientOf } from "./persons.ts";
import { PracticeRun, textOf, until } from "./practice-run.ts";

/** `shortIntervals`: a lease of 8 s; a stalled holder is overtaken 2 s after it, an unknown write read back 12.1 s later. */
const leaseMs = 8_000;
const graceMs = 2_000;
const visibleMs = 13_000;

describe("recovery of exchanges of one record", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  let person: { readonly contact: string; readonly patient: string };
  const unused: { readonly contact: string; readonly patient: string }[] = [];

  before(async () => {
    run = await PracticeRun.prepare();
    for (let n = 0; n < 8; n += 1) {
      const patient = run.sandboxes.ehr.put(patientOf(n))["id"];
      unused.push({ patient, contact: run.sandboxes.crm.put("Contact", contactOf(n)) });
    }
    await run.up();
    await run.quiet();
  });
  after(() => run.close());
  beforeEach(() => {
    const one = unused.shift();
    assert.ok(one);
    person = one;
  });
  afterEach(() => {
    run.sandboxes.ehr.setFault(undefined);
  });

  const number = (last: number): string => `(555) 555-${last}`;
  const contactAt = (id: string): Readonly<Record<string, unknown>> =>
    run.sandboxes.crm.records("Contact").get(id) ?? {};
  const patientAt = (id: string): JsonObject => run.sandboxes.ehr.get("Patient", id) ?? {};

  function mobileOf(patient: JsonObject): string {
    const telecom = (patient["telecom"] ?? []) as readonly JsonObject[];
    return textOf(telecom.find((one) => one["use"] === "mobile")?.["value"]);
  }

  function enter(contact: string, last: number): void {
    run.sandboxes.crm.edit("Contact", contact, { MobilePhone: number(last) });
  }

  async function quarantined(id: string): Promise<readonly unknown[]> {
    return (await run.rows({ states: ["quarantined"], source: { id } })).map((row) => row.cause);
  }

  async function outcomesOf(row: Row): Promise<readonly unknown[]> {
    const entries = await run.auditOf(row.id);
    return entries.filter((entry) => entry["kind"] === "outcome").map((entry) => entry["outcome"]);
  }

  const isWrite = ({ method }: SandboxRequest): boolean => method === "PUT" || method === "POST";
  const isRead = ({ method, url }: SandboxRequest): boolean =>
    method === "GET" && url.pathname.endsWith(`/Patient/${person.patient}`);

  /** The EHR applies the next write and loses its answer; `meanwhile` happens before anybody could read it back. */
  function loseAnswer(meanwhile: () => void, later?: (request: SandboxRequest) => Fault | undefined): void {
    let lost = false;
    run.sandboxes.ehr.setFault((request) => {
      if (lost) return later?.(request);
      if (!isWrite(request)) return undefined;
      lost = true;
      meanwhile();
      return "lost-answer";
    });
  }

  describe("an update whose answer was lost", () => {
    it("and whose source was edited again before it was read back: no conflict, the last edit arrives", async () => {
      const from = run.sandboxes.ehr.history("Patient", person.patient).length;
      loseAnswer(() => {
        enter(person.contact, 1002);
      });
      enter(person.contact, 1001);
      await run.quiet();
      assert.deepEqual(await quarantined(person.contact), []);
      const values = run.sandboxes.ehr.history("Patient", person.patient).slice(from).map(mobileOf);
      assert.deepEqual(values, [number(1001), number(1002)]);
      assert.equal(contactAt(person.contact)["MobilePhone"], number(1002));
    });

    it("and whose field somebody in the EHR changed as well: that is a conflict, a person decides", async () => {
      let edited = false;
      const editThere = (request: SandboxRequest): undefined => {
        if (edited || !isRead(request)) return undefined;
        edited = true;
        run.sandboxes.ehr.edit("Patient", person.patient, (one) => ({
          ...one,
          telecom: [{ system: "phone", use: "mobile", value: number(1013) }],
        }));
      };
      loseAnswer(() => {
        enter(person.contact, 1012);
      }, editThere);
      enter(person.contact, 1011);
      await run.quiet();
      assert.deepEqual(await quarantined(person.contact), ["both-changed"]);
      assert.equal(mobileOf(patientAt(person.patient)), number(1013));
      assert.equal(contactAt(person.contact)["MobilePhone"], number(1012));
    });

    it("stays unknown while reading it back is refused for want of time on the lane", async () => {
      let refused = 0;
      // The read is asked again with a new token, and by then too little time is left.
      const slowOnce = (request: SandboxRequest): "unauthorized" | undefined => {
        if (refused > 0 || !isRead(request)) return undefined;
        refused += 1;
        run.clock.jump(leaseMs - 3_000);
        return "unauthorized";
      };
      loseAnswer(() => undefined, slowOnce);
      enter(person.contact, 1021);
      await run.quiet();
      assert.equal(refused, 1);
      const [row] = await run.rows({ source: { id: person.contact }, states: ["done"], newestFirst: true, limit: 1 });
      assert.ok(row);
      assert.deepEqual(await outcomesOf(row), ["unknown", "applied"]);
    });

    it("stays unknown while the EHR does not answer", async () => {
      const versions = run.sandboxes.ehr.history("Patient", person.patient).length;
      let isDown = true;
      loseAnswer(
        () => {
          enter(person.contact, 1032);
        },
        (request) => (isDown && isRead(request) ? "unavailable" : undefined),
      );
      enter(person.contact, 1031);
      const waiting = await until("the read-back to fail", async () => {
        const rows = await run.rows({ source: { id: person.contact }, states: ["queued", "sending"] });
        return rows.find((one) => one.waitingSince > 0);
      });
      assert.equal(waiting.state, "sending");
      assert.equal(waiting.attempt, 1);
      assert.deepEqual(await outcomesOf(waiting), ["unknown"]);
      isDown = false;
      await run.quiet();
      assert.deepEqual(await outcomesOf(waiting), ["unknown", "applied"]);
      const second = (await run.auditOf(waiting.id)).filter((entry) => entry["kind"] === "disclosure").at(-1);
      assert.equal(second?.["attempt"], 2);
      assert.equal(second["previous"], "unknown");
      assert.equal(run.sandboxes.ehr.history("Patient", person.patient).length, versions + 2);
    });
  });

  it("a create whose answer was lost: one record, linked, with what was written as its base", async () => {
    const fields = contactOf(20);
    let contact = "";
    loseAnswer(() => {
      enter(contact, 2002);
    });
    contact = run.sandboxes.crm.put("Contact", fields);
    await run.quiet();
    assert.deepEqual(await quarantined(contact), []);
    const born = run.sandboxes.ehr.all("Patient").filter((one) => one["birthDate"] === fields["Birthdate"]);
    assert.equal(born.length, 1);
    const patient = born[0]?.["id"] ?? "";
    assert.deepEqual(run.sandboxes.ehr.history("Patient", patient).map(mobileOf), [
      fields["MobilePhone"],
      number(2002),
    ]);
    const link = await run.running.store.links.pairOf({ system: "crm", type: "Contact", id: contact }, "ehr");
    assert.ok(link?.records.some((record) => record.id === patient));

    enter(contact, 2003);
    await run.quiet();
    assert.equal(mobileOf(patientAt(patient)), number(2003));
    assert.equal(run.sandboxes.ehr.all("Patient").filter((one) => one["birthDate"] === fields["Birthdate"]).length, 1);
  });

  it("a visit whose person is linked after its lane was chosen is written once, from the person's lane", async () => {
    const ofPerson = run.hold("recorded", (row) => row.source.type === "Contact" && row.channel === "crm-to-ehr");
    const contact = run.sandboxes.crm.put("Contact", contactOf(30));
    await ofPerson.row;
    const visit = run.sandboxes.crm.put("Event", eventOf(contact));
    const judged = run.hold("judged", (row) => row.source.id === visit);
    const written = run.hold("recorded", (row) => row.source.id === visit);
    const { lane } = await judged.row;
    assert.match(lane, /^visits:/);

    const record = { system: "crm", type: "Contact", id: contact };
    const { links } = run.running.store;
    ofPerson.release();
    await until("the person's link", () => links.pairOf(record, "ehr"));
    judged.release();
    const row = await written.row;
    assert.equal(row.lane, await links.personOf(record));
    written.release();
    await run.quiet();
    assert.equal(run.sandboxes.ehr.all("Appointment").length, 1);
    assert.equal(run.sandboxes.crm.records("Event").size, 1);
    assert.equal((await run.newest("crm-to-ehr", visit))?.state, "done");
  });

  describe("a holder that stalls while its process lives", () => {
    /** `X-Request-Id` of each write that came to the EHR's door, refused ones too. */
    let arrived: string[];
    beforeEach(() => {
      arrived = [];
      run.sandboxes.ehr.setFault((request) => {
        if (isWrite(request)) arrived.push(textOf(request.headers["x-request-id"]));
        return undefined;
      });
    });

    const fenceOf = async (lane: string): Promise<number> => (await run.running.store.ledger.peek(lane))?.fence ?? 0;

    const lost = (lane: string): number =>
      run.logged.filter((line) => line["lane"] === lane && textOf(line["msg"]).startsWith("lane taken over")).length;

    /** Seen once standing still, the holder is left alone until lease and grace are over, then overtaken. */
    async function overtaken({ lane }: Row): Promise<void> {
      const { worker } = run.running;
      const fence = await fenceOf(lane);
      await worker.overtake();
      run.clock.jump(leaseMs + graceMs - 5_000);
      await worker.overtake();
      assert.equal(await fenceOf(lane), fence, "within its lease and the grace it is left alone");
      run.clock.jump(5_500);
      await until("another holder", async () => (await fenceOf(lane)) > fence);
      await until("the read-back to be planned", async () => {
        const [row] = await run.rows({ lane, states: ["sending"] });
        return row?.cause === "read-back-due";
      });
      run.clock.jump(visibleMs);
    }

    it("before its request: overtaken; its own write is then refused, the other's is the only one", async () => {
      const from = run.sandboxes.ehr.history("Patient", person.patient).length;
      const stalled = run.hold("recorded", (row) => row.source.id === person.contact);
      enter(person.contact, 7001);
      const row = await stalled.row;
      await overtaken(row);
      await until("the other's write", () => mobileOf(patientAt(person.patient)) === number(7001));
      stalled.release();
      await until("the stalled one to be refused", () => lost(row.lane) === 1);
      await run.quiet();
      assert.deepEqual(
        arrived.filter((id) => id.startsWith(row.id)),
        [`${row.id}.2`],
      );
      assert.equal(run.sandboxes.ehr.history("Patient", person.patient).length, from + 1);
      assert.equal((await run.rows({ id: row.id }))[0]?.state, "done");
    });

    it("after its request: overtaken; what it wrote is read back, not written again", async () => {
      const from = run.sandboxes.ehr.history("Patient", person.patient).length;
      const stalled = run.hold("sent", (row) => row.source.id === person.contact);
      enter(person.contact, 7011);
      const row = await stalled.row;
      await overtaken(row);
      await until("the read-back", async () => (await run.rows({ id: row.id, states: ["done"] })).length === 1);
      stalled.release();
      await until("the stalled one to be refused", () => lost(row.lane) === 1);
      await run.quiet();
      assert.deepEqual(
        arrived.filter((id) => id.startsWith(row.id)),
        [`${row.id}.1`],
      );
      assert.equal(run.sandboxes.ehr.history("Patient", person.patient).length, from + 1);
      assert.deepEqual(await outcomesOf(row), ["applied"]);
    });
  });
});

describe("recovery of batches", function () {
  this.timeout(120_000);
  const count = 3;
  let run: PracticeRun;
  let whileStored: (() => Promise<void>) | undefined;
  const sent: { readonly id: string; readonly body: string }[] = [];
  let losses = 0;
  let edits = 0;

  before(async () => {
    run = await PracticeRun.prepare({
      feed: true,
      sink: {
        beforeWrite: async () => whileStored?.(),
        fault: (request) => {
          sent.push({ id: textOf(request.headers["webhook-id"]), body: request.body });
          losses -= 1;
          return losses >= 0 ? "lost-answer" : undefined;
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
    losses = 0;
    whileStored = undefined;
  });

  function optIn(patient: string): Resource {
    const policyRule = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "OPTIN" }] };
    return { ...optOut(patient), policyRule };
  }

  /** In one turn, so that one poll sees them all. */
  function editAll(): void {
    edits += 1;
    const gender = ["other", "male", "unknown", "female"][edits % 4] ?? "other";
    for (let n = 0; n < count; n += 1) run.sandboxes.ehr.edit("Patient", `patient-${n}`, (one) => ({ ...one, gender }));
  }

  const isBatch = (row: Row): boolean => row.channel === "ehr-to-marketing";

  /** From the second finished row on, the ledger takes no write any more: the process is as good as dead. */
  function dieAfterOneMember(): Promise<void> {
    const { ledger } = run.running.store;
    const finish = ledger.finish.bind(ledger);
    const dead = Promise.withResolvers<undefined>();
    const refuse = (): Promise<never> => {
      dead.resolve(undefined);
      return Promise.reject(new SluiceError("store-unavailable", "the process dies here"));
    };
    let finished = 0;
    ledger.finish = async (...call) => {
      finished += 1;
      return finished === 1 ? finish(...call) : refuse();
    };
    ledger.defer = ledger.quarantine = ledger.release = refuse;
    return dead.promise;
  }

  it("a crash between two members: the batch is finished after the start, and not sent again", async () => {
    const held = run.hold("applied", isBatch);
    editAll();
    const { id } = await held.row;
    const members = (await run.rows({ id }))[0]?.intent?.members ?? [];
    assert.equal(members.length, count);
    const dead = dieAfterOneMember();
    held.release();
    await dead;
    await run.down();
    await run.up();
    await run.quiet();
    const rows = await run.rows({ channel: "ehr-to-marketing" });
    const states = members.map((member) => rows.find((row) => row.id === member)?.state);
    assert.deepEqual(
      states,
      members.map(() => "done"),
    );
    assert.equal(sent.length, 1);
    const outcomes = (await run.auditOf(id)).filter((entry) => entry["outcome"] === "applied");
    assert.equal(outcomes.length, 1);
  });

  /** The answer of the next batch is lost, and all its patients change; `meanwhile` happens before it is sent again. */
  async function loseBatchAnswer(meanwhile: () => Promise<void>): Promise<Row> {
    const recorded = run.hold("recorded", isBatch);
    losses = 1;
    whileStored = async () => {
      whileStored = undefined;
      editAll();
      await meanwhile();
    };
    editAll();
    const row = await recorded.row;
    recorded.release();
    await run.quiet();
    const [after] = await run.rows({ id: row.id });
    assert.ok(after);
    return after;
  }

  it("a batch whose answer was lost is sent again, the same bytes under the same id, and stored once", async () => {
    const row = await loseBatchAnswer(() => run.poll("ehr", "Consent"));
    assert.equal(row.state, "done");
    const own = sent.filter((one) => one.id === row.intent?.linkId);
    assert.equal(own.length, 2);
    assert.equal(own[0]?.body, own[1]?.body);
    assert.equal(run.sandboxes.sink.received.filter((batch) => batch.id === own[0]?.id).length, 1);
  });

  it("but not when one of its patients opted out meanwhile: a person decides", async () => {
    const row = await loseBatchAnswer(async () => {
      run.sandboxes.ehr.put(optOut("patient-1"));
      await run.poll("ehr", "Consent");
    });
    assert.equal(row.state, "quarantined");
    assert.equal(row.cause, "subject-not-permitted-any-more");
    assert.equal(sent.filter((one) => one.id === row.intent?.linkId).length, 1);
  });
});
