// What a configuration may not say: each case is one change to the example, which loads without it, and names the file,
// the line and what to do.
import assert from "node:assert/strict";
import { ExampleCopy } from "./example.ts";

interface Case {
  readonly name: string;
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
  /** Text on the line that must be named; absent = the line of the change. */
  readonly at?: string;
  /** File that must be named when it is another one. */
  readonly inFile?: string;
  readonly message: RegExp;
  readonly hint?: RegExp;
}

const channel = "channels/crm-to-ehr.yaml";
const feed = "channels/ehr-to-marketing.yaml";

const cases: readonly Case[] = [
  {
    name: "an unknown name",
    file: channel,
    from: "pollEvery: 30s",
    to: "polEvery: 30s",
    message: /unknown name "polEvery"/,
    hint: /did you mean "pollEvery"/,
  },
  {
    name: "an unknown name deeper down",
    file: channel,
    from: "    policy: ehr-treatment # ",
    to: "    polcy: ehr-treatment # ",
    message: /unknown name "polcy" in "resources.0"/,
    hint: /"policy"/,
  },
  {
    name: "a purpose that is none",
    file: channel,
    from: "purpose: TREAT",
    to: "purpose: TREATMENT",
    message: /"purpose" must be one of/,
    hint: /did you mean "TREAT"/,
  },
  {
    name: "a duration without unit",
    file: channel,
    from: "pollEvery: 30s",
    to: 'pollEvery: "30"',
    message: /a duration is wanted/,
  },
  {
    name: "a missing name",
    file: channel,
    from: "purpose: TREAT\n",
    to: "\n",
    at: "kind: sync",
    message: /"purpose" is missing/,
  },
  {
    name: "a system that does not exist",
    file: channel,
    from: "to: ehr",
    to: "to: her",
    message: /there is no system "her"/,
    hint: /did you mean "ehr"/,
  },
  { name: "a channel to its own source", file: channel, from: "to: ehr", to: "to: crm", message: /cannot lead back/ },
  {
    name: "a mapping that does not exist",
    file: channel,
    from: "mapping: contact-patient",
    to: "mapping: contact-patent",
    message: /no mapping "contact-patent"/,
    hint: /"contact-patient"/,
  },
  {
    name: "a mapping of another type",
    file: channel,
    from: "mapping: contact-patient",
    to: "mapping: event-appointment",
    message: /makes Appointment, not Patient/,
  },
  {
    name: "a sync without mapping",
    file: channel,
    from: /    mapping: contact-patient.*\n/,
    to: "",
    at: "type: Patient",
    message: /needs a mapping for Patient/,
    hint: /contact-patient/,
  },
  {
    name: "a policy for another recipient",
    file: channel,
    from: "policy: ehr-treatment # ",
    to: "policy: crm-operations # ",
    message: /for the recipient "crm", the channel leads to "ehr"/,
  },
  {
    name: "a policy for another purpose",
    file: channel,
    from: "purpose: TREAT",
    to: "purpose: HPAYMT",
    at: "policy: ehr-treatment # ",
    message: /does not cover the purpose HPAYMT/,
    hint: /TREAT/,
  },
  {
    name: "safe-harbor on a sync",
    file: channel,
    from: "policy: ehr-treatment # ",
    to: "policy: safe-harbor # ",
    message: /safe-harbor is for feeds/,
  },
  {
    name: "marketing by sync",
    file: channel,
    from: "purpose: TREAT",
    to: "purpose: HMARKT",
    message: /identified data cannot be sent for marketing/,
    hint: /kind: feed/,
  },
  {
    name: "a feed of identified data",
    file: feed,
    from: "policy: safe-harbor",
    to: "policy: crm-operations",
    message: /a feed needs policy: safe-harbor/,
    hint: /identified data/,
  },
  {
    name: "a feed with a mapping",
    file: feed,
    from: "policy: safe-harbor",
    to: "policy: safe-harbor\n    mapping: contact-patient",
    at: "mapping: contact-patient",
    message: /a feed takes no mapping/,
  },
  {
    name: "a feed of a type without profile",
    file: feed,
    from: "type: Patient",
    to: "type: Observation",
    message: /no profile for Observation/,
  },
  {
    name: "a feed to a system that takes none",
    file: feed,
    from: "to: marketing",
    to: "to: crm",
    message: /a feed needs a recipient/,
  },
  {
    name: "a sync to a recipient",
    file: feed,
    from: "kind: feed",
    to: "kind: sync",
    message: /joins a CRM and a FHIR system/,
  },
  {
    name: "sandbox with production",
    file: "systems/ehr.yaml",
    from: "environment: sandbox",
    to: "environment: production",
    inFile: channel,
    at: "to: ehr",
    message: /sandbox and production may not meet in one channel: "crm" is sandbox, "ehr" is production/,
  },
  {
    name: "no connector of that name",
    file: "systems/crm.yaml",
    from: "connector: salesforce",
    to: "connector: salesfroce",
    message: /no connector "salesfroce"/,
    hint: /did you mean "salesforce"/,
  },
  {
    name: "a connection field that is unknown",
    file: "systems/crm.yaml",
    from: "  username:",
    to: "  usrname:",
    message: /unknown name "usrname" in "connection"/,
    hint: /"username"/,
  },
  {
    name: "an identity of another kind",
    file: "systems/crm.yaml",
    from: "organizationId:",
    to: "organisationId:",
    message: /"organisationId" is no part/,
    hint: /organizationId/,
  },
  {
    name: "an identity in part",
    file: "systems/ehr.yaml",
    from: /  tokenEndpoint:.*\n/,
    to: "",
    at: "identity:",
    message: /does not say who the system is/,
  },
  {
    name: "an address without encryption",
    file: "systems/marketing.yaml",
    from: "url: http://127.0.0.1:8403",
    to: "url: http://marketing.example",
    message: /https address is wanted/,
  },
  {
    name: "a secret in clear",
    file: "systems/marketing.yaml",
    from: "env:MARKETING_WEBHOOK_SECRET",
    to: "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    message: /a secret stands in clear in "connection.secret"/,
    hint: /env:NAME/,
  },
  {
    name: "a key in clear",
    file: "sluice.yaml",
    from: "data: file:keys/data.key",
    to: "data: bm90IGEga2V5",
    message: /a reference is wanted/,
  },
  {
    name: "a webhook secret in clear",
    file: "systems/ehr.yaml",
    from: "consentSource: true",
    to: "consentSource: true\nwebhookSecret: whsec_AAAA",
    at: "webhookSecret:",
    message: /a reference is wanted/,
  },
  {
    name: "a share of a daily limit that the system does not tell",
    file: "systems/ehr.yaml",
    from: "# rate: 10",
    to: "dailyShare: 0.5 #",
    at: "dailyShare",
    message: /does not tell its daily limit/,
    hint: /dailyLimit/,
  },
  {
    name: "a circuit breaker whose longest time is shorter than its shortest",
    file: "systems/ehr.yaml",
    from: "# rate: 10",
    to: "breaker: { base: 10m } #",
    at: "breaker",
    message: /is shorter than/,
    hint: /cap/,
  },
  {
    name: "a consent source that is no FHIR system",
    file: "systems/crm.yaml",
    from: "concurrency: 4",
    to: "consentSource: true\nconcurrency: 4",
    at: "consentSource",
    message: /only a FHIR system/,
  },
  {
    name: "consents required and none to be had",
    file: "systems/ehr.yaml",
    from: "consentSource: true",
    to: "consentSource: false",
    inFile: feed,
    at: "requireConsent: true",
    message: /can never release: it requires consents/,
  },
  {
    name: "a test-patient rule with two conditions",
    file: "systems/crm.yaml",
    from: "    startsWith: ZZTEST",
    to: "    startsWith: ZZTEST\n    equals: Test",
    at: "path: LastName",
    message: /either equals or startsWith/,
  },
  {
    name: "an agreement that expires before it starts",
    file: "agreements/baa-crm.yaml",
    from: "2028-12-31",
    to: "2024-12-31",
    message: /expires before it takes effect/,
  },
  {
    name: "a day that does not exist",
    file: "agreements/baa-crm.yaml",
    from: "2028-12-31",
    to: "2028-02-30",
    message: /a day is wanted/,
  },
  {
    name: "an agreement with one signature",
    file: "agreements/baa-crm.yaml",
    from: /  - Mei Tanaka.*\n/,
    to: "",
    at: "signedBy",
    message: /lacks a signature/,
  },
  {
    name: "an agreement with an unknown system",
    file: "agreements/baa-crm.yaml",
    from: "systems: [crm]",
    to: "systems: [crm, cmr]",
    message: /there is no system "cmr"/,
  },
  {
    name: "a path that R4 does not have",
    file: "policies/crm-operations.yaml",
    from: "    - birthDate",
    to: "    - birthDat",
    message: /no element birthDat/,
    hint: /birthDate/,
  },
  {
    name: "two different link fields",
    file: "systems/crm.yaml",
    from: "signingKeyId:",
    to: "linkField: Other_Id__c\n  signingKeyId:",
    inFile: channel,
    at: "mapping: contact-patient",
    message: /links by Sluice_Link_Id__c, system "crm" by Other_Id__c/,
  },
  {
    name: "an id that differs from the file's name",
    file: channel,
    from: "kind: sync",
    to: "id: other\nkind: sync",
    at: "id: other",
    message: /differs from the file's name "crm-to-ehr"/,
  },
];

describe("settings: what is refused", () => {
  let example: ExampleCopy;
  beforeEach(async () => {
    example = await ExampleCopy.make();
  });
  afterEach(() => example.remove());

  it("nothing in the example itself", async () => {
    assert.deepEqual(await example.problems(), []);
  });

  for (const one of cases) {
    it(one.name, async () => {
      await example.edit(one.file, one.from, one.to);
      const problems = await example.problems();
      const file = one.inFile ?? one.file;
      const where = `${file}:${await example.lineOf(file, one.at ?? one.to.split("\n")[0] ?? "")}`;
      const found = problems.find((problem) => problem.where === where && one.message.test(problem.message));
      assert.ok(found, `nothing like ${one.message} at ${where} in ${JSON.stringify(problems, undefined, 1)}`);
      if (one.hint) assert.match(found.hint ?? "", one.hint);
    });
  }

  it("a channel that no agreement covers, and accepts it once one does", async () => {
    await example.edit("agreements/baa-crm.yaml", "purposes: [TREAT, HOPERAT]", "purposes: [TREAT]");
    const problems = await example.problems();
    assert.deepEqual(
      problems.map(({ message }) => message),
      ["Patient", "Appointment"].map(
        (type) =>
          `the channel can never release ${type} for HOPERAT: for "crm", no agreement in force covers this purpose of use`,
      ),
    );
    assert.match(problems[0]?.hint ?? "", /baa-crm/);
    await example.write(
      "agreements/second.yaml",
      (await example.read("agreements/baa-crm.yaml")).replace("[TREAT]", "[HOPERAT]"),
    );
    assert.deepEqual(await example.problems(), []);
  });

  it("a feed whose source may not be de-identified", async () => {
    await example.edit(
      "agreements/own-deidentification.yaml",
      "deidentificationPermitted: true",
      "deidentificationPermitted: false",
    );
    const [problem] = await example.problems();
    assert.match(problem?.message ?? "", /for "ehr", the agreement .* does not permit de-identification/);
  });

  it("an expired agreement is no problem of the configuration: dates are judged at run time", async () => {
    await example.edit("agreements/baa-crm.yaml", "2028-12-31", "2025-12-31");
    assert.deepEqual(await example.problems(), []);
  });

  it("two channels for the same route and type, but not two for different types", async () => {
    const copy = (await example.read(channel)).split("  - type: Appointment")[0] ?? "";
    const end = "pollEvery: 1m\n";
    await example.write("channels/second.yaml", copy + end);
    const [problem, ...others] = await example.problems();
    assert.match(
      problem?.message ?? "",
      /channel "second" and channel "crm-to-ehr" both sync Patient from "crm" to "ehr"/,
    );
    assert.deepEqual(others, []);
    await example.edit(channel, /  - type: Patient[^]*?(?=  - type: Appointment)/, "");
    assert.deepEqual(await example.problems(), []);
  });

  it("two policies for the same recipient, purpose and type, but not for different purposes", async () => {
    const copy = await example.read("policies/crm-operations.yaml");
    await example.write("policies/second.yaml", copy);
    assert.match((await example.problems())[0]?.message ?? "", /policy "second" and policy "crm-operations" both say/);
    await example.write("policies/second.yaml", copy.replace("[HOPERAT]", "[HPAYMT]"));
    const { warnings } = await example.load();
    assert.match(warnings[0]?.message ?? "", /no channel uses the policy "second"/);
  });

  it("a reference to a file that is broken is not also reported as dangling", async () => {
    await example.edit("mappings/contact-patient.yaml", "subject: self", "subjct: self");
    const files = new Set((await example.problems()).map(({ where }) => where.split(":")[0]));
    assert.deepEqual([...files], ["mappings/contact-patient.yaml"]);
  });

  it("folders and files that are no part of a configuration", async () => {
    await example.write("chanels.yaml", "a: 1\n");
    await example.write("channels/notes.txt", "x");
    await example.write("channels/Upper.yaml", "x: 1\n");
    const places = (await example.problems()).map(({ where }) => where);
    assert.deepEqual(places, ["chanels.yaml", "channels/Upper.yaml", "channels/notes.txt"]);
  });
});
