// Any sequence of ledger operations leaves the store where a few lines over plain arrays say: heads, due lanes, states.
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { RowState } from "../../../src/core/records.ts";
import { openStates } from "../../../src/core/records.ts";
import type { Hold, LaneState, NewRow, Row } from "../../../src/exchange/ports.ts";
import { openDatabase } from "../../../src/store/embedded/database.ts";
import type { Database } from "../../../src/store/embedded/database.ts";
import { commitGroup } from "../../../src/store/embedded/group.ts";
import type { Arguments, OperationName, Result } from "../../../src/store/embedded/operations.ts";
import { intent, newRow, problem } from "../../contract/store/samples.ts";
import { closeAll, newDirectory } from "./opened.ts";

interface ModelRow {
  readonly id: string;
  readonly live: boolean;
  lane: string;
  place: number;
  state: RowState;
  next: number;
  attempt: number;
}

const lanes = ["a", "b", "c"];
const isOpen = (row: ModelRow): boolean => openStates.includes(row.state);

/** The ledger by the port's words, and the store beside it. */
class Pair {
  readonly #db: Database;
  readonly #rows: ModelRow[] = [];
  readonly #holds = new Map<string, Hold>();
  #place = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  #ask<Name extends OperationName>(name: Name, ...values: Arguments<Name>): Result<Name> {
    const [answer] = commitGroup(this.#db, [{ id: 1, name, values }]).answers;
    assert.ok(answer && "value" in answer, JSON.stringify(answer));
    return answer.value as Result<Name>;
  }

  #open(lane: string): ModelRow[] {
    return this.#rows.filter((row) => row.lane === lane && isOpen(row)).sort((a, b) => a.place - b.place);
  }

  accept(lane: string, live: boolean): void {
    const row: NewRow = newRow({ lane, priority: live ? "live" : "backfill", acceptedAt: 1 });
    assert.deepEqual(this.#ask("accept", [row]), ["accepted"]);
    this.#rows.push({ id: row.id, lane, live, place: ++this.#place, state: "queued", next: 0, attempt: 0 });
  }

  take(lane: string): void {
    const state: LaneState | undefined = this.#ask("peek", lane);
    const hold = this.#ask("claimLane", lane, state ?? { fence: 0, beat: 0 });
    assert.ok(hold);
    this.#holds.set(lane, hold);
  }

  release(lane: string): void {
    const hold = this.#holds.get(lane);
    if (hold) assert.equal(this.#ask("release", hold), true);
    this.#holds.delete(lane);
  }

  /** Does one thing with the head of a held lane. */
  step(lane: string, what: string, next: number, to: string): void {
    const hold = this.#holds.get(lane);
    if (!hold) return;
    const head: Row | undefined = this.#ask("head", hold);
    const model = this.#open(lane)[0];
    assert.equal(head?.id, model?.id);
    if (!head || !model) return;
    assert.deepEqual([head.state, head.next, head.attempt], [model.state, model.next, model.attempt]);
    this.#act(hold, head, model, what, next, to);
  }

  #act(hold: Hold, head: Row, model: ModelRow, what: string, next: number, to: string): void {
    const from = model.state;
    if (what === "begin") {
      const done = this.#ask("begin", head.id, intent({ n: model.attempt + 1 }), [], hold);
      assert.equal(done, from !== "applied");
      if (done) Object.assign(model, { state: "sending", attempt: model.attempt + 1 });
    } else if (what === "unsend") {
      assert.equal(this.#ask("unsend", head.id, [], hold), from === "sending");
      if (from === "sending") model.state = "queued";
    } else if (what === "settle") {
      const applied = { n: model.attempt, id: "p", version: undefined };
      assert.equal(this.#ask("settle", head.id, applied, hold), from === "sending");
      if (from === "sending") model.state = "applied";
    } else if (what === "defer") {
      const wait = { next, cause: "x", failed: true, waiting: false, at: 1 };
      assert.equal(this.#ask("defer", head.id, wait, [], hold), true);
      model.next = next;
    } else if (what === "quarantine") {
      assert.equal(this.#ask("quarantine", head.id, "x", problem, [], hold), true);
      Object.assign(model, { state: "quarantined", next: 0 });
    } else if (what === "finish") {
      assert.equal(this.#ask("finish", head.id, { state: "done", cause: undefined, at: 1 }, [], hold), true);
      Object.assign(model, { state: "done", next: 0 });
    } else {
      assert.equal(this.#ask("move", head.id, to, hold), true);
      Object.assign(model, { lane: to, place: ++this.#place });
    }
  }

  retry(lane: string): void {
    const waiting = this.#rows.filter((row) => row.lane === lane && row.state === "quarantined");
    assert.equal(this.#ask("retry", { lane }), waiting.length);
    for (const row of waiting) row.state = "queued";
  }

  cancel(lane: string): void {
    const waiting = this.#rows.filter((row) => row.lane === lane && ["queued", "quarantined"].includes(row.state));
    assert.equal(this.#ask("cancelWhere", { lane }, "by hand", 1), waiting.length);
    for (const row of waiting) Object.assign(row, { state: "cancelled", next: 0 });
  }

  restart(): void {
    assert.equal(this.#ask("freeAll"), this.#holds.size);
    this.#holds.clear();
  }

  compare(now: number): void {
    const due = lanes.filter((lane) => !this.#holds.has(lane) && (this.#open(lane)[0]?.next ?? Infinity) <= now);
    const isLive = (lane: string): boolean => this.#open(lane).some((row) => row.live);
    const found = this.#ask("due", now, 10);
    assert.deepEqual([...found].sort(), due);
    assert.deepEqual(
      found.map(isLive),
      found.map(isLive).sort((a, b) => Number(b) - Number(a)),
    );
  }
}

const lane = fc.constantFrom(...lanes);
const what = fc.constantFrom("begin", "unsend", "settle", "defer", "quarantine", "finish", "move");
const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(lane, fc.boolean()).map(
      ([l, live]) =>
        (pair: Pair) =>
          pair.accept(l, live),
    ),
  },
  { weight: 3, arbitrary: lane.map((l) => (pair: Pair) => pair.take(l)) },
  { weight: 2, arbitrary: lane.map((l) => (pair: Pair) => pair.release(l)) },
  {
    weight: 10,
    arbitrary: fc.tuple(lane, what, fc.integer({ min: 0, max: 20 }), lane).map(
      ([l, w, next, to]) =>
        (pair: Pair) =>
          pair.step(l, w, next, to),
    ),
  },
  { weight: 1, arbitrary: lane.map((l) => (pair: Pair) => pair.retry(l)) },
  { weight: 1, arbitrary: lane.map((l) => (pair: Pair) => pair.cancel(l)) },
  { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.restart()) },
);

describe("the embedded ledger and a model of it", () => {
  afterEach(closeAll);

  it("agree after any sequence of operations", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const db = openDatabase(join(newDirectory(), "x.sqlite"));
        try {
          const pair = new Pair(db);
          for (const run of commands) {
            run(pair);
            for (const now of [0, 10, 20]) pair.compare(now);
          }
        } finally {
          db.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});
