// `sluice check`: what it prints, as text and as data, and how it exits.
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkCommand, type CheckOptions } from "../../../src/cli/check.ts";
import type { ChannelTable } from "../../../src/cli/decision-tables.ts";
import { loadConnector } from "../../../src/connector/registry.ts";
import type { Clock } from "../../../src/core/clock.ts";
import { systemRandom } from "../../../src/core/ids.ts";
import { parseJson } from "../../../src/core/json.ts";
import { makeKeys } from "../../../src/settings/keys.ts";
import { ExampleCopy, webhookSecret } from "../settings/example.ts";

function clockAt(day: string): Clock {
  return { now: () => Date.parse(`${day}T15:00:00Z`), monotonic: () => 0, sleep: () => Promise.resolve() };
}

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function check(
  example: ExampleCopy,
  options: Partial<CheckOptions> = {},
  day = "2026-11-25",
  env: Readonly<Record<string, string>> = { MARKETING_WEBHOOK_SECRET: webhookSecret },
): Promise<Result> {
  let out = "";
  let err = "";
  const streams = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) } };
  const code = await checkCommand({ config: example.dir, ...options }, streams, {
    connectors: loadConnector,
    env,
    clock: clockAt(day),
  });
  return { code, out, err };
}

async function tables(example: ExampleCopy, day?: string): Promise<readonly ChannelTable[]> {
  const { out } = await check(example, { json: true }, day);
  return (parseJson(out) as { readonly channels: readonly ChannelTable[] }).channels;
}

describe("cli: check", () => {
  let example: ExampleCopy;
  beforeEach(async () => {
    example = await ExampleCopy.make();
  });
  afterEach(() => example.remove());

  it("warns of keys that are not there, for which a start is refused; with them it has nothing to say", async () => {
    assert.match((await check(example)).err, /the data key is missing[\s\S]*init makes keys[\s\S]*a start is refused/);
    await makeKeys(join(example.dir, "keys"), systemRandom);
    assert.equal((await check(example)).err, "");
  });

  it("warns of places of the production profile that give nothing; with them it has nothing to say", async () => {
    await makeKeys(join(example.dir, "keys"), systemRandom);
    await example.edit(
      "sluice.yaml",
      "profile: embedded",
      "profile: production\nproduction: { mongodb: env:MONGODB_URI, redis: env:REDIS_URL }",
    );
    const env = { MARKETING_WEBHOOK_SECRET: webhookSecret, MONGODB_URI: "mongodb://db/", REDIS_URL: "redis://queue/" };
    const { REDIS_URL: _none, ...without } = env;
    assert.match((await check(example, {}, undefined, without)).err, /REDIS_URL is not set[\s\S]*a start is refused/);
    assert.equal((await check(example, {}, undefined, env)).err, "");
  });

  it("prints for people what may go where, and exits 0", async () => {
    await makeKeys(join(example.dir, "keys"), systemRandom);
    const { code, out, err } = await check(example);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.match(out, /Contact\/Patient data from Practice CRM to EHR for treatment \(TREAT\)/);
    assert.match(out, /agreement with ehr\s+│ baa-ehr until 2028-12-31/);
    assert.match(out, /withheld by default\s+│ everything else/);
    assert.match(out, /consent: only with a consent on file that permits it/);
    assert.match(out, /brake: a person is asked above, within an hour, 20 deletes, 40 cancellations, 20 clears/);
    assert.match(out, /LastName\s+│ name\.where\(use='official'\)\.family\s+│ moves, required/);
    assert.match(out, /3 channels, hash [\w-]{43}/);
    assert.ok(!out.includes(webhookSecret));
  });

  it("says of each mapped field whether it moves, is withheld by the policy, or goes the other way only", async () => {
    const [toEhr, toCrm] = await tables(example);
    const state = (table: ChannelTable | undefined, field: string): string | undefined =>
      table?.resources.flatMap(({ fields }) => fields).find(({ crm }) => crm === field)?.state;
    assert.equal(state(toEhr, "Subject"), "moves");
    assert.equal(state(toCrm, "Subject"), "withheld");
    assert.equal(state(toEhr, "MRN__c"), "not-this-way");
    assert.equal(state(toEhr, "Deceased__c"), "moves");
    assert.equal(state(toCrm, "LastName"), "moves");
  });

  it("exits 1 when the agreements of a live channel are not in force that day, 0 the day before", async () => {
    const before = await check(example, {}, "2028-12-31");
    assert.equal(before.code, 0);
    const after = await check(example, {}, "2029-01-01");
    assert.equal(after.code, 1);
    assert.match(after.err, /channel "crm-to-ehr" is live, but its agreements release nothing today/);
    assert.match(after.out, /NONE: no agreement with this system's owner is in force today/);
    assert.deepEqual(
      (await tables(example, "2029-01-01")).map(({ open }) => open),
      [false, false, true],
    );
  });

  it("works without the secrets and says which are missing", async () => {
    const { code, err } = await check(example, {}, "2026-11-25", {});
    assert.equal(code, 0);
    assert.match(err, /MARKETING_WEBHOOK_SECRET is not set/);
  });

  it("exits 2 on a wrong configuration, with file, line and hint, as text and as data", async () => {
    await example.edit("channels/crm-to-ehr.yaml", "to: ehr", "to: her");
    const text = await check(example);
    assert.equal(text.code, 2);
    assert.equal(text.out, "");
    assert.match(text.err, /channels\/crm-to-ehr\.yaml:\d+: there is no system "her"\n\s+hint: did you mean "ehr"\?/);
    const data = await check(example, { json: true });
    assert.equal(data.code, 2);
    assert.match(data.out, /"where":"channels\/crm-to-ehr\.yaml:\d+"/);
  });

  it("exits 2 when there is no configuration at all", async () => {
    const { code, err } = await check(example, { config: `${example.dir}/nothing` });
    assert.equal(code, 2);
    assert.match(err, /sluice\.yaml: the file cannot be read/);
  });

  it("writes the JSON Schemas when asked", async () => {
    await example.write("schemas/channel.schema.json", "{}");
    await check(example, { writeSchemas: true });
    assert.match(await example.read("schemas/channel.schema.json"), /consentMaxAge/);
  });
});
