// What always holds, seen over a run with both kinds of channel: all of it on record, each exchange once, in order, and
// nothing that a request says of itself chooses what applies to it.
import assert from "node:assert/strict";
import { retry } from "../../src/cli/exchanges.ts";
import type { Json, JsonObject } from "../../src/core/json.ts";
import type { Row } from "../../src/exchange/ports.ts";
import type { Resource } from "../../connectors/fhir-r4/sandbox/index.ts";
import { contactOf, optOut, patientOf } from "./persons.ts";
import { configDir, PracticeRun, textOf, until } from "./practice-run.ts";
import { signedHeaders } from "./signed-notice.ts";

/** A patient of whom the marketing tool may know. */
function optIn(patient: string): Resource {
  const policyRule = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "OPTIN" }] };
  return { ...optOut(patient), policyRule };
}

function mobileIn(patient: JsonObject | undefined): string {
  const telecom = (patient?.["telecom"] ?? []) as readonly JsonObject[];
  return textOf(telecom.find((one) => one["use"] === "mobile")?.["value"]);
}

describe("what always holds", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  const contacts: string[] = [];

  before(async () => {
    run = await PracticeRun.prepare({ feed: true, notices: true });
    for (let n = 0; n < 6; n += 1) {
      run.sandboxes.ehr.put(patientOf(n));
      contacts.push(run.sandboxes.crm.put("Contact", contactOf(n)));
    }
    run.sandboxes.ehr.put(optIn("patient-0"));
    run.sandboxes.ehr.put(optIn("patient-1"));
    run.sandboxes.ehr.put(optOut("patient-2"));
    await run.up();
    await run.quiet();
  });
  after(() => run.close());

  const patient = (n: number): JsonObject | undefined => run.sandboxes.ehr.get("Patient", `patient-${n}`);

  describe("invariant 3: permits, denials, failures and retries are all on record", () => {
    const names = /^[A-Za-z[\]:.()='/ -]+$/;
    let entries: readonly JsonObject[];

    before(async () => {
      run.sandboxes.crm.edit("Contact", contacts[3] ?? "", { Gender__c: "Two-Spirit" });
      run.sandboxes.crm.edit("Contact", contacts[4] ?? "", { MobilePhone: "(555) 555-6040" });
      run.sandboxes.crm.edit("Contact", contacts[2] ?? "", { MobilePhone: "(555) 555-6020" });
      await run.quiet();
      const [row] = await run.rows({ states: ["quarantined"] });
      await retry({ config: configDir, data: run.data, id: row?.id ?? "" });
      await run.quiet();
      entries = await run.audit();
    });

    const of = (row: Row, kind: string): readonly JsonObject[] =>
      entries.filter((entry) => entry["exchange"] === row.id && entry["kind"] === kind);

    it("each exchange that was delivered: its disclosure before its outcome, with what it rests on", async () => {
      const done = await run.rows({ states: ["done"], channel: "crm-to-ehr" });
      assert.ok(done.length > 0);
      for (const row of done) {
        const [disclosure] = of(row, "disclosure");
        const outcome = of(row, "outcome").find((entry) => entry["outcome"] === "applied");
        assert.ok(disclosure && outcome, row.id);
        assert.ok(entries.indexOf(disclosure) < entries.indexOf(outcome));
        for (const name of [
          "rule",
          "citation",
          "policy",
          "mapping",
          "configuration",
          "queuedUnder",
          "consentVersion",
        ]) {
          assert.ok(typeof disclosure[name] === "string" && disclosure[name] !== "", name);
        }
        assert.equal(disclosure["decision"], "permit");
        assert.equal(disclosure["purpose"], "TREAT");
        assert.deepEqual([...(disclosure["agreements"] as readonly string[])].sort(), ["baa-crm", "baa-ehr"]);
        assert.ok((disclosure["released"] as readonly Json[]).length > 0);
        for (const element of [disclosure["released"], disclosure["withheld"]].flat()) {
          assert.match(textOf(element), names);
        }
      }
    });

    it("each line of a batch: a disclosure of its own", async () => {
      const lines = run.sandboxes.sink.received.flatMap((batch) => batch.lines);
      const disclosures = entries.filter(
        (entry) => entry["kind"] === "disclosure" && entry["channel"] === "ehr-to-marketing",
      );
      assert.ok(lines.length >= 2);
      assert.equal(disclosures.length, lines.length);
      for (const entry of disclosures) assert.equal(entry["purpose"], "HMARKT");
    });

    it("each denial: its rule and citation", async () => {
      const denied = await run.rows({ states: ["denied"] });
      assert.ok(denied.some((row) => row.channel === "crm-to-ehr"));
      for (const row of denied) {
        const [denial] = of(row, "denial");
        assert.equal(denial?.["rule"], row.cause, row.id);
        assert.ok(denial?.["citation"]);
        assert.equal(of(row, "disclosure").length, 0);
      }
    });

    it("each failure that needs a person, and the person's retry", async () => {
      const quarantined = await run.rows({ states: ["quarantined"], source: { id: contacts[3] ?? "" } });
      assert.equal(quarantined.length, 1);
      for (const row of quarantined) assert.equal(of(row, "failure").length, 2, "before the retry and after it");
      const retries = entries.filter((entry) => textOf(entry["cause"]).startsWith("exchanges retry"));
      assert.equal(retries.length, 1);
      assert.equal(retries[0]?.["kind"], "administration");
      assert.ok(retries[0]["actor"]);
    });
  });

  describe("invariant 7: each exchange takes effect once", () => {
    /** Applies the first request that fits, and loses its answer. */
    function loseAnswerOf(method: string): () => number {
      let lost = 0;
      run.sandboxes.ehr.setFault((request) => {
        if (request.method !== method || lost > 0) return undefined;
        lost += 1;
        return "lost-answer";
      });
      return () => lost;
    }
    afterEach(() => {
      run.sandboxes.ehr.setFault(undefined);
    });

    it("a create whose answer was lost is found again, not made again", async () => {
      const lost = loseAnswerOf("POST");
      const contact = run.sandboxes.crm.put("Contact", contactOf(40));
      const row = await until(
        "its end",
        async () => (await run.rows({ source: { id: contact }, states: ["done"] }))[0],
      );
      await run.quiet();
      assert.equal(lost(), 1);
      const born = run.sandboxes.ehr.all("Patient").filter((one) => one["birthDate"] === contactOf(40)["Birthdate"]);
      assert.equal(born.length, 1);
      assert.equal(run.sandboxes.ehr.history("Patient", String(born[0]?.["id"])).length, 1);
      const outcomes = (await run.auditOf(row.id)).filter((entry) => entry["kind"] === "outcome");
      assert.deepEqual(
        outcomes.map((entry) => entry["outcome"]),
        ["unknown", "applied"],
      );
    });

    it("an update whose answer was lost is read back, not sent again", async () => {
      const versions = run.sandboxes.ehr.history("Patient", "patient-4").length;
      const lost = loseAnswerOf("PUT");
      run.sandboxes.crm.edit("Contact", contacts[4] ?? "", { MobilePhone: "(555) 555-6041" });
      await until("the number", () => mobileIn(patient(4)).endsWith("6041"));
      await run.quiet();
      assert.equal(lost(), 1);
      assert.equal(run.sandboxes.ehr.history("Patient", "patient-4").length, versions + 1);
    });

    it("a batch whose answer was lost is sent again byte for byte under its id, and stored once", async () => {
      let lost = 0;
      const stored = run.sandboxes.sink.counts.stored;
      run.sandboxes.sink.setFault(() => {
        lost += 1;
        return lost === 1 ? "lost-answer" : undefined;
      });
      run.sandboxes.ehr.edit("Patient", "patient-0", (one) => ({ ...one, gender: "other" }));
      await until("the repetition", () => run.sandboxes.sink.counts.repeated === 1);
      run.sandboxes.sink.setFault(undefined);
      await run.quiet();
      assert.equal(run.sandboxes.sink.counts.stored, stored + 1);
      assert.equal(run.sandboxes.sink.counts.repeated, 1);
    });
  });

  describe("invariant 10: one person's exchanges run in order; one bad record blocks nobody else", () => {
    it("the EHR saw a subsequence of the CRM's values, and the last one", async () => {
      const contact = contacts[5] ?? "";
      const from = run.sandboxes.ehr.history("Patient", "patient-5").length;
      const values: string[] = [];
      for (let n = 0; n < 12; n += 1) {
        values.push(`(555) 555-51${String(n).padStart(2, "0")}`);
        run.sandboxes.crm.edit("Contact", contact, { MobilePhone: values[n] ?? "" });
        await run.clock.sleep(30);
      }
      const last = values.at(-1) ?? "";
      await until("the last one", () => mobileIn(patient(5)) === last);
      await run.quiet();
      const seen = run.sandboxes.ehr.history("Patient", "patient-5").slice(from).map(mobileIn);
      const order = seen.map((value) => values.indexOf(value));
      assert.ok(seen.length > 0);
      assert.ok(!order.includes(-1), "every value seen was one of the CRM's");
      assert.deepEqual(
        order,
        [...new Set(order)].sort((a, b) => a - b),
      );
      assert.equal(seen.at(-1), last);
    });

    it("while one person's record is refused by the EHR, another's goes through", async () => {
      run.sandboxes.ehr.setFault(({ method, url }) =>
        method === "PUT" && url.pathname.endsWith("patient-5") ? "unavailable" : undefined,
      );
      run.sandboxes.crm.edit("Contact", contacts[5] ?? "", { MobilePhone: "(555) 555-5190" });
      await until("the bad one to wait", async () => {
        const row = await run.newest("crm-to-ehr", contacts[5] ?? "");
        return row?.state === "queued" && row.waitingSince > 0;
      });
      run.sandboxes.crm.edit("Contact", contacts[0] ?? "", { MobilePhone: "(555) 555-5191" });
      await until("the other one", () => mobileIn(patient(0)) === "(555) 555-5191");
      assert.notEqual(mobileIn(patient(5)), "(555) 555-5190");
      run.sandboxes.ehr.setFault(undefined);
      await until("the bad one after all", () => mobileIn(patient(5)) === "(555) 555-5190");
    });
  });

  describe("invariant 13: nothing in a request chooses a policy, a mapping or a purpose", () => {
    it("a notice that names another channel, purpose, policy and mapping is run under its own", async () => {
      const contact = run.sandboxes.crm.put("Contact", contactOf(50));
      await run.sandboxes.crm.noticesSent();
      const wish = {
        channel: "ehr-to-marketing",
        purpose: "HMARKT",
        policy: "crm-operations",
        mapping: "event-appointment",
      };
      const body = JSON.stringify({ type: "Contact", id: contact, event: "change", ...wish });
      const query = new URLSearchParams(wish).toString();
      const response = await fetch(`${run.running.address}/webhooks/crm?${query}`, {
        method: "POST",
        body,
        headers: {
          ...signedHeaders(run.noticeSecret, "wishes", body, run.clock.now()),
          "x-purpose-of-use": "HMARKT",
        },
      });
      assert.equal(response.status, 202);
      const rows = await until("all its exchanges to end", async () => {
        const all = await run.rows({ source: { id: contact } });
        return all.length > 1 && all.every((row) => row.endedAt > 0) ? all : undefined;
      });
      assert.deepEqual(new Set(rows.map((row) => row.channel)), new Set(["crm-to-ehr"]));
      for (const row of rows) {
        for (const entry of await run.auditOf(row.id)) {
          assert.equal(entry["purpose"], "TREAT");
          assert.equal(entry["policy"], "ehr-treatment");
          assert.equal(entry["mapping"], "contact-patient");
        }
      }
      const made = rows.filter((row) => row.state === "done");
      assert.equal(made.length, 1);
    });
  });
});
