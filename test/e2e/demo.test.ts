// The demo as somebody who has just installed Sluice runs it, and then every command on the data that it leaves.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Row } from "../../src/exchange/ports.ts";
import { openStoreAt } from "../../src/embedded.ts";
import { verifyStore } from "../../src/cli/audit.ts";
import { generatePractice } from "../../src/practice/practice.ts";
import { jsonLines, sluice, type Ended } from "./child.ts";
import { contactOf } from "./persons.ts";
import { configDir } from "./practice-run.ts";
import { findInFiles, findInText } from "./raw-bytes.ts";

const seed = 20_261_125;
const patients = 15;

describe("the demo", function () {
  this.timeout(240_000);
  let place: string;
  let data: string;
  let config: string;
  let demo: Ended;
  const { canaries } = generatePractice({ seed, patients, at: Date.parse("2026-11-25T10:00:00Z") });
  const secrets = [...canaries.phi, ...canaries.neverLeave];
  const env = { MARKETING_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString("base64")}` };
  /** Everything that the commands below have printed. */
  const printed: Ended[] = [];

  before(async () => {
    place = await mkdtemp(join(tmpdir(), "sluice-demo-"));
    data = join(place, "demo", "data");
    config = join(place, "config");
    demo = await sluice([
      "demo",
      "--patients",
      String(patients),
      "--seed",
      String(seed),
      "--data",
      place,
      "--log-level",
      "debug",
    ]);
    await cp(configDir, config, { recursive: true });
    await cp(join(place, "demo", "keys"), join(config, "keys"), { recursive: true });
  });
  after(() => rm(place, { recursive: true, force: true }));

  async function run(...args: readonly string[]): Promise<Ended> {
    const ended = await sluice([...args, "--data", data, "--config", config], env);
    printed.push(ended);
    return ended;
  }

  it("ends well, with a summary and a whole audit log", () => {
    assert.equal(demo.code, 0, demo.err);
    for (const words of ["What needs a person", "What the marketing tool got", "audit log whole", "crm-to-ehr"]) {
      assert.ok(demo.out.includes(words), words);
    }
  });

  describe("its data, as a user looks at it", () => {
    it("exchanges list: counts, items, and the exchanges of one state", async () => {
      assert.equal((await run("exchanges", "list")).code, 0);
      const [summary] = jsonLines((await run("exchanges", "list", "--json")).out) as [
        { counts: { state: string; count: number }[]; items: { fix: string; members: number }[] },
      ];
      assert.ok(summary.counts.some((one) => one.state === "done" && one.count > 5));
      assert.ok(summary.items.length > 0);
      for (const item of summary.items) assert.match(item.fix, /npx sluice/);
      const rows = jsonLines((await run("exchanges", "list", "--state", "quarantined", "--json")).out) as Row[];
      assert.ok(rows.length > 0);
      const shown = await run("exchanges", "show", rows[0]?.id ?? "");
      assert.equal(shown.code, 0);
      assert.match(shown.out, /who can mend it/);
      assert.equal((await run("exchanges", "show", "no-such-exchange")).code, 2);
    });

    it("why: one record's story, in words and as data", async () => {
      const [row] = jsonLines((await run("exchanges", "list", "--state", "denied", "--json")).out) as Row[];
      assert.ok(row);
      const told = await run("why", "--system", row.source.system, "--id", row.source.id);
      assert.equal(told.code, 0);
      assert.match(told.out, /was denied/);
      const lines = jsonLines((await run("why", "--system", row.source.system, "--id", row.source.id, "--json")).out);
      assert.ok(lines.length > 0);
    });

    it("audit search: headers without PHI; sealed parts only with a reason, which goes on record", async () => {
      const found = await run("audit", "search", "--kind", "denial");
      assert.equal(found.code, 0);
      for (const entry of jsonLines(found.out) as { kind: string; rule?: string; citation?: string }[]) {
        assert.equal(entry.kind, "denial");
        assert.ok(entry.rule && entry.citation);
      }
      assert.equal((await run("audit", "search", "--open", "--limit", "1")).code, 2);
      const opened = await sluice(
        [
          "audit",
          "search",
          "--kind",
          "disclosure",
          "--open",
          "--reason",
          "yearly review",
          "--limit",
          "1",
          "--data",
          data,
          "--config",
          config,
        ],
        env,
      );
      assert.equal(opened.code, 0, opened.err);
      const [entry] = jsonLines(opened.out) as { detail?: { source?: unknown } }[];
      assert.ok(entry?.detail?.source);
      const accesses = jsonLines((await run("audit", "search", "--kind", "access")).out) as { reason?: string }[];
      assert.equal(accesses.at(-1)?.reason, "yearly review");
    });

    it("check and doctor: exit codes and data", async () => {
      const checked = await run("check", "--json");
      assert.equal(checked.code, 0, checked.err);
      assert.equal((jsonLines(checked.out)[0] as { channels: unknown[] }).channels.length, 3);
      const examined = await run("doctor", "--json");
      // The demo's sandboxes have ended, so the systems cannot be reached: that is a problem, and said.
      assert.equal(examined.code, 1);
      const findings = jsonLines(examined.out)[0] as { check: string; level: string; fix?: string }[];
      assert.equal(findings.find((one) => one.check === "audit log")?.level, "ok");
      assert.equal(findings.find((one) => one.check === "system ehr")?.level, "problem");
      for (const one of findings.filter((finding) => finding.level === "problem")) assert.ok(one.fix, one.check);
    });

    it("explain: a record from a file, gate by gate; a malformed one is refused", async () => {
      const file = join(place, "contact.json");
      await writeFile(
        file,
        JSON.stringify({ attributes: { type: "Contact" }, Id: "003000000000001AAA", ...contactOf(1) }),
      );
      const told = await run("explain", "--channel", "crm-to-ehr", "--record", file, "--json");
      assert.equal(told.code, 0, told.err);
      const [result] = jsonLines(told.out) as { gates: { rule: string }[]; leaves: { resourceType: string } }[];
      assert.equal(result?.leaves.resourceType, "Patient");
      assert.ok(result.gates.length >= 4);
      await writeFile(file, "[1, 2");
      assert.equal((await run("explain", "--channel", "crm-to-ehr", "--record", file)).code, 1);
      assert.equal((await run("explain", "--channel", "no-such-channel", "--record", file)).code, 2);
    });

    it("a directory without a ledger, a command that is none: exit code 2 and the fix", async () => {
      const nowhere = await sluice(["exchanges", "list", "--data", join(place, "nowhere")]);
      assert.equal(nowhere.code, 2);
      assert.match(nowhere.err, /fix:/);
      assert.equal((await sluice(["synchronise"])).code, 2);
    });
  });

  describe("invariant 12: no PHI in logs, error bodies, queue and file names; in the store only sealed", () => {
    it("the search finds what is there: a record id in the ledger, a canary in the demo's own report", async () => {
      assert.ok((await findInFiles(join(data, "store"), ["ehr-to-marketing"])).length > 0);
      assert.ok((await findInFiles(join(data, "queue"), ["bullmq"])).length > 0);
      // The report's columns cut long values off.
      const beginnings = canaries.neverLeave.map((word) => word.slice(0, 16));
      assert.ok(findInText(demo.out, beginnings).length > 0);
    });

    it("no canary in the files of the ledger and of the queue", async () => {
      assert.deepEqual(await findInFiles(data, secrets), []);
    });

    it("none in what was logged at level debug", () => {
      assert.deepEqual(findInText(demo.err, secrets), []);
    });

    it("none in what any of the commands printed, errors included", () => {
      assert.ok(printed.length > 10);
      for (const { out, err } of printed) assert.deepEqual(findInText(out + err, secrets), []);
    });
  });

  describe("its audit log, when somebody has been at it", () => {
    const columns = ["n", "batch", "prev", "hash", "entries"] as const;

    async function tampered(change: (db: DatabaseSync) => void): Promise<string> {
      const copy = await mkdtemp(join(place, "copy-"));
      await cp(join(data, "store"), join(copy, "store"), { recursive: true });
      const db = new DatabaseSync(join(copy, "store", "sluice.sqlite"));
      change(db);
      db.close();
      return copy;
    }

    function rowsOf(db: DatabaseSync): number {
      return Number(db.prepare("SELECT max(n) AS n FROM audit").get()?.["n"]);
    }

    /** Changes one byte of one column of row `n`; `where` from 0 to 1 is the place in it. */
    function changeByte(db: DatabaseSync, column: string, n: number, where: number): void {
      if (column === "n") {
        db.prepare("UPDATE audit SET n = n + 1000000 WHERE n = ?").run(n);
        return;
      }
      const value = db.prepare(`SELECT CAST(${column} AS BLOB) AS value FROM audit WHERE n = ?`).get(n)?.["value"];
      const bytes = Buffer.from(value as Uint8Array);
      const at = Math.min(bytes.length - 1, Math.floor(bytes.length * where));
      bytes[at] = (bytes[at] ?? 0) ^ 0x01;
      db.prepare(`UPDATE audit SET ${column} = CAST(? AS TEXT) WHERE n = ?`).run(bytes, n);
    }

    it("untouched: verify says whole, exit code 0", async () => {
      const copy = await tampered(() => undefined);
      const ended = await sluice(["audit", "verify", "--data", copy]);
      assert.equal(ended.code, 0, ended.out);
      assert.match(ended.out, /audit log whole/);
    });

    for (const column of columns) {
      it(`one byte of ${column}: exit code 1, naming the batch`, async () => {
        const copy = await tampered((db) => {
          changeByte(db, column, 5, 0.5);
        });
        const ended = await sluice(["audit", "verify", "--data", copy]);
        assert.equal(ended.code, 1);
        assert.match(ended.out, /DAMAGED at batch 5\b/);
      });

      it(`one byte of ${column}, at several places of several rows`, async () => {
        for (const [part, where] of [
          [0, 0],
          [0.4, 0.3],
          [0.7, 0.8],
          [1, 0.999],
        ] as const) {
          let n = 0;
          const copy = await tampered((db) => {
            // Row 1 has no batch before it: its prev is empty.
            n = Math.max(2, Math.floor(rowsOf(db) * part));
            changeByte(db, column, n, where);
          });
          const store = await openStoreAt(copy);
          const result = await verifyStore(store);
          await store.close().catch(() => undefined);
          assert.deepEqual([result.ok, result.problem?.n], [false, n], `row ${n} at ${where}`);
        }
      });
    }

    it("the last row deleted, the head's row with it: exit code 1, naming the batch that is missing", async () => {
      let last = 0;
      const copy = await tampered((db) => {
        last = rowsOf(db);
        const before = db.prepare("SELECT hash FROM audit WHERE n = ?").get(last - 1)?.["hash"] as string;
        db.prepare("DELETE FROM audit WHERE n = ?").run(last);
        db.prepare("UPDATE audit_head SET n = ?, hash = ?").run(last - 1, before);
      });
      const ended = await sluice(["audit", "verify", "--data", copy, "--json"]);
      assert.equal(ended.code, 1);
      const [result] = jsonLines(ended.out) as { problem?: { n: number } }[];
      assert.equal(result?.problem?.n, last);
    });
  });
});
