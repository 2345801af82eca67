// Consent and agreement are judged when an exchange runs and once more in the instant of sending; what stops it is on
// record; what was denied is told again, once, when the patient permits it again.
import assert from "node:assert/strict";
import type { Row } from "../../src/exchange/ports.ts";
import { appointmentOf, contactOf, optOut, patientOf } from "./persons.ts";
import { PracticeRun, textOf, until } from "./practice-run.ts";
import { TestClock } from "./test-clock.ts";

const toEhr = (row: Row): boolean => row.channel === "crm-to-ehr";

const nobody: Person = { contact: "", patient: "" };

interface Person {
  readonly contact: string;
  readonly patient: string;
}

/** Persons who are known to both systems and linked. */
async function linkedPersons(run: PracticeRun, count: number): Promise<readonly Person[]> {
  const persons = Array.from({ length: count }, (_, n) => ({
    patient: run.sandboxes.ehr.put(patientOf(n))["id"],
    contact: run.sandboxes.crm.put("Contact", contactOf(n)),
  }));
  await run.up();
  await run.quiet();
  return persons;
}

function mobileOf(run: PracticeRun, patient: string): string {
  return JSON.stringify(run.sandboxes.ehr.get("Patient", patient)?.["telecom"] ?? []);
}

async function ended(run: PracticeRun, contact: string): Promise<Row> {
  return until("the exchange to end", async () => {
    const row = await run.newest("crm-to-ehr", contact);
    return row && row.endedAt > 0 ? row : undefined;
  });
}

describe("invariant 4: consent and agreement are judged again at each run and in the instant of sending", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  let person: Person;
  let unused: Person[];

  /** Each test has a person of its own. */
  function next(): void {
    const one = unused.shift();
    assert.ok(one);
    person = one;
  }

  async function revoke(): Promise<void> {
    run.sandboxes.ehr.put(optOut(person.patient));
    await run.poll("ehr", "Consent");
  }

  /** The change waits in its lane, which somebody else holds, while `meanwhile` happens. */
  async function whileQueued(meanwhile: () => Promise<void>): Promise<Row> {
    const { ledger, links } = run.running.store;
    const lane = (await links.personOf({ system: "crm", type: "Contact", id: person.contact })) ?? "";
    const hold = await until("the lane", async () => {
      const state = await ledger.peek(lane);
      return state?.free ? ledger.claim(lane, state) : undefined;
    });
    run.sandboxes.crm.edit("Contact", person.contact, { MobilePhone: "(555) 555-9001" });
    await run.poll("crm", "Contact");
    const queued = await run.newest("crm-to-ehr", person.contact);
    assert.equal(queued?.state, "queued");
    await meanwhile();
    await ledger.release(hold);
    return ended(run, person.contact);
  }

  /** The change is on record and about to be sent when `meanwhile` happens. */
  async function whileSending(meanwhile: () => Promise<void> | void): Promise<Row> {
    const held = run.hold("recorded", toEhr);
    run.sandboxes.crm.edit("Contact", person.contact, { MobilePhone: "(555) 555-9002" });
    await held.row;
    await meanwhile();
    held.release();
    return ended(run, person.contact);
  }

  describe("consents", () => {
    before(async () => {
      run = await PracticeRun.prepare();
      unused = [...(await linkedPersons(run, 6))];
    });
    after(() => run.close());
    beforeEach(next);

    it("revoked between queueing and running: nothing is sent, the denial is on record", async () => {
      const before = run.writes;
      const row = await whileQueued(revoke);
      assert.equal(row.state, "denied");
      assert.equal(run.writes, before);
      assert.doesNotMatch(mobileOf(run, person.patient), /9001/);
      const denial = (await run.auditOf(row.id)).find((entry) => entry["kind"] === "denial");
      assert.equal(denial?.["decision"], "deny");
      assert.equal(denial["rule"], row.cause);
      assert.ok(denial["citation"]);
    });

    it("not revoked: the same change is sent", async () => {
      const row = await whileQueued(() => run.poll("ehr", "Consent"));
      assert.equal(row.state, "done");
      assert.match(mobileOf(run, person.patient), /9001/);
    });

    it("revoked between judging and sending: nothing is sent, and the record says so", async () => {
      const before = run.writes;
      const row = await whileSending(revoke);
      assert.equal(row.state, "denied");
      assert.equal(run.writes, before);
      const kinds = (await run.auditOf(row.id)).map((entry) => [entry["kind"], entry["outcome"]]);
      assert.ok(kinds.some(([kind, outcome]) => kind === "outcome" && outcome === "not-sent"));
      assert.ok(kinds.some(([kind]) => kind === "denial"));
    });

    it("not revoked in that instant: it is sent", async () => {
      const row = await whileSending(() => run.poll("ehr", "Consent"));
      assert.equal(row.state, "done");
      assert.match(mobileOf(run, person.patient), /9002/);
    });

    it("granting again brings the newest state of the record, once", async () => {
      await revoke();
      for (const last of ["9003", "9004"]) {
        run.sandboxes.crm.edit("Contact", person.contact, { MobilePhone: `(555) 555-${last}` });
        await run.poll("crm", "Contact");
        await run.drained();
      }
      assert.equal((await run.newest("crm-to-ehr", person.contact))?.state, "denied");
      const before = run.writes;
      const versions = run.sandboxes.ehr.history("Patient", person.patient).length;
      run.sandboxes.ehr.put({ ...optOut(person.patient), status: "inactive" });
      await until("the newest number", () => mobileOf(run, person.patient).includes("9004"));
      await run.quiet();
      assert.equal(run.writes, before + 1);
      assert.equal(run.sandboxes.ehr.history("Patient", person.patient).length, versions + 1);
    });

    it("a visit is judged by its patient's consent too", async () => {
      await revoke();
      run.sandboxes.ehr.put(appointmentOf("visit-1", [person.patient]));
      await until("the denial", async () => (await run.newest("ehr-to-crm", "visit-1"))?.state === "denied");
      assert.equal(run.sandboxes.crm.records("Event").size, 0);
      run.sandboxes.ehr.put({ ...optOut(person.patient), status: "inactive" });
      await until("the visit", () => run.sandboxes.crm.records("Event").size === 1);
    });
  });

  describe("agreements", () => {
    afterEach(() => run.close());

    async function given(options: Parameters<typeof PracticeRun.prepare>[0]): Promise<void> {
      run = await PracticeRun.prepare(options);
      unused = [...(await linkedPersons(run, 1))];
      next();
    }

    const evening = Date.parse("2027-06-10T21:00:00-04:00");
    const past = 3 * 3_600_000 + 60_000;

    it("an agreement whose last day ends in that instant: nothing is sent, the denial is on record", async () => {
      const overrides = { agreements: { "baa-ehr": { expires: "2027-06-10" } } };
      await given({ clock: new TestClock(evening), overrides });
      const before = run.writes;
      const row = await whileSending(() => {
        run.clock.jump(past);
      });
      assert.equal(row.state, "denied");
      assert.equal(run.writes, before);
      const denial = (await run.auditOf(row.id)).find((entry) => entry["kind"] === "denial");
      assert.match(textOf(denial?.["rule"]), /agreement/);
    });

    it("an agreement that runs a day longer: the same is sent, past midnight", async () => {
      const overrides = { agreements: { "baa-ehr": { expires: "2027-06-11" } } };
      await given({ clock: new TestClock(evening), overrides });
      const row = await whileSending(() => {
        run.clock.jump(past);
      });
      assert.equal(row.state, "done");
      assert.match(mobileOf(run, person.patient), /9002/);
    });
  });
});

describe("invariant 1: no answer means no", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  afterEach(() => run.close());

  const consentDown = ({ url }: { readonly url: URL }): "unavailable" | undefined =>
    url.pathname.endsWith("/Consent") ? "unavailable" : undefined;

  it("consents were read too long ago and their source is down: the exchange waits without an attempt, then goes", async () => {
    run = await PracticeRun.prepare();
    const [{ contact, patient } = nobody] = await linkedPersons(run, 1);
    run.sandboxes.ehr.setFault(consentDown);
    run.clock.jump(20 * 60_000);
    const before = run.writes;
    run.sandboxes.crm.edit("Contact", contact, { MobilePhone: "(555) 555-9010" });
    const waiting = await until("the exchange to wait", async () => {
      const row = await run.newest("crm-to-ehr", contact);
      return row?.cause === "consent-facts-too-old" ? row : undefined;
    });
    assert.equal(waiting.state, "queued");
    assert.equal(waiting.attempt, 0);
    assert.equal(waiting.failures, 0);
    assert.ok(waiting.waitingSince > 0);
    assert.equal(run.writes, before);
    run.sandboxes.ehr.setFault(undefined);
    await until("the number", () => mobileOf(run, patient).includes("9010"));
    await run.drained();
    assert.equal((await run.newest("crm-to-ehr", contact))?.failures, 0);
  });

  it("consents that are fresh enough: the same outage of their source stops nothing", async () => {
    run = await PracticeRun.prepare();
    const [{ contact, patient } = nobody] = await linkedPersons(run, 1);
    run.sandboxes.ehr.setFault(consentDown);
    run.sandboxes.crm.edit("Contact", contact, { MobilePhone: "(555) 555-9011" });
    await until("the number", () => mobileOf(run, patient).includes("9011"));
  });
});
