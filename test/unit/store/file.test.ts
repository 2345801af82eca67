// The file of the embedded store: versions, what erasing leaves, the mirrored head.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openEmbeddedStore } from "../../../src/store/embedded/open.ts";
import { migrations } from "../../../src/store/embedded/schema.ts";
import { readMirror } from "../../../src/store/embedded/mirror.ts";
import { entry, intent, newRow, take } from "../../contract/store/samples.ts";
import { closeAll, newDirectory, onDisk, openStore, outside } from "./opened.ts";

describe("the file of the embedded store", () => {
  afterEach(closeAll);

  it("is kept over a restart, readable by its owner only", async () => {
    const directory = newDirectory();
    const store = await openStore(directory);
    await store.blobs.put("b", "text");
    await store.close();
    assert.equal(await (await openStore(directory)).blobs.get("b"), "text");
    if (process.platform !== "win32") {
      assert.equal(statSync(join(directory, "sluice.sqlite")).mode & 0o077, 0);
      assert.equal(statSync(join(directory, "sluice.sqlite-wal")).mode & 0o077, 0);
    }
  });

  it("at start frees the lanes of earlier owners, whose holds are dead", async () => {
    const { ledger } = await openStore(newDirectory());
    const row = newRow({ lane: "a" });
    await ledger.accept([row]);
    const hold = await take(ledger, "a");
    await take(ledger, "b");
    assert.deepEqual((await ledger.held()).map((lane) => lane.lane).sort(), ["a", "b"]);
    assert.equal(await ledger.freeAll(), 2);
    assert.deepEqual(await ledger.held(), []);
    assert.equal(await ledger.renew(hold), false);
    assert.equal(await ledger.begin(row.id, intent(), [], hold), false);
    assert.deepEqual(await ledger.due(0, 10), ["a"]);
  });

  it("of a newer version is refused, and left as it is", async () => {
    const directory = newDirectory();
    await (await openStore(directory)).close();
    const version = outside(directory, (db) => Number(db.prepare("PRAGMA user_version").get()?.["user_version"]));
    outside(directory, (db) => db.exec(`PRAGMA user_version = ${version + 1}`));
    await assert.rejects(openEmbeddedStore({ directory }), { code: "store-newer" });
    outside(directory, (db) => db.exec(`PRAGMA user_version = ${version}`));
    await openStore(directory);
  });

  it("of an older version is brought forward, with what is in it", async () => {
    const directory = newDirectory();
    outside(directory, (db) => {
      db.exec(migrations[0] ?? "");
      db.exec("PRAGMA user_version = 1; INSERT INTO blobs (id, sealed) VALUES ('b', 'old')");
    });
    const { ledger, blobs } = await openStore(directory);
    const row = newRow();
    await ledger.accept([row]);
    const hold = await take(ledger, row.lane);
    assert.equal(await ledger.begin(row.id, intent({ members: [row.id] }), [], hold), true);
    assert.equal((await ledger.get(row.id))?.batch, row.id);
    assert.equal(await blobs.get("b"), "old");
  });

  it("of an older version keeps what each channel was decided under, in its own place", async () => {
    const directory = newDirectory();
    outside(directory, (db) => {
      db.exec(migrations[0] ?? "");
      db.exec("PRAGMA user_version = 1; INSERT INTO blobs (id, sealed) VALUES ('decided-under:crm-to-ehr', 'v1')");
    });
    const { versions, blobs } = await openStore(directory);
    assert.equal(await versions.decidedUnder("crm-to-ehr"), "v1");
    assert.equal(await blobs.get("decided-under:crm-to-ehr"), undefined);
  });

  it("that is no database is refused", async () => {
    const directory = newDirectory();
    writeFileSync(join(directory, "sluice.sqlite"), "no database, but long enough to be read as one".repeat(100));
    await assert.rejects(openEmbeddedStore({ directory }), { code: "store-unavailable" });
  });

  it("holds no byte of a blob once its row has ended", async () => {
    const directory = newDirectory();
    const { ledger, blobs, flush } = await openStore(directory);
    const row = newRow();
    const sealed = "c2VhbGVkIGJ5dGVz".repeat(1000);
    await ledger.accept([row]);
    await blobs.put("blob", sealed);
    const hold = await take(ledger, row.lane);
    await ledger.begin(row.id, intent({ blob: "blob" }), [], hold);
    await flush();
    assert.equal(onDisk(directory, "c2VhbGVkIGJ5dGVz"), true);
    await ledger.finish(row.id, { state: "done", cause: undefined, at: 1 }, [], hold);
    await flush();
    assert.equal(onDisk(directory, "c2VhbGVkIGJ5dGVz"), false);
  });

  it("mirrors the audit head outside the database, on flush and at close, when there is one", async () => {
    const directory = newDirectory();
    const mirrorHeadTo = join(newDirectory(), "head.json");
    const { audit, flush, close } = await openStore(directory, { mirrorHeadTo });
    await flush();
    assert.equal(existsSync(mirrorHeadTo), false);
    assert.equal(readMirror(mirrorHeadTo), undefined);
    await audit.append([entry()]);
    await flush();
    assert.deepEqual(readMirror(mirrorHeadTo), await audit.head());
    await audit.append([entry()]);
    const head = await audit.head();
    await close();
    assert.deepEqual(readMirror(mirrorHeadTo), head);
    assert.equal(existsSync(`${mirrorHeadTo}.tmp`), false);
  });

  it("a malformed mirror is no missing mirror", () => {
    const path = join(newDirectory(), "head.json");
    for (const content of ["", "{}", '{"n":"1","hash":"h"}', "[]"]) {
      writeFileSync(path, content);
      assert.throws(() => readMirror(path), { code: "audit-broken" });
    }
    writeFileSync(path, '{"n":1,"hash":"h"}');
    assert.deepEqual(readMirror(path), { n: 1, hash: "h" });
  });

  it("a mirror that cannot be written is told, and the data is kept", async () => {
    const directory = newDirectory();
    const store = await openEmbeddedStore({ directory, mirrorHeadTo: join(directory, "missing", "head.json") });
    await store.audit.append([entry("kept")]);
    await assert.rejects(store.close(), { code: "store-unavailable" });
    assert.equal(await (await openStore(directory)).audit.has("kept"), true);
    assert.ok(readFileSync(join(directory, "sluice.sqlite")).length > 0);
  });

  it("says since when a row waits by its own clock", async () => {
    const clock = { now: () => 4242, monotonic: () => 0, sleep: () => Promise.resolve() };
    const { ledger } = await openStore(undefined, { clock });
    const row = newRow();
    await ledger.accept([row]);
    const wait = { next: 9, cause: "facts-stale", failed: false, waiting: true };
    await ledger.defer(row.id, wait, [], await take(ledger, row.lane));
    assert.equal((await ledger.get(row.id))?.waitingSince, 4242);
  });
});
