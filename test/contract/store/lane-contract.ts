// Lanes: one holder at a time, fenced writes, and which lanes the sweep is told of.
import assert from "node:assert/strict";
import { entry, fresh, intent, newRow, problem, take } from "./samples.ts";
import type { StoreOf } from "./contract.ts";

export function laneContract(store: StoreOf): void {
  describe("lanes", () => {
    it("one of 50 concurrent claims wins", async () => {
      const { ledger } = store();
      await ledger.accept([newRow({ lane: "a" })]);
      const seen = await ledger.peek("a");
      assert.ok(seen?.free);
      const claims = await Promise.all(Array.from({ length: 50 }, () => ledger.claim("a", seen)));
      assert.deepEqual(
        claims.filter((hold) => hold),
        [{ lane: "a", fence: seen.fence + 1 }],
      );
      assert.equal((await ledger.peek("a"))?.free, false);
    });

    it("a lane that does not exist is made by a claim of (0, 0) only, once", async () => {
      const { ledger } = store();
      assert.equal(await ledger.peek("poll:x"), undefined);
      assert.equal(await ledger.claim("poll:x", { fence: 1, beat: 0 }), undefined);
      const claims = await Promise.all([1, 2, 3].map(() => ledger.claim("poll:x", { fence: 0, beat: 0 })));
      assert.equal(claims.filter((hold) => hold).length, 1);
    });

    it("a beat makes an older sight of the lane useless", async () => {
      const { ledger } = store();
      const hold = await take(ledger, "a");
      const seen = await ledger.peek("a");
      assert.ok(seen);
      assert.equal(await ledger.renew(hold), true);
      assert.equal(await ledger.claim("a", seen), undefined);
      const now = await ledger.peek("a");
      assert.deepEqual(await ledger.claim("a", now ?? seen), { lane: "a", fence: hold.fence + 1 });
    });

    it("release frees the lane, and only its holder can", async () => {
      const { ledger } = store();
      const first = await take(ledger, "a");
      const second = await take(ledger, "a");
      assert.equal(await ledger.release(first), false);
      assert.equal((await ledger.peek("a"))?.free, false);
      assert.equal(await ledger.release(second), true);
      assert.equal((await ledger.peek("a"))?.free, true);
      assert.equal(await ledger.renew(second), false);
    });

    it("every write of a holder whose fence has moved on answers false and changes nothing", async () => {
      const { ledger, audit, cursors } = store();
      const row = newRow({ lane: "a" });
      await ledger.accept([row, newRow({ lane: "a", source: row.source })]);
      const old = await take(ledger, "a");
      const held = await take(ledger, "a");
      const before = await ledger.get(row.id);
      assert.ok(before);
      const wait = { next: 9, cause: "x", failed: true, waiting: true };
      assert.equal(await ledger.head(old), undefined);
      assert.equal(await ledger.move(row.id, "b", old), false);
      assert.equal(await ledger.begin(row.id, intent(), [entry()], old), false);
      assert.equal(await ledger.unsend(row.id, [], old), false);
      assert.equal(await ledger.settle(row.id, { n: 1, id: "p", version: "1" }, old), false);
      assert.equal(await ledger.defer(row.id, wait, [entry()], old), false);
      assert.equal(await ledger.quarantine(row.id, "x", problem, [entry()], old), false);
      assert.equal(await ledger.finish(row.id, { state: "denied", cause: "x", at: 1 }, [entry()], old), false);
      assert.equal(await ledger.supersede(before, 1, old), 0);
      assert.equal(await cursors.move("c", { value: "1", goodAt: 1 }, old), false);
      assert.deepEqual(await ledger.get(row.id), before);
      assert.equal((await audit.head()).n, 0);
      assert.equal(await cursors.get("c"), undefined);
      // The twin: the same writes by the one who holds the lane.
      assert.equal((await ledger.head(held))?.id, row.id);
      assert.equal(await ledger.begin(row.id, intent(), [entry()], held), true);
      assert.equal(await cursors.move("c", { value: "1", goodAt: 1 }, held), true);
    });

    it("a hold says nothing about rows of another lane", async () => {
      const { ledger } = store();
      const row = newRow({ lane: "a" });
      await ledger.accept([row]);
      const other = await take(ledger, "b");
      assert.equal(await ledger.begin(row.id, intent(), [], other), false);
      assert.equal(await ledger.begin(row.id, intent(), [], await take(ledger, "a")), true);
    });

    it("due: a lane by its head only, free, live before backfill, at most so many, channels skipped", async () => {
      const { ledger } = store();
      const late = newRow({ lane: "late", acceptedAt: 2 });
      await ledger.accept([
        newRow({ lane: "backfill", priority: "backfill", acceptedAt: 1 }),
        late,
        newRow({ lane: "late", acceptedAt: 3 }),
        newRow({ lane: "live", acceptedAt: 4 }),
        newRow({ lane: "other", channel: "feed", acceptedAt: 5 }),
        newRow({ lane: "held", acceptedAt: 6 }),
        newRow({ lane: "mixed", priority: "backfill", acceptedAt: 7 }),
        newRow({ lane: "mixed", priority: "live", acceptedAt: 8 }),
      ]);
      await take(ledger, "held");
      const hold = await take(ledger, "late");
      const wait = { next: 100, cause: "x", failed: false, waiting: false };
      assert.equal(await ledger.defer(late.id, wait, [], hold), true);
      await ledger.release(hold);
      assert.deepEqual(await ledger.due(99, 10), ["live", "other", "mixed", "backfill"]);
      assert.deepEqual(await ledger.due(100, 10), ["live", "other", "mixed", "late", "backfill"]);
      assert.deepEqual(await ledger.due(99, 2), ["live", "other"]);
      assert.deepEqual(await ledger.due(99, 10, ["feed"]), ["live", "mixed", "backfill"]);
    });

    it("quarantine does not hold its lane; a lane without open rows is not due", async () => {
      const { ledger } = store();
      const [first, second] = [newRow({ lane: "a" }), newRow({ lane: "a" })];
      await ledger.accept([first, second]);
      const hold = await take(ledger, "a");
      await ledger.quarantine(first.id, "x", problem, [], hold);
      assert.equal((await ledger.head(hold))?.id, second.id);
      await ledger.finish(second.id, { state: "unchanged", cause: undefined, at: 1 }, [], hold);
      assert.equal(await ledger.head(hold), undefined);
      await ledger.release(hold);
      assert.deepEqual(await ledger.due(1000, 10), []);
      await ledger.retry({ lane: "a" }, 1);
      assert.deepEqual(await ledger.due(1000, 10), ["a"]);
    });

    it("move puts a row at the end of another lane, where the old hold does not reach it", async () => {
      const { ledger } = store();
      const lane = fresh("lane");
      const [there, row] = [newRow({ lane }), newRow({ lane: "resolve:none" })];
      await ledger.accept([row, there]);
      const hold = await take(ledger, "resolve:none");
      assert.equal(await ledger.move(row.id, lane, hold), true);
      assert.equal(await ledger.begin(row.id, intent(), [], hold), false);
      const next = await take(ledger, lane);
      assert.equal((await ledger.head(next))?.id, there.id);
      await ledger.finish(there.id, { state: "unchanged", cause: undefined, at: 1 }, [], next);
      assert.equal((await ledger.head(next))?.id, row.id);
      await ledger.release(hold);
      await ledger.release(next);
      assert.deepEqual(await ledger.due(0, 10), [lane]);
    });
  });
}
