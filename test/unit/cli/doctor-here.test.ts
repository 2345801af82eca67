// What doctor finds on this machine and in the ledger: each finding comes with its cause and goes with it.
import assert from "node:assert/strict";
import { chmod, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataDirectory } from "../../../src/cli/doctor/machine.ts";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import { examineKeys } from "../../../src/cli/doctor/keys.ts";
import { sqliteFindings } from "../../../src/cli/doctor/sqlite.ts";
import { storeFindings } from "../../../src/cli/doctor/store.ts";
import { openConfiguration } from "../../../src/cli/open.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { systemRandom } from "../../../src/core/ids.ts";
import { layout, openStoreAt, type EmbeddedStore, type Opened } from "../../../src/embedded.ts";
import { examineEmbedded } from "../../../src/examine.ts";
import { registerOf } from "../../../src/exchange/brake/state.ts";
import { emptyBudget, registerPrefix } from "../../../src/exchange/governor/budget.ts";
import { checkKeys } from "../../../src/exchange/key-check.ts";
import { loadKeys, makeKeys } from "../../../src/settings/keys.ts";
import { markMoved } from "../../../src/store/embedded/moved.ts";
import { newRow, problem as anyProblem, take } from "../../contract/store/samples.ts";
import { configDir } from "../../e2e/practice-run.ts";

describe("doctor here", function () {
  this.timeout(30_000);
  let data: string;
  let opened: Opened;
  let keysDir: string;

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "sluice-doctor-"));
    keysDir = join(data, "keys");
    const { references } = await makeKeys(keysDir, systemRandom);
    const keys = { ...references, signing: [...references.signing] };
    opened = await openConfiguration(configDir, { secrets: "lenient", quiet: true, overrides: { sluice: { keys } } });
  });
  afterEach(() => rm(data, { recursive: true, force: true }));

  describe("keys", () => {
    const levels = async (): Promise<readonly string[]> =>
      (await examineKeys(configDir, opened)).findings.map(({ check, level }) => `${check}: ${level}`);

    it("all there", async () => {
      assert.deepEqual(await levels(), ["keys: ok"]);
      assert.ok((await examineKeys(configDir, opened)).keys);
    });

    it("each that is missing is a finding", async () => {
      await rm(join(keysDir, "data.key"));
      await rm(join(keysDir, "sluice-es384.json"));
      const { findings, keys } = await examineKeys(configDir, opened);
      assert.equal(keys, undefined);
      assert.deepEqual(
        findings.map(({ check, level }) => [check, level]),
        [
          ["data key", "problem"],
          ["signing key", "problem"],
        ],
      );
      for (const one of findings) assert.ok(one.fix);
    });

    it("one that others can read", async () => {
      await chmod(join(keysDir, "id.key"), 0o640);
      assert.deepEqual(await levels(), ["id key: problem"]);
      await chmod(join(keysDir, "id.key"), 0o600);
      assert.deepEqual(await levels(), ["keys: ok"]);
    });
  });

  describe("the data directory and its file", () => {
    it("whole, and once it is damaged", async () => {
      await (await openStoreAt(data)).close();
      const facts = await examineEmbedded(data);
      assert.ok(facts);
      assert.deepEqual(
        sqliteFindings(facts).map((one) => one.level),
        ["ok"],
      );
      assert.deepEqual([facts.journalMode, facts.synchronous], ["wal", true]);
      const file = await open(join(layout(data).store, "sluice.sqlite"), "r+");
      await file.write(Buffer.alloc(1024, 0xff), 0, 1024, 4096 * 2);
      await file.close();
      const damaged = await examineEmbedded(data);
      assert.ok(damaged);
      assert.equal(sqliteFindings(damaged)[0]?.level, "problem");
    });

    it("a file system without WAL, commits that are not flushed", async () => {
      await (await openStoreAt(data)).close();
      const facts = await examineEmbedded(data);
      assert.ok(facts);
      const bad = sqliteFindings({ ...facts, journalMode: "delete", synchronous: false });
      assert.deepEqual(
        bad.map((one) => one.level),
        ["ok", "problem", "problem"],
      );
    });

    it("an archive", async () => {
      await (await openStoreAt(data)).close();
      assert.equal(dataDirectory(data).level, "ok");
      markMoved(layout(data).store, { database: "sluice", at: "2026-11-25T00:00:00Z" });
      assert.equal(dataDirectory(data).level, "problem");
      assert.match(dataDirectory(data).fix ?? "", /profile: production/);
    });
  });

  describe("the ledger", () => {
    let store: EmbeddedStore;

    beforeEach(async () => {
      store = await openStoreAt(data);
    });
    afterEach(() => store.close());

    async function find(check: string, text: RegExp, atWork = true): Promise<Finding | undefined> {
      const keys = await loadKeys(opened.keys, { dir: configDir, env: {} });
      const found = await storeFindings({ store, opened, keys, atWork });
      return found.find((one) => one.check === check && text.test(one.text));
    }

    it("keys of other data", async () => {
      const other = await mkdtemp(join(tmpdir(), "sluice-keys-"));
      const { references } = await makeKeys(other, systemRandom);
      const keys = await loadKeys(references, { dir: other, env: {} });
      assert.equal((await find("keys and data", /belong together/))?.level, "ok");
      await checkKeys(store.blobs, keys, systemRandom);
      assert.equal((await find("keys and data", /other keys/))?.level, "problem");
      await rm(other, { recursive: true });
    });

    it("what is active", async () => {
      const { hash } = opened.configuration;
      assert.ok(await find("configuration", /none is active/));
      await store.versions.activate("another", "{}", 1, "test");
      assert.ok(await find("configuration", /differs/));
      await store.versions.activate(hash, "{}", 2, "test");
      assert.equal(await find("configuration", /./), undefined);
    });

    it("a paused system", async () => {
      await store.systems.pause("ehr", 1000, "it refuses the credential", "renew it");
      const found = await find("system ehr", /paused since .*refuses the credential/);
      assert.equal(found?.level, "problem");
      assert.match(found.fix ?? "", /renew it/);
      await store.systems.resume("ehr");
      assert.equal(await find("system ehr", /paused/), undefined);
    });

    it("a system to which nothing is sent for now", async () => {
      const closedUntil = systemClock.now() + 60_000;
      const name = `${registerPrefix}ehr`;
      await store.registers.move(name, 0, JSON.stringify({ ...emptyBudget(), closedUntil }));
      assert.equal((await find("system ehr", /asked to wait until/))?.level, "warning");
      await store.registers.move(name, 1, JSON.stringify(emptyBudget()));
      assert.equal(await find("system ehr", /nothing is sent/), undefined);
    });

    it("a channel that its brake has stopped", async () => {
      const stopped = { since: 1000, kind: "deletes", count: 21, limit: 20 };
      const name = registerOf("ehr-to-crm");
      await store.registers.move(name, 0, JSON.stringify({ kinds: {}, stopped, decisions: [] }));
      const found = await find("channel ehr-to-crm", /21 deletes within an hour, the limit is 20/);
      assert.equal(found?.level, "problem");
      assert.match(found.fix ?? "", /brake preview --channel ehr-to-crm/);
      await store.registers.move(name, 1, JSON.stringify({ kinds: {}, decisions: [] }));
      assert.equal(await find("channel ehr-to-crm", /./), undefined);
    });

    it("work that nobody takes: a warning when somebody should", async () => {
      await store.ledger.accept([newRow({ channel: "ehr-to-crm", lane: "lane", id: "row" })]);
      const hold = await take(store.ledger, "lane");
      const wait = { cause: "system-busy", failed: true, waiting: false };
      await store.ledger.defer("row", { ...wait, next: systemClock.now() - 60_000 }, [], hold);
      await store.ledger.release(hold);
      assert.equal(await find("work", /./), undefined);
      const again = await take(store.ledger, "lane");
      await store.ledger.defer("row", { ...wait, next: systemClock.now() - 200_000 }, [], again);
      await store.ledger.release(again);
      assert.equal((await find("work", /nobody takes it/))?.level, "warning");
      assert.equal((await find("work", /no gateway runs/, false))?.level, "ok");
      await store.systems.pause("ehr", 1000, "refused", "renew it");
      assert.equal(await find("work", /./), undefined);
    });

    it("quarantine", async () => {
      assert.equal(await find("quarantine", /./), undefined);
      await store.ledger.accept([newRow({ lane: "lane", id: "row" })]);
      const hold = await take(store.ledger, "lane");
      await store.ledger.quarantine("row", "no-match", anyProblem, [], hold);
      assert.equal((await find("quarantine", /1 × Nobody was found/))?.level, "warning");
    });

    it("the audit log and its mirror", async () => {
      assert.equal((await find("audit log", /whole/))?.level, "ok");
      assert.equal(await find("audit mirror", /./), undefined);
    });
  });
});
