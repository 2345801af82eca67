// The group commit: neighbours do not fall with one another, a full disk applies nothing, an end is answered.
import assert from "node:assert/strict";
import { join } from "node:path";
import { verifyChain } from "../../../src/audit/verify.ts";
import type { NewRow } from "../../../src/exchange/ports.ts";
import { asStoreError, storeFailure } from "../../../src/store/embedded/failure.ts";
import { Thread } from "../../../src/store/embedded/thread.ts";
import { collect, entry, newRow, take } from "../../contract/store/samples.ts";
import { closeAll, newDirectory, openStore, outside } from "./opened.ts";

/** A row that the schema refuses (NOT NULL), after another of the same request was written. */
const refused = { ...newRow(), mark: null } as unknown as NewRow;

describe("the group commit of the embedded store", () => {
  afterEach(closeAll);

  it("a request that fails does not fail its neighbours, and leaves nothing behind", async () => {
    const { ledger, audit } = await openStore();
    const [before, half, after] = [newRow(), newRow(), newRow()];
    const answers = await Promise.allSettled([
      ledger.accept([before]),
      ledger.accept([half, refused]),
      audit.append([entry("kept")]),
      audit.append([null as never]),
      ledger.accept([after]),
    ]);
    assert.deepEqual(
      answers.map((answer) => answer.status),
      ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
    );
    assert.ok(await ledger.get(before.id));
    assert.ok(await ledger.get(after.id));
    assert.equal(await ledger.get(half.id), undefined);
    assert.equal(await ledger.peek(half.lane), undefined);
    assert.equal(await audit.has("kept"), true);
  });

  it("all entries of a commit are one batch, in the order of the requests", async () => {
    const { audit } = await openStore();
    const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
    await Promise.all(keys.map((key) => audit.append([entry(key)])));
    const batches = await collect(audit.read());
    assert.ok(batches.length < 100, "requests that wait together are committed together");
    assert.deepEqual(
      batches.flatMap((batch) => batch.entries.map(({ key }) => key)),
      keys,
    );
  });

  it("a full disk fails the writes of the group, whole, answers reads, and works again when there is space", async () => {
    const store = await openStore(undefined, { maxPages: 200 });
    const big = "x".repeat(200_000);
    await store.blobs.put("first", big);
    const rows = [newRow(), newRow()];
    const full = await Promise.allSettled([
      store.ledger.accept(rows),
      store.audit.append([entry("lost")]),
      store.blobs.put("second", "y".repeat(1_000_000)),
      store.blobs.get("first"),
    ]);
    for (const answer of full.slice(0, 3)) {
      assert.equal(answer.status === "rejected" && (answer.reason as { code: string }).code, "store-full");
    }
    assert.equal(full[3]?.status === "fulfilled" && full[3].value, big);
    assert.equal(await store.ledger.get(rows[0]?.id ?? ""), undefined);
    assert.equal(await store.audit.has("lost"), false);
    assert.deepEqual(await store.audit.head(), { n: 0, hash: "" });
    await assert.rejects(store.blobs.put("third", "z".repeat(500_000)), { code: "store-full", retry: "transient" });
    await store.blobs.erase("first");
    await store.blobs.put("third", "z".repeat(500_000));
    assert.deepEqual(await store.ledger.accept(rows), ["accepted", "accepted"]);
    await store.audit.append([entry("kept")]);
    assert.equal((await verifyChain(store.audit.read(), () => store.audit.head())).ok, true);
  });

  it("what was answered is in the file, also for another connection", async () => {
    const directory = newDirectory();
    const { ledger } = await openStore(directory);
    const row = newRow();
    await ledger.accept([row]);
    assert.equal(
      outside(directory, (db) => db.prepare("SELECT count(*) AS n FROM rows").get()?.["n"]),
      1,
    );
  });

  it("a log that does not end where its head says takes no more entries", async () => {
    const directory = newDirectory();
    const { audit } = await openStore(directory);
    await audit.append([entry()]);
    outside(directory, (db) => db.exec("UPDATE audit_head SET n = 0, hash = ''"));
    await assert.rejects(audit.append([entry("more")]), { code: "audit-broken" });
    assert.equal(await audit.has("more"), false);
  });

  it("closing commits what waits; afterwards the store is unavailable", async () => {
    const directory = newDirectory();
    const store = await openStore(directory);
    const row = newRow();
    const [accepted] = await Promise.all([store.ledger.accept([row]), store.close()]);
    assert.deepEqual(accepted, ["accepted"]);
    await assert.rejects(store.ledger.get(row.id), { code: "store-unavailable" });
    await store.close();
    assert.ok(await (await openStore(directory)).ledger.get(row.id));
  });

  it("when the thread dies, what waits and what comes is answered as unavailable", async () => {
    const options = { path: join(newDirectory(), "x"), mirrorTo: join(newDirectory(), "y"), maxPages: undefined };
    const thread = await Thread.start(options, new URL("./dying-thread.ts", import.meta.url));
    await assert.rejects(thread.call("due", 0, 1), { code: "store-unavailable" });
    await assert.rejects(thread.call("due", 0, 1), { code: "store-unavailable" });
  });

  it("a value that is no data fails alone, and the store lives on", async () => {
    const { blobs } = await openStore();
    await assert.rejects(blobs.put("b", (() => "") as unknown as string), { code: "internal" });
    await blobs.put("b", "text");
    assert.equal(await blobs.get("b"), "text");
  });

  it("SQLite's words never reach the caller; what the file lacks is told from what the request did", () => {
    const sqlite = (errcode: number): Error => Object.assign(new Error("near 'Mary Muster'"), { errcode });
    assert.equal(storeFailure(sqlite(13))?.code, "store-full");
    assert.equal(storeFailure(sqlite(5))?.code, "store-unavailable");
    assert.equal(storeFailure(sqlite(10 | (4 << 8)))?.code, "store-unavailable");
    assert.equal(storeFailure(sqlite(19)), undefined);
    for (const code of [5, 13, 19]) assert.doesNotMatch(asStoreError(sqlite(code)).message, /Mary/);
  });

  it("a redirected lane sends rows on, and never in a circle", async () => {
    const { ledger } = await openStore();
    const row = newRow({ lane: "b" });
    await ledger.accept([row, newRow({ lane: "a" })]);
    const [a, b] = [await take(ledger, "a"), await take(ledger, "b")];
    assert.equal(await ledger.redirect("a", { ...b, fence: 0 }), false);
    assert.equal(await ledger.redirect("a", b), true);
    assert.equal((await ledger.peek("b"))?.movedTo, "a");
    assert.equal(await ledger.redirect("b", a), false);
    const late = newRow({ lane: "b" });
    await ledger.accept([late]);
    assert.equal((await ledger.get(late.id))?.lane, "a");
    assert.equal(await ledger.move(row.id, "b", b), true);
    assert.equal((await ledger.get(row.id))?.lane, "a");
  });
});
