// A data loader ruins many records at once: the channel's brake lets its limit through, keeps all else, and a person decides
// with a preview to apply, to discard or to restore. Below the limit nobody is asked.
import assert from "node:assert/strict";
import * as brake from "../../src/cli/brake.ts";
import { itemsOf } from "../../src/cli/exchanges.ts";
import { parseJson, type JsonObject } from "../../src/core/json.ts";
import { openStates } from "../../src/core/records.ts";
import type { Preview } from "../../src/exchange/brake/preview.ts";
import type { Overrides } from "../../src/settings/files.ts";
import { contactOf, patientOf } from "./persons.ts";
import { configDir, PracticeRun, textOf, until } from "./practice-run.ts";
import { printedBy } from "./printed.ts";

const channel = "crm-to-ehr";
const limit = 4;
const persons = 12;
const limits = { perHour: limit, factor: 1 };
const overrides: Overrides = { channels: { [channel]: { brake: { clears: limits, identity: limits } } } };

describe("the brake of a channel", function () {
  this.timeout(120_000);
  let run: PracticeRun;
  let contacts: string[];
  let patients: string[];

  async function start(): Promise<void> {
    run = await PracticeRun.prepare({ overrides });
    contacts = [];
    patients = [];
    for (let n = 0; n < persons; n += 1) {
      patients.push(run.sandboxes.ehr.put(patientOf(n))["id"]);
      contacts.push(run.sandboxes.crm.put("Contact", contactOf(n)));
    }
    await run.up();
    await run.quiet();
  }

  const contactAt = (n: number): Readonly<Record<string, unknown>> =>
    run.sandboxes.crm.records("Contact").get(contacts[n] ?? "") ?? {};
  const patientAt = (n: number): JsonObject => run.sandboxes.ehr.get("Patient", patients[n] ?? "") ?? {};
  const hasMobile = (n: number): boolean => textOf(patientAt(n)["telecom"]).includes('"mobile"');
  const cityAt = (n: number): string => textOf((patientAt(n)["address"] as readonly JsonObject[])[0]?.["city"]);
  const all = [...Array(persons).keys()];
  const kept = (): readonly number[] => all.filter(hasMobile);
  const edit = (n: number, fields: Readonly<Record<string, unknown>>): void => {
    run.sandboxes.crm.edit("Contact", contacts[n] ?? "", fields);
  };
  const isStopped = (): boolean => run.running.gateway.brakes.has(channel);

  /**
   * A loader's run over these: all are reported, and whatever may run has run. Then at most `limit` have got through: what
   * was counted and not yet sent when the channel stopped is not sent either.
   */
  async function load(numbers: readonly number[], fields: Readonly<Record<string, unknown>>): Promise<void> {
    for (const n of numbers) edit(n, fields);
    await until("the brake", isStopped);
    await settled();
  }

  /** The worker has had the chance to take what it would take, and has nothing under way. */
  async function settled(): Promise<void> {
    await run.pollAll();
    for (let beats = 0; beats < 3; beats += 1) {
      await run.running.worker.sweep();
      await until("the lanes to be free", async () => (await run.running.store.ledger.held()).length === 0);
    }
  }

  const options = (): { readonly config: string; readonly data: string; readonly channel: string } & Pick<
    PracticeRun["sandboxes"],
    "overrides" | "env"
  > => {
    const { overrides: over, env } = run.sandboxes;
    return { config: configDir, data: run.data, channel, overrides: over, env };
  };
  const because = { reason: "the loader's file was wrong" };

  async function previewed(): Promise<Preview & { readonly text: string }> {
    const { text } = await printedBy(() => brake.preview({ ...options(), limit: 100, json: true }));
    return { ...(parseJson(text) as Preview), text };
  }

  const administration = async (): Promise<readonly JsonObject[]> =>
    (await run.audit()).filter((entry) => entry["kind"] === "administration" && entry["channel"] === channel);

  describe("when what it would do is right", () => {
    before(start);
    after(() => run.close());

    it("below the limit everything flows, and there is nothing to decide", async () => {
      for (const n of [0, 1, 2]) edit(n, { MobilePhone: null });
      await until("the numbers to be cleared", () => !hasMobile(0) && !hasMobile(1) && !hasMobile(2));
      await run.quiet();
      assert.equal(isStopped(), false);
      await assert.rejects(brake.apply({ ...options(), ...because }), { code: "usage-wrong" });
    });

    it("a write that fails and is tried again is counted once", async () => {
      const counts = async (): Promise<string> => {
        const { text: lines } = await printedBy(() => brake.list({ ...options(), json: true }));
        return lines.split("\n").find((line) => line.includes('"clears"') && line.includes(channel)) ?? "";
      };
      assert.match(await counts(), /"lastHour":3,"limit":4/);
      run.sandboxes.ehr.setFault(({ method }) => (method === "PUT" ? "unavailable" : undefined));
      edit(3, { MobilePhone: null });
      await until("three attempts", async () => ((await run.newest(channel, contacts[3] ?? ""))?.attempt ?? 0) >= 3);
      run.sandboxes.ehr.setFault(undefined);
      await until("the fourth number to be cleared", () => !hasMobile(3));
      await run.quiet();
      assert.match(await counts(), /"lastHour":4,"limit":4/);
      assert.equal(isStopped(), false);
    });

    it("above it nothing more is written, what is accepted is kept, and it goes on record once", async () => {
      await load(all.slice(4), { MobilePhone: null });
      assert.equal(kept().length, persons - limit);
      const open = await run.rows({ channel, states: openStates });
      assert.equal(open.length, kept().length);
      const stops = (await administration()).filter((entry) => entry["cause"] === "brake stopped");
      assert.equal(stops.length, 1);
      assert.equal(stops[0]?.["actor"], "sluice");
      assert.match(textOf(stops[0]?.["reason"]), /5 clears within an hour, the limit is 4/);
    });

    it("a harmless change of the channel waits too; the other channel's goes through", async () => {
      edit(1, { MailingCity: "Saltmarsh" });
      run.sandboxes.ehr.edit("Patient", patients[0] ?? "", (one) => ({ ...one, active: false }));
      await until("the other channel", () => contactAt(0)["Active__c"] === false);
      await settled();
      assert.equal(cityAt(1), "Port Ansel");
    });

    it("a restart leaves it stopped", async () => {
      const before = kept();
      await run.down();
      await run.up();
      assert.equal(isStopped(), true);
      await settled();
      assert.deepEqual(kept(), before);
    });

    it("the preview names the records and the elements, and no values", async () => {
      const found = await previewed();
      assert.equal(found.stopped?.kind, "clears");
      assert.deepEqual(found.counts, { clears: kept().length });
      const named = found.counted.map((one) => one.destination.id).sort();
      assert.deepEqual(
        named,
        kept()
          .map((n) => patients[n] ?? "")
          .sort(),
      );
      assert.ok(found.counted.every((one) => one.changes.every((change) => change.element === "telecom.value")));
      assert.ok(found.records > kept().length);
      assert.doesNotMatch(found.text, /555/);
      const items = await itemsOf(run.running.store, run.clock.now());
      assert.match(items.find((item) => item.group === `brake:${channel}`)?.fix ?? "", /brake preview --channel/);
    });

    it("a decision needs a reason", async () => {
      await assert.rejects(brake.apply(options()), { code: "usage-wrong" });
      assert.equal(isStopped(), true);
    });

    it("apply: all that was accepted is written, on record", async () => {
      assert.equal(await brake.apply({ ...options(), ...because }), 0);
      await until("all to be cleared", () => kept().length === 0);
      await run.quiet();
      assert.equal(cityAt(1), "Saltmarsh");
      const [decision] = (await administration()).filter((entry) => entry["cause"] === "brake apply clears");
      assert.equal(decision?.["reason"], because.reason);
      assert.match(textOf(decision?.["actor"]), /^operator:/);
    });

    it("it is armed again for what comes later", async () => {
      for (const n of all) edit(n, { MobilePhone: `(555) 444-${1000 + n}` });
      await until("the new numbers", () => kept().length === persons);
      await run.quiet();
      await load(all, { MobilePhone: null });
      assert.ok(kept().length >= persons - limit);
    });
  });

  describe("when it was wrong, and is discarded", () => {
    before(start);
    after(() => run.close());
    let left: readonly number[];

    it("the EHR keeps its values; what else the same records bring goes through", async () => {
      await load(all, { MobilePhone: null, MailingCity: "Gullhaven" });
      left = kept();
      assert.ok(left.length >= persons - limit);
      assert.equal(await brake.discard({ ...options(), ...because }), 0);
      await until("the cities", () => all.every((n) => cityAt(n) === "Gullhaven"));
      await run.quiet();
      assert.deepEqual(kept(), left);
      assert.ok(left.every((n) => contactAt(n)["MobilePhone"] === null));
      const dropped = (await administration()).filter((entry) => entry["cause"] === "brake-discarded");
      assert.equal(dropped.length, left.length);
      assert.deepEqual(dropped[0]?.["withheld"], ["telecom.value"]);
    });

    it("what was discarded is no news when either record is touched again", async () => {
      const [one = 0, other = 0] = left;
      edit(one, { MailingCity: "Saltmarsh" });
      run.sandboxes.ehr.edit("Patient", patients[other] ?? "", (patient) => ({ ...patient, active: false }));
      await until("both", () => cityAt(one) === "Saltmarsh" && contactAt(other)["Active__c"] === false);
      await run.quiet();
      assert.deepEqual(kept(), left);
      assert.equal(contactAt(one)["MobilePhone"], null);
      assert.equal(contactAt(other)["MobilePhone"], null);
      assert.equal(isStopped(), false);
    });

    it("whoever changes the field next moves it, from either side", async () => {
      const [one = 0, other = 0] = left;
      edit(one, { MobilePhone: "(555) 444-7001" });
      run.sandboxes.ehr.edit("Patient", patients[other] ?? "", (patient) => ({
        ...patient,
        telecom: [{ system: "phone", use: "mobile", value: "(555) 444-7002" }],
      }));
      await until("the EHR", () => textOf(patientAt(one)["telecom"]).includes("7001"));
      await until("the CRM", () => textOf(contactAt(other)["MobilePhone"]).includes("7002"));
      await run.quiet();
    });

    it("more of the same within the hour stops the channel at once; a record with nothing else in it ends as cancelled", async () => {
      const [, , third = 0, fourth = 0] = left;
      for (const n of [third, fourth]) edit(n, { MobilePhone: `(555) 444-${8000 + n}` });
      await run.quiet();
      await load([third], { MobilePhone: null });
      assert.equal(hasMobile(third), true);
      assert.equal(await brake.discard({ ...options(), ...because }), 0);
      await until("the channel to run", () => !isStopped());
      await run.quiet();
      const row = await run.newest(channel, contacts[third] ?? "");
      assert.deepEqual([row?.state, row?.cause], ["cancelled", "brake-discarded"]);
      assert.equal(hasMobile(third), true);
    });
  });

  describe("when the source shall have its values back", () => {
    before(start);
    after(() => run.close());

    it("without a channel back nothing is done, and it says so", async () => {
      await load(all, { MobilePhone: null });
      const { overrides: over, env } = run.sandboxes;
      const noWayBack = { ...over, channels: { ...over.channels, "ehr-to-crm": { mode: "off" } } };
      const asked = brake.restore({ ...options(), overrides: noWayBack, env, ...because });
      await assert.rejects(asked, /no live channel from ehr to crm carries/);
      await settled();
      assert.equal(isStopped(), true);
    });

    it("restore: the CRM has its numbers again, and nothing echoes", async () => {
      const left = kept();
      assert.ok(left.length >= persons - limit);
      const numbers = new Map(left.map((n) => [n, textOf(contactOf(n)["MobilePhone"])]));
      assert.equal(await brake.restore({ ...options(), ...because }), 0);
      await until("the numbers", () => left.every((n) => contactAt(n)["MobilePhone"] !== null));
      await run.quiet();
      for (const n of left) assert.equal(digits(contactAt(n)["MobilePhone"]), digits(numbers.get(n)));
      assert.deepEqual(kept(), left);
      const rows = await run.rows({ channel, states: ["cancelled"] });
      assert.deepEqual(new Set(rows.map((row) => row.cause)), new Set(["brake-restored"]));
      assert.equal(rows.length, left.length);
    });

    it("a changed name too, although it is many records at once", async () => {
      const before = all.map((n) => contactAt(n)["LastName"]);
      await load(all, { LastName: "Doe" });
      const left = all.filter((n) => !textOf(patientAt(n)["name"]).includes('"Doe"'));
      assert.ok(left.length >= persons - limit);
      assert.deepEqual((await previewed()).counts, { identity: left.length });
      assert.equal(await brake.restore({ ...options(), ...because }), 0);
      await until("the names", () => left.every((n) => contactAt(n)["LastName"] === before[n]));
      await run.quiet();
      assert.deepEqual(
        all.filter((n) => !textOf(patientAt(n)["name"]).includes('"Doe"')),
        left,
      );
    });
  });
});

function digits(value: unknown): string {
  return textOf(value).replaceAll(/\D/g, "").slice(-10);
}
