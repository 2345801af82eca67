// Poll positions: no record is lost, however changes, late commits and pages interleave; a stored position cannot be forged.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  advance,
  condition,
  readCursor,
  writeCursor,
  type Position,
} from "../../../../connectors/salesforce/cursor.ts";
import { evaluate } from "../../../../connectors/salesforce/sandbox/evaluate.ts";
import { orgSchema, stampText, type Fields } from "../../../../connectors/salesforce/sandbox/schema.ts";
import { parseSoql } from "../../../../connectors/salesforce/sandbox/soql.ts";
import { select } from "../../../../connectors/salesforce/soql.ts";

const contact = orgSchema().get("Contact");
const overlapMs = 20_000;
const start = Date.UTC(2026, 0, 1);

/** An org whose records become visible late, and a poller that reads it page by page. */
class Model {
  now = start;
  readonly visible = new Map<string, Fields>();
  readonly seen = new Map<string, string>();
  position: Position = {};
  pages = 0;

  write(id: number, lateMs: number): void {
    const Id = `003${String(id).padStart(12, "0")}AAA`;
    const stamp = stampText(Math.floor((this.now - lateMs) / 1000) * 1000);
    const before = this.visible.get(Id)?.["SystemModstamp"];
    if (typeof before === "string" && before > stamp) return;
    this.visible.set(Id, { Id, SystemModstamp: stamp });
  }

  /** One page; true when more is waiting. */
  page(limit: number): boolean {
    assert.ok(contact);
    this.pages += 1;
    const where = condition(this.position);
    const fields = ["Id", "SystemModstamp"];
    const soql = select({ type: "Contact", fields, where, orderBy: ["SystemModstamp", "Id"], limit });
    const rows = evaluate(parseSoql(soql), contact, this.visible.values());
    for (const row of rows) this.seen.set(String(row["Id"]), String(row["SystemModstamp"]));
    const last = rows.at(-1);
    const seen = last && { stamp: Date.parse(String(last["SystemModstamp"])), id: String(last["Id"]) };
    const more = rows.length >= limit;
    const at = Math.floor(this.now / 1000) * 1000;
    const next = advance(this.position, { last: seen, more, at, overlapMs });
    this.position = readCursor(writeCursor(next));
    return more;
  }

  sweep(limit: number): void {
    const before = this.pages;
    while (this.page(limit)) assert.ok(this.pages - before < 200, "the poll does not end");
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant("write" as const), id: fc.nat(9), late: fc.integer({ min: 0, max: overlapMs }) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
  fc.record({ do: fc.constant("page" as const) }),
);

describe("salesforce poll positions", () => {
  it("see every record in its last version, whatever is written late between any two pages", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, limit) => {
        const model = new Model();
        for (const each of steps) {
          if (each.do === "write") model.write(each.id, each.late);
          else if (each.do === "wait") model.now += each.ms;
          else model.page(limit);
        }
        model.sweep(limit);
        model.sweep(limit);
        const last = [...model.visible].map(([id, row]): [string, string] => [id, String(row["SystemModstamp"])]);
        assert.deepEqual(new Map(last), new Map([...model.seen].filter(([id]) => model.visible.has(id))));
      }),
      { numRuns: 300 },
    );
  });

  it("move behind the source's clock by resolution and overlap, and never back", () => {
    const at = start + 500_000;
    const page = { last: undefined, more: false, overlapMs };
    assert.deepEqual(advance({}, { ...page, at }), { from: at - 1_000 - overlapMs });
    assert.deepEqual(advance({ from: at }, { ...page, at: at - 60_000 }), { from: at });
    assert.deepEqual(advance({ from: at }, { ...page, at: undefined }), { from: at });
  });

  it("keep the first page's clock through a sweep", () => {
    const last = { stamp: start, id: "003000000000001AAA" };
    const first = advance({}, { last, more: true, at: start + 100_000, overlapMs });
    const end = advance(first, { last, more: false, at: start + 900_000, overlapMs });
    assert.deepEqual(end, { from: start + 100_000 - 1_000 - overlapMs });
  });

  it("are refused when they are not what this connector writes", () => {
    for (const bad of [
      "",
      "5",
      "[]",
      '{"from":"2026"}',
      '{"after":{"stamp":1,"id":"x\' OR"}}',
      '{"other":1}',
      '{"from":-1}',
    ]) {
      assert.throws(() => readCursor(bad), { code: "input-malformed" });
    }
    assert.deepEqual(readCursor('{"from":1}'), { from: 1 });
    assert.deepEqual(readCursor(undefined), {});
  });
});
