// Rows: accepted once, moved through their states by the lane's holder, found again, retried and cancelled.
import assert from "node:assert/strict";
import type { Hold, Intent, NewRow, Row } from "../../../src/exchange/ports.ts";
import { entry, fresh, intent, newRow, problem, take } from "./samples.ts";
import type { StoreOf } from "./contract.ts";

export function ledgerContract(store: StoreOf): void {
  async function accepted(over: Partial<NewRow> = {}): Promise<{ row: NewRow; hold: Hold }> {
    const row = newRow(over);
    await store().ledger.accept([row]);
    return { row, hold: await take(store().ledger, row.lane) };
  }

  describe("rows", () => {
    it("accepting a row twice is accepting it once, also concurrently and after its end", async () => {
      const { ledger } = store();
      const row = newRow();
      const answers = await Promise.all(Array.from({ length: 20 }, () => ledger.accept([row])));
      assert.equal(answers.flat().filter((answer) => answer === "accepted").length, 1);
      assert.deepEqual(await ledger.accept([row, newRow(), row]), ["known", "accepted", "known"]);
      const hold = await take(ledger, row.lane);
      await ledger.finish(row.id, { state: "done", cause: undefined, at: 1 }, [], hold);
      assert.deepEqual(await ledger.accept([row]), ["known"]);
    });

    it("a new row is queued, and given back as accepted", async () => {
      const { ledger } = store();
      const row = newRow({ kind: "merge", priority: "backfill" });
      await ledger.accept([row]);
      const found = await ledger.get(row.id);
      assert.ok(found);
      const { seq, ...rest } = found;
      assert.equal(seq > 0, true);
      assert.deepEqual(rest, {
        ...row,
        state: "queued",
        next: 0,
        attempt: 0,
        failures: 0,
        waitingSince: 0,
        intent: undefined,
        applied: undefined,
        cause: undefined,
        problem: undefined,
        endedAt: 0,
        blob: undefined,
      });
      assert.equal(await ledger.get("nobody"), undefined);
    });

    it("queued → sending → applied → done, with its audit entries and its blob erased", async () => {
      const { ledger, audit, blobs } = store();
      const { row, hold } = await accepted();
      await blobs.put("blob", "sealed bytes");
      const beat = (await ledger.peek(row.lane))?.beat ?? 0;
      const sent = intent({ n: 1, blob: "blob", members: [row.id] });
      assert.equal(await ledger.begin(row.id, sent, [entry("begin")], hold), true);
      assert.ok(((await ledger.peek(row.lane))?.beat ?? 0) > beat, "the lane was renewed");
      const sending = await ledger.get(row.id);
      assert.deepEqual([sending?.state, sending?.attempt, sending?.blob], ["sending", 1, "blob"]);
      assert.deepEqual(sending?.intent, JSON.parse(JSON.stringify(sent)));
      assert.equal(await audit.has("begin"), true);
      assert.equal(await ledger.settle(row.id, { n: 1, id: "p1", version: "3" }, hold), true);
      assert.deepEqual((await ledger.get(row.id))?.applied, { n: 1, id: "p1", version: "3" });
      assert.equal((await ledger.head(hold))?.state, "applied");
      assert.equal(
        await ledger.finish(row.id, { state: "done", cause: undefined, at: 77 }, [entry("end")], hold),
        true,
      );
      const done = await ledger.get(row.id);
      assert.deepEqual([done?.state, done?.endedAt, done?.blob], ["done", 77, undefined]);
      assert.equal(await blobs.get("blob"), undefined);
      assert.equal(await audit.has("end"), true);
      assert.equal(await ledger.head(hold), undefined);
    });

    it("states are not skipped nor gone back to", async () => {
      const { ledger, audit } = store();
      const { row, hold } = await accepted();
      assert.equal(await ledger.unsend(row.id, [], hold), false);
      assert.equal(await ledger.settle(row.id, { n: 1, id: "p", version: undefined }, hold), false);
      assert.equal(await ledger.begin(row.id, intent(), [], hold), true);
      assert.equal(await ledger.unsend(row.id, [], hold), true);
      assert.equal((await ledger.get(row.id))?.state, "queued");
      assert.equal(await ledger.begin(row.id, intent({ n: 2 }), [], hold), true);
      assert.equal(await ledger.begin(row.id, intent({ n: 1 }), [], hold), false, "attempt numbers never go back");
      assert.equal(await ledger.begin(row.id, intent({ n: 3 }), [], hold), true, "recovery writes what is left");
      assert.equal(await ledger.settle(row.id, { n: 3, id: "p", version: undefined }, hold), true);
      assert.equal(await ledger.begin(row.id, intent({ n: 4 }), [entry()], hold), false);
      assert.equal(await ledger.finish(row.id, { state: "done", cause: undefined, at: 1 }, [], hold), true);
      const end = { state: "denied", cause: "x", at: 2 } as const;
      assert.equal(await ledger.finish(row.id, end, [entry()], hold), false);
      assert.equal(await ledger.defer(row.id, { next: 1, cause: "x", failed: true, waiting: false }, [], hold), false);
      assert.equal((await ledger.get(row.id))?.state, "done");
      assert.equal((await audit.head()).n, 0);
    });

    it("finish refuses a state that is no end", async () => {
      const { ledger } = store();
      const { row, hold } = await accepted();
      await assert.rejects(ledger.finish(row.id, { state: "queued", cause: undefined, at: 1 }, [], hold), {
        code: "internal",
      });
      assert.equal(await ledger.finish(row.id, { state: "not-a-visit", cause: undefined, at: 1 }, [], hold), true);
    });

    it("defer leaves the state, counts failures, and keeps since when the row waits", async () => {
      const { ledger, audit } = store();
      const { row, hold } = await accepted();
      const defer = (next: number, failed: boolean, waiting: boolean): Promise<boolean> =>
        ledger.defer(row.id, { next, cause: "busy", failed, waiting }, [entry()], hold);
      await defer(50, true, false);
      const failed = await ledger.get(row.id);
      assert.deepEqual([failed?.state, failed?.next, failed?.failures, failed?.cause], ["queued", 50, 1, "busy"]);
      assert.equal(failed?.waitingSince, 0);
      await defer(60, false, true);
      const first = (await ledger.get(row.id))?.waitingSince ?? 0;
      assert.ok(first > 0);
      await defer(70, false, true);
      assert.equal((await ledger.get(row.id))?.waitingSince, first);
      await defer(80, true, false);
      const again = await ledger.get(row.id);
      assert.deepEqual([again?.waitingSince, again?.failures, again?.next], [0, 2, 80]);
      assert.equal((await audit.head()).n, 4);
    });

    it("supersede ends older queued and quarantined rows of the same record and channel in the lane", async () => {
      const { ledger } = store();
      const source = { system: "crm", type: "Contact", id: "same" };
      const rows = {
        quarantined: newRow({ lane: "a", source }),
        queued: newRow({ lane: "a", source }),
        otherRecord: newRow({ lane: "a" }),
        otherChannel: newRow({ lane: "a", source, channel: "feed" }),
        otherLane: newRow({ lane: "b", source }),
        own: newRow({ lane: "a", source }),
        newer: newRow({ lane: "a", source }),
      };
      await ledger.accept(Object.values(rows));
      const hold = await take(ledger, "a");
      await ledger.quarantine(rows.quarantined.id, "x", problem, [], hold);
      const own = await ledger.get(rows.own.id);
      assert.ok(own);
      assert.equal(await ledger.supersede(own, 9, hold), 2);
      const states = await Promise.all(Object.values(rows).map(async ({ id }) => (await ledger.get(id))?.state));
      const expected = ["superseded", "superseded", "queued", "queued", "queued", "queued", "queued"];
      assert.deepEqual(states, expected);
      assert.equal((await ledger.get(rows.queued.id))?.endedAt, 9);
      assert.equal(await ledger.supersede(own, 10, hold), 0);
    });

    it("retry: quarantined rows only, attempt kept, failures 0", async () => {
      const { ledger } = store();
      const { row, hold } = await accepted({ channel: "one" });
      const other = await accepted({ channel: "two" });
      for (const { id, h } of [
        { id: row.id, h: hold },
        { id: other.row.id, h: other.hold },
      ]) {
        await ledger.begin(id, intent({ n: 4 }), [], h);
        await ledger.defer(id, { next: 1, cause: "x", failed: true, waiting: false }, [], h);
        await ledger.quarantine(id, "no-match", problem, [], h);
      }
      const held = await ledger.get(row.id);
      assert.deepEqual([held?.state, held?.cause, held?.problem], ["quarantined", "no-match", problem]);
      assert.equal(await ledger.retry({ channel: "one", states: ["queued"] }, 9), 0);
      assert.equal(await ledger.retry({ channel: "one" }, 9), 1);
      const again = await ledger.get(row.id);
      assert.deepEqual([again?.state, again?.attempt, again?.failures], ["queued", 4, 0]);
      assert.deepEqual([again?.cause, again?.problem], [undefined, undefined]);
      assert.equal((await ledger.get(other.row.id))?.state, "quarantined");
      assert.equal(await ledger.retry({ group: "no-match" }, 9), 1);
    });

    it("cancelWhere: queued and quarantined rows, never one that is being sent", async () => {
      const { ledger, blobs } = store();
      const [sending, queued, held] = [await accepted(), await accepted(), await accepted()];
      await blobs.put("blob", "sealed");
      await ledger.begin(sending.row.id, intent(), [], sending.hold);
      await ledger.begin(held.row.id, intent({ blob: "blob" }), [], held.hold);
      await ledger.quarantine(held.row.id, "x", problem, [], held.hold);
      assert.equal(await ledger.cancelWhere({ channel: "crm-to-ehr" }, "by hand", 8), 2);
      const row = await ledger.get(queued.row.id);
      assert.deepEqual([row?.state, row?.cause, row?.endedAt], ["cancelled", "by hand", 8]);
      assert.equal((await ledger.get(sending.row.id))?.state, "sending");
      assert.equal(await blobs.get("blob"), undefined);
      for (const { hold } of [sending, queued, held]) await ledger.release(hold);
      assert.deepEqual(await ledger.due(1e12, 10), [sending.row.lane]);
    });

    describe("a batch", () => {
      /** Three rows of a lane, the first at the head of a batch of them all. */
      async function batch(over: Partial<Intent> = {}): Promise<{ ids: readonly string[]; head: string; hold: Hold }> {
        const { ledger } = store();
        const lane = fresh("feed");
        const rows = [newRow({ lane }), newRow({ lane }), newRow({ lane })];
        await ledger.accept(rows);
        const hold = await take(ledger, lane);
        const ids = rows.map((row) => row.id);
        const head = ids[0] ?? "";
        const sent = intent({ operation: "deliver", members: ids, blob: `batch.${head}`, ...over });
        assert.equal(await ledger.begin(head, sent, [], hold, "sealed"), true);
        return { ids, head, hold };
      }
      const found = async (ids: readonly string[]): Promise<readonly (Row | undefined)[]> =>
        Promise.all(ids.map((id) => store().ledger.get(id)));
      const states = async (ids: readonly string[]): Promise<readonly unknown[]> =>
        (await found(ids)).map((row) => row?.state);

      it("begin marks its rows, gives each an attempt and keeps its bytes; the end forgets both", async () => {
        const { ledger, blobs } = store();
        const { ids, head, hold } = await batch();
        assert.deepEqual(
          (await found(ids)).map((row) => [row?.state, row?.batch, row?.attempt]),
          [
            ["sending", head, 1],
            ["queued", head, 1],
            ["queued", head, 1],
          ],
        );
        assert.equal(await blobs.get(`batch.${head}`), "sealed");
        await ledger.settle(head, { n: 1, id: "x", version: undefined }, hold);
        for (const id of [...ids].reverse())
          await ledger.finish(id, { state: "done", cause: undefined, at: 1 }, [], hold);
        assert.deepEqual(
          (await found(ids)).map((row) => [row?.state, row?.batch]),
          ids.map(() => ["done", undefined]),
        );
        assert.equal(await blobs.get(`batch.${head}`), undefined);
      });

      it("is not made, and nothing is kept, when a member is no longer queued or in another batch; else it is", async () => {
        const { ledger, blobs } = store();
        const { ids, hold } = await batch();
        const [mine, gone] = [newRow({ lane: hold.lane }), newRow({ lane: hold.lane })];
        await ledger.accept([mine, gone]);
        await ledger.cancelWhere({ id: gone.id }, "by hand", 1);
        const begin = (...members: readonly string[]): Promise<boolean> =>
          ledger.begin(mine.id, intent({ members: [mine.id, ...members], blob: "mine" }), [], hold, "sealed");
        assert.equal(await begin(gone.id), false);
        assert.equal(await begin(ids[1] ?? ""), false);
        assert.deepEqual([(await ledger.get(mine.id))?.state, await blobs.get("mine")], ["queued", undefined]);
        assert.equal(await begin(), true);
        assert.equal(await blobs.get("mine"), "sealed");
      });

      it("unsend forgets it with its bytes, unless an earlier attempt may have been applied", async () => {
        const { ledger, blobs } = store();
        const certain = await batch();
        assert.equal(await ledger.unsend(certain.head, [], certain.hold), true);
        assert.deepEqual(
          (await found(certain.ids)).map((row) => [row?.state, row?.batch, row?.intent]),
          certain.ids.map(() => ["queued", undefined, undefined]),
        );
        assert.equal(await blobs.get(`batch.${certain.head}`), undefined);
        const again = await batch({ again: true });
        assert.equal(await ledger.unsend(again.head, [], again.hold), true);
        assert.deepEqual(
          (await found(again.ids)).map((row) => row?.batch),
          again.ids.map(() => again.head),
        );
        assert.equal(await blobs.get(`batch.${again.head}`), "sealed");
      });

      it("quarantine, retry and cancel take it as a whole", async () => {
        const { ledger, blobs } = store();
        const { ids, head, hold } = await batch();
        const other = newRow({ lane: hold.lane });
        await ledger.accept([other]);
        assert.equal(await ledger.quarantine(head, "unknown", problem, [], hold), true);
        assert.deepEqual(await states([...ids, other.id]), ["quarantined", "quarantined", "quarantined", "queued"]);
        assert.equal((await ledger.find({ group: problem.group })).length, 3);
        assert.equal(await ledger.retry({ id: ids[2] ?? "" }, 1), 3);
        assert.deepEqual(
          (await found(ids)).map((row) => [row?.state, row?.batch]),
          ids.map(() => ["queued", head]),
        );
        assert.equal(await blobs.get(`batch.${head}`), "sealed");
        assert.equal(await ledger.cancelWhere({ id: ids[1] ?? "" }, "by hand", 1), 3);
        assert.deepEqual(await states([...ids, other.id]), ["cancelled", "cancelled", "cancelled", "queued"]);
        assert.equal(await blobs.get(`batch.${head}`), undefined);
      });

      it("quarantine after an attempt that was not applied: its rows stand alone again", async () => {
        const { ledger, blobs } = store();
        const { ids, head, hold } = await batch();
        assert.equal(await ledger.quarantine(head, "rejected", problem, [], hold, "not-applied"), true);
        assert.deepEqual(
          (await found(ids)).map((row) => [row?.state, row?.batch, row?.intent]),
          ids.map(() => ["quarantined", undefined, undefined]),
        );
        assert.equal(await blobs.get(`batch.${head}`), undefined);
        assert.equal(await ledger.retry({ id: ids[1] ?? "" }, 1), 1);
      });

      it("while it is being sent, none of it is cancelled; nor is a row of it superseded", async () => {
        const { ledger } = store();
        const { ids, head, hold } = await batch();
        const source = (await ledger.get(ids[1] ?? ""))?.source;
        assert.ok(source);
        const newer = [newRow({ lane: hold.lane, source }), newRow({ lane: hold.lane, source })];
        await ledger.accept(newer);
        const newest = await ledger.get(newer[1]?.id ?? "");
        assert.ok(newest);
        assert.equal(await ledger.supersede(newest, 1, hold), 1);
        assert.deepEqual(await states([...ids, newer[0]?.id ?? ""]), ["sending", "queued", "queued", "superseded"]);
        assert.equal(await ledger.cancelWhere({ lane: hold.lane }, "by hand", 1), 1);
        assert.deepEqual(await states([...ids, newest.id]), ["sending", "queued", "queued", "cancelled"]);
        assert.equal((await ledger.get(ids[2] ?? ""))?.batch, head);
      });
    });

    it("retry and cancelWhere take all rows that match, or as many as the limit says, oldest first", async () => {
      const { ledger } = store();
      const rows = Array.from({ length: 1203 }, () => newRow({ lane: "a" }));
      await ledger.accept(rows);
      assert.equal(await ledger.cancelWhere({ lane: "a", limit: 2 }, "x", 1), 2);
      assert.equal((await ledger.get(rows[1]?.id ?? ""))?.state, "cancelled");
      assert.equal((await ledger.get(rows[2]?.id ?? ""))?.state, "queued");
      const hold = await take(ledger, "a");
      for (const row of rows.slice(2, 5)) await ledger.quarantine(row.id, "x", problem, [], hold);
      assert.equal(await ledger.retry({ lane: "a", limit: 2 }, 1), 2);
      assert.equal(await ledger.retry({ lane: "a" }, 1), 1);
      assert.equal(await ledger.cancelWhere({ lane: "a" }, "x", 1), 1201);
      assert.equal(await ledger.head(hold), undefined);
    });

    it("find: by state, channel, record, lane, group, due; in order, in pages", async () => {
      const { ledger } = store();
      const rows = [5, 3, 3, 1].map((acceptedAt, n) =>
        newRow({ acceptedAt, lane: `l${n}`, channel: n === 3 ? "feed" : "sync", id: `id-${n}` }),
      );
      await ledger.accept(rows);
      const ids = async (filter: Parameters<typeof ledger.find>[0]): Promise<readonly string[]> =>
        (await ledger.find(filter)).map((row) => row.id);
      assert.deepEqual(await ids({}), ["id-3", "id-1", "id-2", "id-0"]);
      assert.deepEqual(await ids({ newestFirst: true, limit: 2 }), ["id-0", "id-2"]);
      assert.deepEqual(await ids({ after: { acceptedAt: 3, id: "id-1" } }), ["id-2", "id-0"]);
      assert.deepEqual(await ids({ after: { acceptedAt: 3, id: "id-2" }, newestFirst: true }), ["id-1", "id-3"]);
      assert.deepEqual(await ids({ channel: "feed" }), ["id-3"]);
      assert.deepEqual(await ids({ lane: "l1" }), ["id-1"]);
      const source = rows[2]?.source;
      assert.ok(source);
      assert.deepEqual(await ids({ source }), ["id-2"]);
      assert.deepEqual(await ids({ source: { system: "crm", id: source.id } }), ["id-2"]);
      assert.deepEqual(await ids({ source: { system: "ehr", id: source.id } }), []);
      const hold = await take(ledger, "l0");
      await ledger.quarantine("id-0", "x", problem, [], hold);
      const busy = await take(ledger, "l1");
      await ledger.defer("id-1", { next: 50, cause: "x", failed: false, waiting: false }, [], busy);
      assert.deepEqual(await ids({ states: ["quarantined"] }), ["id-0"]);
      assert.deepEqual(await ids({ states: ["quarantined", "queued"], limit: 3 }), ["id-3", "id-1", "id-2"]);
      assert.deepEqual(await ids({ states: [] }), []);
      assert.deepEqual(await ids({ group: "no-match" }), ["id-0"]);
      assert.deepEqual(await ids({ dueBefore: 49 }), ["id-3", "id-2"]);
      assert.deepEqual(await ids({ dueBefore: 50 }), ["id-3", "id-1", "id-2"]);
    });

    it("counts by channel, state, and cause or group", async () => {
      const { ledger } = store();
      const { row, hold } = await accepted();
      await accepted();
      await accepted();
      await ledger.quarantine(row.id, "some-cause", problem, [], hold);
      const counts = [...(await ledger.counts())].sort((a, b) => a.count - b.count);
      assert.deepEqual(counts, [
        { channel: "crm-to-ehr", state: "quarantined", cause: "no-match", count: 1 },
        { channel: "crm-to-ehr", state: "queued", cause: undefined, count: 2 },
      ]);
    });

    it("an observation is kept for each channel and record", async () => {
      const { ledger } = store();
      const source = { system: "crm", type: "Contact", id: "1" };
      assert.equal(await ledger.observation("c", source), undefined);
      await ledger.observe("c", source, { n: 1, hash: "h1" });
      await ledger.observe("c", source, { n: 2, hash: "h2" });
      assert.deepEqual(await ledger.observation("c", source), { n: 2, hash: "h2" });
      assert.equal(await ledger.observation("d", source), undefined);
    });
  });
}
