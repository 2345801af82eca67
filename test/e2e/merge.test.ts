// What two systems that both change make of each other: fields that move, fields that conflict, changes that do not echo,
// elements that only one side has, patients that are none.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { retry } from "../../src/cli/exchanges.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { Resource } from "../../connectors/fhir-r4/sandbox/index.ts";
import { appointmentOf, contactOf, eventOf, patientOf } from "./persons.ts";
import { configDir, PracticeRun, textOf, until } from "./practice-run.ts";

/** Elements that no mapping names: they are there before and after every update. */
const own: JsonObject = {
  maritalStatus: { text: "widowed" },
  communication: [{ language: { text: "English" }, preferred: true }],
  identifier: [{ system: "http://hl7.org/fhir/sid/us-ssn", value: "999-00-1234" }],
};

function withAddress(patient: Resource, change: JsonObject): Resource {
  const [first] = patient["address"] as readonly JsonObject[];
  return { ...patient, address: [{ ...first, ...change }] };
}

const addressOf = (run: PracticeRun, patient: string): JsonObject =>
  (run.sandboxes.ehr.get("Patient", patient)?.["address"] as readonly JsonObject[])[0] ?? {};

describe("two systems that both change", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  const contacts: string[] = [];
  const patients: string[] = [];

  before(async () => {
    run = await PracticeRun.prepare();
    for (let n = 0; n < 8; n += 1) {
      patients.push(run.sandboxes.ehr.put(patientOf(n, own))["id"]);
      contacts.push(run.sandboxes.crm.put("Contact", contactOf(n)));
    }
    await run.up();
    await run.quiet();
  });
  after(() => run.close());

  const contactAt = (n: number): Readonly<Record<string, unknown>> =>
    run.sandboxes.crm.records("Contact").get(contacts[n] ?? "") ?? {};

  it("they begin as pairs: nobody is there twice", () => {
    assert.equal(run.sandboxes.crm.records("Contact").size, 8);
    assert.equal(run.sandboxes.ehr.all("Patient").length, 8);
  });

  it("one field changed on each side: both move", async () => {
    run.sandboxes.crm.edit("Contact", contacts[0] ?? "", { MobilePhone: "(555) 555-7001" });
    run.sandboxes.ehr.edit("Patient", patients[0] ?? "", (one) => withAddress(one, { city: "Gullhaven" }));
    await run.quiet();
    assert.equal(contactAt(0)["MailingCity"], "Gullhaven");
    assert.match(JSON.stringify(run.sandboxes.ehr.get("Patient", patients[0] ?? "")?.["telecom"]), /7001/);
    assert.equal(addressOf(run, patients[0] ?? "")["city"], "Gullhaven");
    assert.match(String(contactAt(0)["MobilePhone"]), /7001/);
  });

  it("the same field changed on both sides: a person decides, and after that `exchanges retry` goes through", async () => {
    const [contact, patient] = [contacts[1] ?? "", patients[1] ?? ""];
    // In one turn, so both edits are there before either is seen.
    run.sandboxes.ehr.edit("Patient", patient, (one) => withAddress(one, { city: "Gullhaven" }));
    run.sandboxes.crm.edit("Contact", contact, { MailingCity: "Saltmarsh" });
    const row = await until("quarantine", async () => {
      const rows = await run.rows({ states: ["quarantined"], source: { id: contact } });
      return rows[0];
    });
    assert.equal(row.cause, "both-changed");
    assert.match(row.problem?.text ?? "", /MailingCity|address/);
    assert.equal(addressOf(run, patient)["city"], "Gullhaven");
    assert.equal(contactAt(1)["MailingCity"], "Saltmarsh");
    const group = row.problem?.group ?? "";

    run.sandboxes.ehr.edit("Patient", patient, (one) => withAddress(one, { city: "Saltmarsh" }));
    assert.equal(await retry({ config: configDir, data: run.data, group }), 0);
    await run.quiet();
    assert.deepEqual(await run.rows({ states: ["quarantined"], source: { id: contact } }), []);
    assert.deepEqual(await run.rows({ states: ["quarantined"], source: { id: patient } }), []);
    run.sandboxes.crm.edit("Contact", contact, { MailingCity: "Harbor" });
    await until("the next change to go through", () => addressOf(run, patient)["city"] === "Harbor");
  });

  describe("invariant 8: what a system never saw it cannot erase", () => {
    it("an update leaves what the mapping does not name", async () => {
      const patient = patients[2] ?? "";
      const before = run.sandboxes.ehr.get("Patient", patient);
      run.sandboxes.crm.edit("Contact", contacts[2] ?? "", { MobilePhone: "(555) 555-7020" });
      await until("the number", () => JSON.stringify(run.sandboxes.ehr.get("Patient", patient)).includes("7020"));
      const after = run.sandboxes.ehr.get("Patient", patient);
      for (const name of ["maritalStatus", "communication", "identifier", "name", "address"]) {
        assert.deepEqual(after?.[name], before?.[name], name);
      }
    });

    it("a field that disappears from the EHR's answer clears nothing in the CRM", async () => {
      const patient = patients[3] ?? "";
      run.sandboxes.ehr.edit("Patient", patient, (one) => {
        const { address: _address, ...rest } = one;
        return { ...rest, telecom: [{ system: "phone", use: "mobile", value: "(555) 555-7030" }] };
      });
      await until("the number", () => String(contactAt(3)["MobilePhone"]).includes("7030"));
      await run.quiet();
      assert.equal(contactAt(3)["MailingCity"], "Port Ansel");
      assert.equal(contactAt(3)["Email"], "person3@mail.example");
    });

    it("a value that the EHR holds back is unknown: it clears nothing, although its field says onEmpty: clear", async () => {
      const patient = patients[2] ?? "";
      const before = contactAt(2)["MobilePhone"];
      const masked = { url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" };
      run.sandboxes.ehr.edit("Patient", patient, (one) => ({
        ...withAddress(one, { city: "Gullhaven", line: ["REDACTED"] }),
        telecom: [
          { system: "phone", use: "mobile", _value: { extension: [masked] } },
          { system: "email", value: "person2@mail.example" },
        ],
      }));
      await until("what is not held back", () => contactAt(2)["MailingCity"] === "Gullhaven");
      await run.quiet();
      assert.equal(contactAt(2)["MobilePhone"], before);
      assert.equal(contactAt(2)["MailingStreet"], "3 Quay Lane");
      // The twin: a number that is really taken out there is taken out here.
      run.sandboxes.ehr.edit("Patient", patient, (one) => ({
        ...one,
        telecom: [{ system: "email", value: "person2@mail.example" }],
      }));
      await until("the number to be cleared", () => contactAt(2)["MobilePhone"] === null);
    });

    it("a field emptied in the CRM is kept in the EHR, unless the mapping says clear", async () => {
      const patient = patients[4] ?? "";
      run.sandboxes.crm.edit("Contact", contacts[4] ?? "", { MailingCity: null, Email: null, MobilePhone: null });
      await until(
        "the number to be cleared",
        () => !JSON.stringify(run.sandboxes.ehr.get("Patient", patient)?.["telecom"]).includes('"mobile"'),
      );
      await run.quiet();
      assert.equal(addressOf(run, patient)["city"], "Port Ansel");
      assert.match(JSON.stringify(run.sandboxes.ehr.get("Patient", patient)?.["telecom"]), /person4@mail\.example/);
    });
  });

  describe("invariant 9: a change does not echo", () => {
    it("after a change from each side, three full polls of both sides bring no write", async () => {
      run.sandboxes.crm.edit("Contact", contacts[5] ?? "", { MailingStreet: "9 Lantern Street" });
      await until("the street", () => textOf(addressOf(run, patients[5] ?? "")["line"]) === '["9 Lantern Street"]');
      run.sandboxes.ehr.edit("Patient", patients[5] ?? "", (one) => withAddress(one, { city: "Gullhaven" }));
      await until("the city", () => contactAt(5)["MailingCity"] === "Gullhaven");
      await run.drained();
      const writes = run.writes;
      for (let n = 0; n < 3; n += 1) {
        await run.pollAll();
        await run.drained();
      }
      assert.equal(run.writes, writes);
    });

    it("each change was written once", () => {
      const patient = run.sandboxes.ehr.history("Patient", patients[5] ?? "");
      const streets = patient.filter((_one, index) => {
        const line = (version: JsonObject | undefined): string => JSON.stringify(version?.["address"] ?? null);
        return index > 0 && line(patient[index]) !== line(patient[index - 1]);
      });
      assert.equal(streets.length, 2);
    });
  });

  describe("visits", () => {
    it("a private, an all-day and a patientless event are no visits; a visit beside them is one", async () => {
      const who = contacts[6] ?? "";
      const no = [
        run.sandboxes.crm.put("Event", eventOf(who, { IsPrivate: true, Subject: "Private matter" })),
        run.sandboxes.crm.put("Event", eventOf(who, { IsAllDayEvent: true })),
        run.sandboxes.crm.put("Event", eventOf(who, { WhoId: null })),
      ];
      const yes = run.sandboxes.crm.put("Event", eventOf(who));
      await until("the visit", () => run.sandboxes.ehr.all("Appointment").length === 1);
      await run.quiet();
      for (const id of no) assert.equal((await run.newest("crm-to-ehr", id))?.state, "not-a-visit", id);
      assert.equal((await run.newest("crm-to-ehr", yes))?.state, "done");
      assert.equal(run.sandboxes.ehr.all("Appointment").length, 1);
    });

    it("an appointment of two patients, and one of none, wait for a person and go nowhere", async () => {
      const before = run.sandboxes.crm.records("Event").size;
      run.sandboxes.ehr.put(appointmentOf("two-of-them", [patients[6] ?? "", patients[7] ?? ""]));
      run.sandboxes.ehr.put(
        appointmentOf("of-nobody", [], { participant: [{ actor: { display: "Dr. Ito" }, status: "accepted" }] }),
      );
      for (const [id, cause] of [
        ["two-of-them", "two-patients"],
        ["of-nobody", "no-patient"],
      ] as const) {
        const row = await until(cause, async () => {
          const newest = await run.newest("ehr-to-crm", id);
          return newest?.state === "quarantined" ? newest : undefined;
        });
        assert.equal(row.cause, cause);
        assert.ok(row.problem?.owner);
      }
      assert.equal(run.sandboxes.crm.records("Event").size, before);
    });

    it("an appointment of one patient comes through", async () => {
      const before = run.sandboxes.crm.records("Event").size;
      run.sandboxes.ehr.put(appointmentOf("of-one", [patients[6] ?? ""]));
      await until("the event", () => run.sandboxes.crm.records("Event").size === before + 1);
    });
  });

  describe("invariant 6: losing the whole queue loses nothing", () => {
    it("changes that were queued when the queue's directory vanished are sent after the start", async () => {
      const held = run.hold("judged", (row) => row.source.id === contacts[7]);
      run.sandboxes.crm.edit("Contact", contacts[7] ?? "", { MobilePhone: "(555) 555-7070" });
      await held.row;
      run.sandboxes.crm.edit("Contact", contacts[6] ?? "", { MailingCity: "Saltmarsh" });
      await run.poll("crm", "Contact");
      run.sandboxes.ehr.setFault(() => "unavailable");
      await run.down();
      await rm(join(run.data, "queue"), { recursive: true });
      run.sandboxes.ehr.setFault(undefined);
      await run.up();
      await until("both changes", () => {
        const number = JSON.stringify(run.sandboxes.ehr.get("Patient", patients[7] ?? "")).includes("7070");
        return number && addressOf(run, patients[6] ?? "")["city"] === "Saltmarsh";
      });
    });
  });
});

describe("test patients of a production system", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  afterEach(() => run.close());

  async function given(environment: "production" | "sandbox"): Promise<{ test: string; real: string }> {
    const all = { crm: { environment }, ehr: { environment }, marketing: { environment } };
    run = await PracticeRun.prepare({ overrides: { systems: all } });
    const test = run.sandboxes.crm.put("Contact", contactOf(1, { LastName: "ZZTEST Person" }));
    const real = run.sandboxes.crm.put("Contact", contactOf(2));
    await run.up();
    await run.quiet();
    return { test, real };
  }

  it("never leave; a real patient beside them does", async () => {
    const { test, real } = await given("production");
    assert.equal((await run.newest("crm-to-ehr", test))?.state, "denied");
    assert.equal((await run.newest("crm-to-ehr", real))?.state, "done");
    assert.equal(run.sandboxes.ehr.all("Patient").length, 1);
  });

  it("of a sandbox do: that is what they are for", async () => {
    const { test } = await given("sandbox");
    assert.equal((await run.newest("crm-to-ehr", test))?.state, "done");
    assert.equal(run.sandboxes.ehr.all("Patient").length, 2);
  });
});
