// A consent that is deleted at its source is in no list of changes; the sweep finds it gone, and then it permits no more.
import assert from "node:assert/strict";
import { sweepConsents } from "../../src/exchange/consent-sweep.ts";
import { optOut, patientOf } from "./persons.ts";
import { PracticeRun } from "./practice-run.ts";

type Resource = Parameters<PracticeRun["sandboxes"]["ehr"]["put"]>[0];

describe("a consent that is deleted at its source", function () {
  this.timeout(60_000);
  let run: PracticeRun;
  afterEach(() => run.close());

  const optIn = (patient: string): Resource => ({
    ...optOut(patient),
    policyRule: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "OPTIN" }] },
  });

  for (const deleted of [true, false]) {
    it(deleted ? "permits nothing after the next sweep" : "still permits when it is still there", async () => {
      const channels = { "crm-to-ehr": { mode: "off" }, "ehr-to-crm": { requireConsent: true } } as const;
      run = await PracticeRun.prepare({ overrides: { channels } });
      const { crm, ehr } = run.sandboxes;
      ehr.put(optIn("patient-1"));
      ehr.put(optIn("patient-2"));
      const { gateway } = await run.up();
      await run.poll("ehr", "Consent");
      if (deleted) ehr.remove("Consent", "consent-patient-1");
      assert.equal(await sweepConsents(gateway, "ehr"), deleted ? 1 : 0);
      assert.equal(await sweepConsents(gateway, "ehr"), 0);
      ehr.put(patientOf(1));
      ehr.put(patientOf(2));
      await run.poll("ehr", "Patient");
      await run.quiet();
      assert.equal(crm.records("Contact").size, deleted ? 1 : 2);
      const [row] = await run.rows({ source: { id: "patient-1" } });
      assert.equal(row?.state, deleted ? "denied" : "done");
    });
  }
});
