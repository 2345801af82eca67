// The ledger on MongoDB between its single writes: what a crash or a stalled holder leaves there, and what becomes of it.
import assert from "node:assert/strict";
import { systemClock } from "../../../src/core/clock.ts";
import type { Hold, Ledger } from "../../../src/exchange/ports.ts";
import type { Database } from "../../../src/store/mongo/database.ts";
import { ledgerOf } from "../../../src/store/mongo/ledger.ts";
import { laneKind, never } from "../../../src/store/mongo/ledger/lane-document.ts";
import { rowKind } from "../../../src/store/mongo/ledger/row-document.ts";
import type { MongoStore } from "../../../src/store/mongo/open.ts";
import { entry, intent, newRow, problem, take } from "../../contract/store/samples.ts";
import { databaseOfEachTest } from "./mongo-opened.ts";

describe("the ledger on MongoDB", function () {
  this.timeout(60_000);
  const opened = databaseOfEachTest();
  let store: MongoStore;
  let ledger: Ledger;
  let outside: Database;

  beforeEach(async () => {
    store = await opened().store();
    ledger = store.ledger;
    outside = await opened().outside();
  });

  /** Lanes that the hints alone call due. */
  async function hinted(): Promise<readonly string[]> {
    const found = await outside
      .model(laneKind)
      .find({ free: true, due: { $lte: systemClock.now() } })
      .lean();
    return found.map((lane) => lane._id);
  }

  async function loseHint(lane: string): Promise<void> {
    await outside.model(laneKind).updateOne({ _id: lane }, { $set: { due: never } });
    assert.deepEqual(await hinted(), []);
  }

  describe("a hint that a crash left unwritten", () => {
    it("is mended by a sweep, from the rows", async () => {
      const row = newRow();
      await ledger.accept([row]);
      await loseHint(row.lane);
      assert.deepEqual(await ledger.due(systemClock.now(), 10), [row.lane]);
    });

    it("is written when the notice comes again", async () => {
      const row = newRow();
      await ledger.accept([row]);
      await loseHint(row.lane);
      assert.deepEqual(await ledger.accept([row]), ["known"]);
      assert.deepEqual(await hinted(), [row.lane]);
    });

    it("is not made up for a lane whose head waits", async () => {
      const [first, second] = [newRow({ lane: "a" }), newRow({ lane: "a" })];
      await ledger.accept([first, second]);
      const hold = await take(ledger, "a");
      const next = systemClock.now() + 60_000;
      await ledger.defer(first.id, { next, cause: "x", failed: false, waiting: false }, [], hold);
      await ledger.release(hold);
      assert.deepEqual(await ledger.due(systemClock.now(), 10), []);
      assert.deepEqual(await ledger.due(next, 10), ["a"]);
    });
  });

  it("rows accepted while the lane is drained and given back are never left without a hint", async () => {
    const lanes = ["a", "b", "c"];
    let accepting = true;
    const accept = async (): Promise<void> => {
      for (let n = 0; n < 60; n += 1) await ledger.accept([newRow({ lane: lanes[n % 3] ?? "a" })]);
    };
    const drain = async (): Promise<void> => {
      while (accepting) for (const lane of lanes) await drainOnce(lane);
    };
    const draining = Promise.all([drain(), drain()]);
    await Promise.all([accept(), accept(), accept()]);
    accepting = false;
    await draining;
    for (let due = await hinted(); due.length > 0; due = await hinted()) for (const lane of due) await drainOnce(lane);
    assert.equal(await outside.model(rowKind).countDocuments({ open: true }), 0);
  });

  async function drainOnce(lane: string): Promise<void> {
    const state = await ledger.peek(lane);
    if (!state?.free) return;
    const hold = await ledger.claim(lane, state);
    if (!hold) return;
    for (let row = await ledger.head(hold); row; row = await ledger.head(hold)) {
      await ledger.finish(row.id, { state: "unchanged", cause: undefined, at: 1 }, [], hold);
    }
    await ledger.release(hold);
  }

  describe("a store that fails within begin", () => {
    const failing = (): Promise<never> => Promise.reject(new Error("the connection was cut"));

    it("before the disclosure is on record: the row says so by itself, and the next holder queues it again", async () => {
      const cut = ledgerOf(outside, { ...store.audit, append: failing }, store.blobs, systemClock);
      const row = newRow();
      await ledger.accept([row]);
      const hold = await take(ledger, row.lane);
      await assert.rejects(cut.begin(row.id, intent(), [entry(`${row.id}.1.disclosure`)], hold));
      assert.equal((await ledger.get(row.id))?.state, "sending");
      assert.equal(await store.audit.has(`${row.id}.1.disclosure`), false);
      const next = await take(ledger, row.lane);
      assert.equal((await ledger.head(next))?.id, row.id);
      assert.equal(await ledger.unsend(row.id, [], next), true);
      assert.equal((await ledger.get(row.id))?.state, "queued");
      assert.equal(await ledger.begin(row.id, intent({ n: 2 }), [entry()], next), true);
    });

    it("a batch that was marked only in part is taken back with every mark and its bytes", async () => {
      const rows = [newRow({ lane: "f" }), newRow({ lane: "f" }), newRow({ lane: "f" })];
      const [head = "", second = "", third = ""] = rows.map((row) => row.id);
      await ledger.accept(rows);
      const hold = await take(ledger, "f");
      const batch = intent({ operation: "deliver", members: [head, second, third], blob: `batch.${head}` });
      const cut = ledgerOf(outside, { ...store.audit, append: failing }, store.blobs, systemClock);
      await assert.rejects(cut.begin(head, batch, [entry()], hold, "sealed"));
      await outside.model(rowKind).updateOne({ _id: third }, { $unset: { batch: 1 } });
      const next = await take(ledger, "f");
      await ledger.head(next);
      assert.equal(await ledger.unsend(head, [], next), true);
      const marks = await Promise.all([head, second, third].map(async (id) => (await ledger.get(id))?.batch));
      assert.deepEqual(marks, [undefined, undefined, undefined]);
      assert.equal(await store.blobs.get(`batch.${head}`), undefined);
      // The older holder, who stood still before it marked the third: it finds a later fence.
      const late = { lane: "f", fence: hold.fence };
      assert.equal(await ledger.begin(head, { ...batch, n: 2 }, [], late, "sealed"), false);
      assert.equal((await ledger.get(third))?.batch, undefined);
    });
  });

  it("a member that a crash left in a batch whose head is out of it stands alone when its turn comes", async () => {
    const rows = [newRow({ lane: "feed" }), newRow({ lane: "feed" })];
    const [head = "", member = ""] = rows.map((row) => row.id);
    await ledger.accept(rows);
    const hold = await take(ledger, "feed");
    const sent = intent({ operation: "deliver", members: [head, member], blob: "bytes" });
    await ledger.begin(head, sent, [], hold, "sealed");
    await ledger.quarantine(head, "x", problem, [], hold);
    await outside.model(rowKind).updateOne({ _id: member }, { $set: { state: "queued", open: true } });
    assert.equal((await ledger.head(hold))?.batch, head, "the outcome of its batch is not known");
    await outside.model(rowKind).updateOne({ _id: head }, { $unset: { intent: 1, batch: 1, blob: 1 } });
    const free = await ledger.head(hold);
    assert.deepEqual([free?.id, free?.batch], [member, undefined]);
    assert.equal(await ledger.begin(member, intent({ members: [member], n: 2 }), [], hold), true);
  });

  it("a holder that stood still writes nothing any more, once another has the row at the head", async () => {
    const row = newRow({ lane: "a" });
    await ledger.accept([row, newRow({ lane: "a", source: row.source })]);
    const old = await take(ledger, "a");
    assert.equal((await ledger.head(old))?.id, row.id);
    assert.equal(await ledger.begin(row.id, intent(), [], old), true);
    const now = await take(ledger, "a");
    const head = await ledger.head(now);
    assert.ok(head);
    assert.deepEqual(
      await everyWrite(row.id, old),
      Array.from({ length: 8 }, () => false),
    );
    assert.equal(await ledger.supersede(head, 1, old), 0);
    assert.deepEqual(await ledger.get(row.id), head);
    assert.equal((await store.audit.head()).n, 0);
    // The twin: the one who has it.
    assert.equal(await ledger.settle(row.id, { n: 1, id: "p", version: undefined }, now), true);
    assert.equal(await ledger.finish(row.id, { state: "done", cause: undefined, at: 1 }, [entry()], now), true);
  });

  async function everyWrite(row: string, hold: Hold): Promise<readonly boolean[]> {
    const wait = { next: 9, cause: "x", failed: true, waiting: true };
    return [
      await ledger.begin(row, intent({ n: 2 }), [entry()], hold),
      await ledger.unsend(row, [entry()], hold),
      await ledger.settle(row, { n: 1, id: "p", version: undefined }, hold),
      await ledger.defer(row, wait, [entry()], hold),
      await ledger.quarantine(row, "x", problem, [entry()], hold),
      await ledger.finish(row, { state: "denied", cause: "x", at: 1 }, [entry()], hold),
      await ledger.move(row, "b", hold),
      await ledger.renew(hold),
    ];
  }

  it("a person's command and the holder meet: one of them gets the row", async () => {
    for (let round = 0; round < 20; round += 1) {
      const row = newRow();
      await ledger.accept([row]);
      const hold = await take(ledger, row.lane);
      const [begun, cancelled] = await Promise.all([
        ledger.begin(row.id, intent(), [], hold),
        ledger.cancelWhere({ id: row.id }, "by hand", 1),
      ]);
      assert.equal(Number(begun) + cancelled, 1);
      assert.equal((await ledger.get(row.id))?.state, begun ? "sending" : "cancelled");
    }
  });

  it("a row that moves to a lane with younger holders is theirs", async () => {
    const row = newRow({ lane: "a" });
    await ledger.accept([row]);
    for (let n = 0; n < 5; n += 1) await take(ledger, "a");
    const hold = await take(ledger, "a");
    await ledger.head(hold);
    assert.equal(await ledger.move(row.id, "b", hold), true);
    const next = await take(ledger, "b");
    assert.ok(next.fence < hold.fence);
    assert.equal((await ledger.head(next))?.id, row.id);
    assert.equal(await ledger.begin(row.id, intent(), [], next), true);
  });

  it("every look-up walks an index", async () => {
    await ledger.accept(Array.from({ length: 400 }, (_, n) => newRow({ lane: `lane-${n % 50}` })));
    const plan = async (collection: string, filter: object, sort: Readonly<Record<string, 1>>): Promise<string> =>
      JSON.stringify(await outside.raw(collection).find(filter).sort(sort).limit(10).explain("queryPlanner"));
    const due = { free: true, live: 1, due: { $lte: systemClock.now() } };
    assert.match(await plan("lanes", due, { due: 1, since: 1 }), /free_1_live_1_due_1/);
    assert.match(await plan("rows", { lane: "lane-1", open: true }, { seq: 1 }), /lane_1_open_1_seq_1/);
    assert.match(await plan("rows", { open: true, _id: { $gt: "r" } }, { _id: 1 }), /open_1__id_1|_id_/);
    const record = { "source.id": "record-1", channel: "crm-to-ehr" };
    assert.match(await plan("rows", record, { acceptedAt: 1, _id: 1 }), /source\.id_1/);
    assert.doesNotMatch(await plan("lanes", due, { due: 1, since: 1 }), /COLLSCAN|Seq Scan/);
  });
});
