// Tampering with the audit rows behind the store's back: each changed byte, deleted or inserted row is found and named.
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { hashBatch } from "../../../src/audit/batch.ts";
import type { AuditHead } from "../../../src/audit/entry.ts";
import { verifyChain } from "../../../src/audit/verify.ts";
import type { Verification } from "../../../src/audit/verify.ts";
import { openEmbeddedStore } from "../../../src/store/embedded/open.ts";
import { readMirror } from "../../../src/store/embedded/mirror.ts";
import { collect } from "../../contract/store/samples.ts";
import { closeAll, newDirectory, openStore, outside } from "./opened.ts";

describe("tampering with the audit log", () => {
  let directory: string;
  beforeEach(async () => {
    directory = newDirectory();
    const { audit, close } = await openStore(directory);
    for (const n of [1, 2, 3, 4]) {
      // A control character: its escape \u001f has a twin, \u001F, that decodes to the same text.
      await audit.append([{ key: `k${n}\u001f`, header: '{"a":"é"}', sealed: "c2VhbGVk", commitment: "Y29t" }]);
    }
    await close();
  });
  afterEach(closeAll);

  async function verify(tamper: (db: DatabaseSync) => void): Promise<Verification> {
    const copy = newDirectory();
    copyFileSync(join(directory, "sluice.sqlite"), join(copy, "sluice.sqlite"));
    outside(copy, tamper);
    const { audit, close } = await openEmbeddedStore({ directory: copy, mirrorHeadTo: join(copy, "own.json") });
    const result = await verifyChain(audit.read(), () => audit.head(), readMirror(join(directory, "audit-head.json")));
    await close().catch(() => undefined); // a malformed head cannot be mirrored
    return result;
  }

  it("the untampered twin passes", async () => {
    const result = await verify(() => undefined);
    assert.deepEqual([result.ok, result.batches, result.entries], [true, 4, 4]);
  });

  for (const column of ["batch", "prev", "hash", "entries"]) {
    it(`each byte of ${column}`, async () => {
      const bytes = outside(directory, (db) => {
        const row = db.prepare(`SELECT CAST(${column} AS BLOB) AS value FROM audit WHERE n = 2`).get();
        return Buffer.from(row?.["value"] as Uint8Array);
      });
      const { audit } = await openStore(directory);
      const set = (value: Buffer): unknown =>
        outside(directory, (db) => db.prepare(`UPDATE audit SET ${column} = CAST(? AS TEXT) WHERE n = 2`).run(value));
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 0x20; // another letter case, which decoders like to forgive
        set(changed);
        const result = await verifyChain(audit.read(), () => audit.head());
        assert.deepEqual([result.ok, result.problem?.n], [false, 2], `byte ${at}`);
      }
      set(bytes);
      assert.equal((await verifyChain(audit.read(), () => audit.head())).ok, true);
    });
  }

  it("a number", async () => {
    for (const n of [0, -1, 5, 7, 2 ** 40]) {
      const result = await verify((db) => db.exec(`UPDATE audit SET n = ${n} WHERE n = 2`));
      assert.equal(result.ok, false, `${n}`);
    }
    assert.equal((await verify((db) => db.exec("UPDATE audit SET n = 9223372036854775807 WHERE n = 4"))).ok, false);
    assert.equal((await verify((db) => db.exec("UPDATE audit SET n = 7 WHERE n = 2"))).problem?.n, 2);
  });

  it("a deleted row, also the last one, also with the head", async () => {
    for (const n of [1, 2, 4]) {
      assert.equal((await verify((db) => db.exec(`DELETE FROM audit WHERE n = ${n}`))).problem?.n, n);
    }
    const head = "(SELECT hash FROM audit WHERE n = 3)";
    const cut = `DELETE FROM audit WHERE n = 4; UPDATE audit_head SET n = 3, hash = ${head}`;
    assert.equal((await verify((db) => db.exec(cut))).problem?.n, 4);
    assert.equal((await verify((db) => db.exec("DELETE FROM audit; DELETE FROM audit_head"))).ok, false);
    const empty = "DELETE FROM audit; UPDATE audit_head SET n = 0, hash = ''";
    assert.equal((await verify((db) => db.exec(empty))).problem?.n, 1);
  });

  it("a head changed or deleted", async () => {
    for (const sql of [
      "UPDATE audit_head SET n = 3",
      "UPDATE audit_head SET n = 5",
      "UPDATE audit_head SET hash = 'x'",
    ]) {
      assert.equal((await verify((db) => db.exec(sql))).ok, false, sql);
    }
    assert.equal((await verify((db) => db.exec("DELETE FROM audit_head"))).ok, false);
  });

  it("an inserted row, also a well-made one behind the end", async () => {
    const insert = (n: number, prev: string, hash: string): string =>
      `INSERT INTO audit (n, batch, prev, hash, entries) VALUES (${n}, 'b', '${prev}', '${hash}', '[]')`;
    assert.equal((await verify((db) => db.exec(insert(0, "", "x")))).problem?.n, 0);
    assert.equal((await verify((db) => db.exec(insert(5, "p", "x")))).problem?.n, 5);
    const last = readMirror(join(directory, "audit-head.json")) as AuditHead;
    const entry = { key: "k", header: "{}", sealed: "", commitment: "" };
    const hash = hashBatch({ n: 5, batch: "b", prev: last.hash, entries: [entry] });
    const made = insert(5, last.hash, hash).replace("'[]'", `'${JSON.stringify([entry])}'`);
    assert.equal((await verify((db) => db.exec(made))).problem?.n, 5);
  });

  it("the mirror does not follow a log that was cut while the store was closed", async () => {
    const mirror = readMirror(join(directory, "audit-head.json"));
    const head = "(SELECT hash FROM audit WHERE n = 3)";
    const cut = `DELETE FROM audit WHERE n = 4; UPDATE audit_head SET n = 3, hash = ${head}`;
    outside(directory, (db) => db.exec(cut));
    for (const more of [0, 1, 2]) {
      const { audit, flush, close } = await openStore(directory);
      for (let n = 0; n < more; n += 1) await audit.append([{ key: "k", header: "{}", sealed: "", commitment: "" }]);
      await assert.rejects(flush(), { code: "audit-broken" });
      await close();
      assert.deepEqual(readMirror(join(directory, "audit-head.json")), mirror);
    }
  });

  it("the index of keys is no evidence: changing it changes no verdict", async () => {
    assert.equal((await verify((db) => db.exec("DELETE FROM audit_keys"))).ok, true);
  });

  it("a row that does not decode is not handed to readers", async () => {
    outside(directory, (db) => db.exec("UPDATE audit SET entries = 'x' WHERE n = 3"));
    const { audit } = await openStore(directory);
    await assert.rejects(collect(audit.read()), { code: "audit-broken" });
    for await (const batch of audit.read()) {
      assert.equal(batch.n, 1);
      break;
    }
  });
});
