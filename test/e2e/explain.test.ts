// `sluice explain` shows what would become of a record, and touches nothing.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explain, type ExplainOptions } from "../../src/cli/explain.ts";
import { parseJson, type JsonObject } from "../../src/core/json.ts";
import { openStoreAt } from "../../src/embedded.ts";
import { contactOf, optOut, patientOf } from "./persons.ts";
import { configDir, PracticeRun } from "./practice-run.ts";
import { printedBy } from "./printed.ts";

interface Result {
  readonly gates: readonly {
    readonly gate: string;
    readonly outcome: string;
    readonly rule: string;
    readonly citation: string;
  }[];
  readonly source?: JsonObject;
  readonly leaves?: JsonObject;
  readonly withheld: readonly string[];
  readonly destination?: { readonly found: string; readonly differences: readonly JsonObject[] };
  readonly end: string;
}

describe("explain", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-explain-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function ask(options: Partial<ExplainOptions>): Promise<{ code: number; result: Result; text: string }> {
    const { overrides, env } = run.sandboxes;
    const all = { config: configDir, data: run.data, overrides, env, channel: "ehr-to-crm", json: true, ...options };
    const { text, result: code } = await printedBy(() => explain(all));
    return { code, text, result: (all.json ? parseJson(text) : {}) as Result };
  }

  const traffic = (): readonly number[] => {
    const { crm, ehr } = run.sandboxes;
    return [crm.counts.requests + ehr.counts.requests, run.writes];
  };

  describe("in a sandbox", () => {
    before(async () => {
      run = await PracticeRun.prepare({ overrides: { agreements: { "baa-crm": { expires: "2027-06-30" } } } });
      const ssn = [{ system: "http://hl7.org/fhir/sid/us-ssn", value: "999-00-1234" }];
      run.sandboxes.ehr.put(patientOf(1, { identifier: ssn, maritalStatus: { text: "widowed" } }));
      run.sandboxes.crm.put("Contact", contactOf(1));
      run.sandboxes.ehr.put(patientOf(2));
      run.sandboxes.ehr.put(optOut("patient-2"));
      await run.up();
      await run.quiet();
      await run.down();
      run.sandboxes.ehr.edit("Patient", "patient-1", (one) => ({
        ...one,
        telecom: [
          { system: "phone", use: "mobile", value: "(555) 555-8001" },
          { system: "email", value: "person1@mail.example" },
        ],
      }));
    });
    after(() => run.close());

    it("a live record: each gate with rule and citation, exactly what would leave, the difference there; nothing is written", async () => {
      const [, before] = traffic();
      const { code, result } = await ask({ id: "patient-1", type: "Patient" });
      assert.equal(code, 0);
      for (const gate of result.gates) {
        assert.match(gate.outcome, /^(permit|not-applicable)$/, gate.rule);
        assert.ok(gate.rule && gate.citation, gate.gate);
      }
      const names = new Set(result.gates.map((gate) => gate.gate));
      for (const name of ["environment", "agreement", "consent", "minimum-necessary"]) assert.ok(names.has(name), name);
      const { name, birthDate, address, active } = patientOf(1);
      assert.deepEqual(result.leaves, {
        resourceType: "Patient",
        // It says of itself that it is not the whole record.
        meta: { tag: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", code: "SUBSETTED" }] },
        active,
        name: [{ use: "official", family: (name as { family: string }[])[0]?.family, given: ["Givenb"] }],
        birthDate,
        telecom: [
          { system: "email", value: "person1@mail.example" },
          { system: "phone", use: "mobile", value: "(555) 555-8001" },
        ],
        address,
      });
      assert.equal(result.destination?.differences.length, 1);
      assert.match(result.end, /updated/);
      assert.equal(traffic()[1], before);
    });

    it("the opted-out patient beside it: refused by the consent rule, exit code 1, nothing leaves", async () => {
      const { code, result } = await ask({ id: "patient-2", type: "Patient" });
      assert.equal(code, 1);
      assert.equal(result.leaves, undefined);
      const no = result.gates.find((gate) => gate.outcome === "deny");
      assert.equal(no?.gate, "consent");
      assert.ok(no.citation);
    });

    it("a record from a file: no system is called at all", async () => {
      const file = join(folder, "contact.json");
      await writeFile(
        file,
        JSON.stringify({ attributes: { type: "Contact" }, Id: "003000000000009AAA", ...contactOf(9) }),
      );
      const before = traffic();
      const { code, result } = await ask({ channel: "crm-to-ehr", record: file });
      assert.equal(code, 0);
      assert.equal(result.leaves?.["resourceType"], "Patient");
      assert.equal(result.leaves["birthDate"], contactOf(9)["Birthdate"]);
      assert.deepEqual(traffic(), before);
    });

    it("--at: a day on which the agreement is over says no; the day before says yes", async () => {
      const file = join(folder, "patient.json");
      await writeFile(file, JSON.stringify({ ...patientOf(5), id: "patient-5" }));
      const over = await ask({ record: file, at: "2027-07-02T12:00:00Z" });
      assert.equal(over.code, 1);
      assert.ok(over.result.gates.some((gate) => gate.gate === "agreement" && gate.outcome === "deny"));
      // On the last day only the facts are too old: the agreement itself says yes.
      const last = await ask({ record: file, at: "2027-06-30T12:00:00Z" });
      assert.ok(
        last.result.gates.filter((gate) => gate.gate === "agreement").every((gate) => gate.outcome === "permit"),
      );
    });

    it("leaves nothing behind in the ledger, not even asked for another day", async () => {
      const look = async (): Promise<object> => {
        const store = await openStoreAt(run.data);
        try {
          const types = ["Patient", "Appointment", "Consent"];
          return {
            counts: await store.ledger.counts(),
            paused: (await store.systems.get("ehr")).paused,
            cursors: await Promise.all(types.map((type) => store.cursors.get(`poll:ehr/${type}`))),
            audit: await store.audit.head(),
          };
        } finally {
          await store.close();
        }
      };
      const before = await look();
      await ask({ id: "patient-1", type: "Patient" });
      const later = await ask({ id: "patient-1", type: "Patient", at: "2027-07-02T12:00:00Z" });
      assert.equal(later.code, 1);
      const earlier = await ask({ id: "patient-1", type: "Patient", at: "2026-12-24T12:00:00Z" });
      assert.equal(earlier.code, 0, earlier.result.end);
      assert.deepEqual(await look(), before);
    });

    it("facts that would be too old are read anew first: a consent revoked since then is seen, and still nothing kept", async () => {
      const later = { id: "patient-1", type: "Patient", at: "2026-12-24T12:00:00Z" };
      run.sandboxes.ehr.put(optOut("patient-1"));
      const { code, result } = await ask(later);
      run.sandboxes.ehr.put({ ...optOut("patient-1"), status: "inactive" });
      assert.equal(code, 1);
      assert.equal(result.gates.find((gate) => gate.outcome === "deny")?.gate, "consent", result.end);
      assert.equal((await ask(later)).code, 0);
    });

    it("in words: a table of gates and the result", async () => {
      const { text } = await ask({ id: "patient-1", type: "Patient", json: false });
      for (const word of ["rule", "citation", "exactly this leaves", "result: would be updated"])
        assert.ok(text.includes(word), word);
    });

    it("nothing to explain, an unknown channel, a time that is none: told what to do", async () => {
      await assert.rejects(ask({}), { code: "usage-wrong" });
      await assert.rejects(ask({ id: "x", channel: "nowhere" }), { code: "usage-wrong" });
      await assert.rejects(ask({ id: "patient-1", at: "yesterday" }), { code: "usage-wrong" });
    });
  });

  describe("in production", () => {
    const live = { id: "patient-1", type: "Patient" };
    before(async () => {
      const environment = "production";
      const all = { crm: { environment }, ehr: { environment }, marketing: { environment } };
      run = await PracticeRun.prepare({ overrides: { systems: all } });
      run.sandboxes.ehr.put(patientOf(1));
      await run.up();
      await run.quiet();
      await run.down();
    });
    after(() => run.close());

    it("values are masked, names of elements are not", async () => {
      const { text, result } = await ask(live);
      assert.doesNotMatch(text, /Givenb|person1@mail\.example|Port Ansel/);
      assert.ok(result.source && "birthDate" in result.source);
    });

    it("--reveal without a reason is refused", async () => {
      await assert.rejects(ask({ ...live, reveal: true }), { code: "usage-wrong" });
    });

    it("--reveal with a reason shows them, and is on record", async () => {
      const { text } = await ask({ ...live, reveal: true, reason: "ticket 4711" });
      assert.match(text, /Givenb/);
      await run.up();
      const accesses = (await run.audit()).filter((entry) => entry["kind"] === "access");
      assert.equal(accesses.length, 1);
      assert.equal(accesses[0]?.["reason"], "ticket 4711");
      assert.equal(accesses[0]["cause"], "explain --reveal");
    });
  });
});
