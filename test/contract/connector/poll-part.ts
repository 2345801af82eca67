// Contract: a poll loses no record, whatever the order in which changes become visible, and always comes to an end.
import assert from "node:assert/strict";
import type { Connector, Cursor } from "../../../src/connector/contract.ts";
import type { SourceRecord } from "../../../src/core/records.ts";
import type { Bench, ContractSubject } from "./subject.ts";

interface Sweep {
  readonly ids: readonly string[];
  readonly cursor: Cursor;
  readonly pages: number;
}

/** Polls until nothing more is waiting; fails when that never happens. */
async function sweep(subject: ContractSubject, connector: Connector, from?: Cursor, limit = 100): Promise<Sweep> {
  const records: SourceRecord[] = [];
  let cursor = from;
  for (let pages = 1; pages <= 50; pages += 1) {
    const page = await connector.poll({ type: subject.type, cursor, fields: subject.fields, limit });
    records.push(...page.records);
    cursor = page.cursor;
    if (!page.more) return { ids: records.map((record) => record.ref.id), cursor, pages };
  }
  return assert.fail("the poll does not end");
}

export function describePolling(bench: () => Bench): void {
  describe("polling", () => {
    it("starts from the beginning, oldest change first", async () => {
      const { subject, connector } = bench();
      const ids = ["A", "B", "C"].map((family) => {
        subject.advance(2_000);
        return subject.sandbox.put(subject.person(family));
      });
      assert.deepEqual((await sweep(subject, connector)).ids, ids);
    });

    it("answers an empty page and a cursor when there is nothing at all, and later what came", async () => {
      const { subject, connector } = bench();
      const first = await sweep(subject, connector);
      assert.deepEqual(first.ids, []);
      subject.advance(5_000);
      const id = subject.sandbox.put(subject.person("Late"));
      assert.deepEqual((await sweep(subject, connector, first.cursor)).ids, [id]);
    });

    it("answers only changes once the overlap has passed, and then nothing from a quiet system", async () => {
      const { subject, connector } = bench();
      const [first] = ["A", "B", "C"].map((family) => subject.sandbox.put(subject.person(family)));
      subject.advance(subject.overlapMs * 2 + 10_000);
      const start = await sweep(subject, connector);
      assert.equal(start.ids.length, 3);
      subject.sandbox.rename(first ?? "", "D");
      const second = await sweep(subject, connector, start.cursor);
      assert.deepEqual(second.ids, [first]);
      subject.advance(subject.overlapMs * 2 + 10_000);
      const third = await sweep(subject, connector, second.cursor);
      subject.advance(subject.overlapMs * 2 + 10_000);
      assert.deepEqual((await sweep(subject, connector, third.cursor)).ids, []);
    });

    it("still finds a record whose transaction was slow to become visible", async () => {
      const { subject, connector } = bench();
      subject.sandbox.put(subject.person("Fast"));
      subject.advance(1_000);
      const start = await sweep(subject, connector);
      const slow = subject.sandbox.put(subject.person("Slow"), Math.min(subject.overlapMs, 5_000));
      assert.ok((await sweep(subject, connector, start.cursor)).ids.includes(slow));
    });

    it("does not lose such a record when it becomes visible between two pages", async () => {
      const { subject, connector } = bench();
      for (let i = 0; i < 4; i += 1) {
        subject.sandbox.put(subject.person(`P${i}`));
        subject.advance(1_000);
      }
      const request = { type: subject.type, fields: subject.fields, limit: 3 };
      const page = await connector.poll({ ...request, cursor: undefined });
      assert.equal(page.more, true);
      const slow = subject.sandbox.put(subject.person("Slow"), Math.min(subject.overlapMs, 5_000));
      const rest = await sweep(subject, connector, page.cursor, 3);
      const next = await sweep(subject, connector, rest.cursor, 3);
      assert.ok([...rest.ids, ...next.ids].includes(slow));
    });

    it("pages through more records with one and the same time stamp than fit a page", async () => {
      const { subject, connector } = bench();
      const ids = Array.from({ length: 11 }, (_, i) => subject.sandbox.put(subject.person(`Same${i}`)));
      const all = await sweep(subject, connector, undefined, 3);
      assert.deepEqual([...new Set(all.ids)].sort(), [...ids].sort());
      assert.ok(all.pages > 1);
      const again = await sweep(subject, connector, all.cursor, 3);
      assert.ok(again.ids.every((id) => ids.includes(id)));
    });

    it("refuses a cursor that it did not make", async () => {
      const { subject, connector } = bench();
      const request = { type: subject.type, fields: subject.fields, limit: 3 };
      await assert.rejects(connector.poll({ ...request, cursor: '{"stamp":"x\' OR Id != \'"}' }), {
        name: "SluiceError",
        code: "input-malformed",
      });
    });
  });
}
