// The example configuration as a whole: it loads, its hash names what applies and nothing secret, and overrides count.
import assert from "node:assert/strict";
import { ExampleCopy, webhookSecret } from "./example.ts";

describe("settings: loading the example configuration", () => {
  let example: ExampleCopy;
  beforeEach(async () => {
    example = await ExampleCopy.make();
  });
  afterEach(() => example.remove());

  it("gives a system's limits; those that are not set are not there", async () => {
    await example.edit("systems/crm.yaml", "# rate: 20", "dailyShare: 0.3\nrate: 20");
    await example.edit("systems/ehr.yaml", "# dailyLimit: 50000", "breaker: { base: 1s, cap: 1s }\ndailyLimit: 50000");
    const { systems } = (await example.load()).configuration;
    const of = (id: string) => systems.get(id) ?? assert.fail(`there is no ${id}`);
    assert.deepEqual([of("crm").rate, of("crm").dailyShare], [20, 0.3]);
    assert.deepEqual([of("ehr").dailyLimit, of("ehr").breaker], [50_000, { failures: 5, baseMs: 1_000, capMs: 1_000 }]);
    assert.deepEqual(of("crm").breaker, { failures: 5, baseMs: 5_000, capMs: 300_000 });
    assert.equal("rate" in of("ehr") || "dailyLimit" in of("crm") || "dailyShare" in of("ehr"), false);
  });

  it("gives systems, agreements, channels, mappings and policies with durations in milliseconds", async () => {
    const { configuration, keys, modules, warnings } = await example.load();
    assert.deepEqual([...configuration.systems.keys()], ["crm", "ehr", "marketing"]);
    assert.deepEqual([...configuration.channels.keys()], ["crm-to-ehr", "ehr-to-crm", "ehr-to-marketing"]);
    assert.deepEqual([...configuration.mappings.keys()], ["contact-patient", "event-appointment"]);
    assert.deepEqual([...configuration.policies.keys()], ["crm-operations", "ehr-treatment"]);
    assert.equal(configuration.agreements.length, 4);
    assert.equal(configuration.channels.get("ehr-to-marketing")?.consentMaxAgeMs, 300_000);
    assert.equal(configuration.channels.get("ehr-to-marketing")?.requireConsent, true);
    assert.deepEqual(configuration.retry, { baseMs: 2000, capMs: 900_000, maxAttempts: 8 });
    assert.equal(configuration.leaseMs, 30_000);
    // The one channel spells out the defaults, the other leaves them away.
    const [toEhr, toCrm] = [...configuration.channels.values()].map((channel) => channel.brake);
    assert.deepEqual(toEhr?.clears, { perHour: 20, factor: 3 });
    assert.deepEqual(toEhr, toCrm);
    assert.equal(configuration.systems.get("ehr")?.organization, "Organization/harbor-ehr");
    assert.equal(configuration.systems.get("ehr")?.consentSource, true);
    assert.equal(keys.signing.length, 3);
    assert.equal(modules.get("crm")?.kind, "crm");
    assert.deepEqual(warnings, []);
  });

  it("resolves secrets into the configuration and keeps them out of hash and document", async () => {
    const { configuration, document } = await example.load();
    assert.equal(configuration.systems.get("marketing")?.connection["secret"], webhookSecret);
    assert.ok(!document.includes(webhookSecret));
    assert.ok(document.includes("env:MARKETING_WEBHOOK_SECRET"));
    const other = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
    const changed = await example.load({ env: { MARKETING_WEBHOOK_SECRET: other } });
    assert.equal(changed.configuration.hash, configuration.hash);
  });

  it("reads a secret from a file, relative to the configuration", async () => {
    await example.write("keys/webhook", `${webhookSecret}\n`);
    await example.edit("systems/marketing.yaml", "env:MARKETING_WEBHOOK_SECRET", "file:keys/webhook");
    const { configuration } = await example.load({ env: {} });
    assert.equal(configuration.systems.get("marketing")?.connection["secret"], webhookSecret);
  });

  it("hashes what applies: comments and key paths do not count, a changed allow-list does", async () => {
    const { hash } = (await example.load()).configuration;
    await example.edit("sluice.yaml", "entity:", "# a comment\nentity:");
    await example.edit("sluice.yaml", "file:keys/data.key", "file:/run/secrets/data.key");
    assert.equal((await example.load()).configuration.hash, hash);
    await example.edit("policies/crm-operations.yaml", "    - birthDate\n", "");
    assert.notEqual((await example.load()).configuration.hash, hash);
  });

  it("lays overrides over the files before checking, and hashes them", async () => {
    const { hash } = (await example.load()).configuration;
    const url = "http://127.0.0.1:9999";
    const overrides = { systems: { crm: { connection: { loginUrl: url, instanceUrl: url } } } };
    const { configuration } = await example.load({ overrides });
    assert.equal(configuration.systems.get("crm")?.connection["loginUrl"], url);
    assert.equal(configuration.systems.get("crm")?.connection["username"], "sluice.integration@harbor.example");
    assert.notEqual(configuration.hash, hash);
    const wrong = await example.problems({ overrides: { systems: { crm: { connection: { loginUrl: 7 } } } } });
    assert.match(wrong[0]?.message ?? "", /connection\.loginUrl/);
    const unknown = await example.problems({ overrides: { systems: { cmr: {} } } });
    assert.match(unknown[0]?.hint ?? "", /"crm"/);
  });

  it("reports a missing secret, and only warns and leaves it out when asked to be lenient", async () => {
    const problems = await example.problems({ env: {} });
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.message ?? "", /MARKETING_WEBHOOK_SECRET is not set/);
    assert.equal(
      problems[0]?.where,
      `systems/marketing.yaml:${await example.lineOf("systems/marketing.yaml", "  secret:")}`,
    );
    const { configuration, warnings } = await example.load({ env: {}, secrets: "lenient" });
    assert.equal(warnings.length, 1);
    assert.ok(!("secret" in (configuration.systems.get("marketing")?.connection ?? {})));
  });

  it("reports every problem of every file at once, in order", async () => {
    await example.edit("sluice.yaml", "America/New_York", "America/Harbor");
    await example.edit("channels/crm-to-ehr.yaml", "to: ehr", "to: her");
    await example.edit("policies/crm-operations.yaml", "    - birthDate", "    - birthDat");
    const files = (await example.problems()).map(({ where }) => where.split(":")[0]);
    assert.ok(files.includes("channels/crm-to-ehr.yaml") && files.includes("sluice.yaml"));
    assert.deepEqual(files, [...files].sort());
  });
});
