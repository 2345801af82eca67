// Every look-up of the ledger walks an index: 50,000 waiting rows must not be read to find one.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { RowFilter } from "../../../src/exchange/ports.ts";
import { openDatabase } from "../../../src/store/embedded/database.ts";
import type { Database } from "../../../src/store/embedded/database.ts";
import { commitGroup } from "../../../src/store/embedded/group.ts";
import { dueSql } from "../../../src/store/embedded/lanes.ts";
import { hastenSql, headSql, supersedeSql } from "../../../src/store/embedded/ledger.ts";
import { findQuery } from "../../../src/store/embedded/rows.ts";
import { newRow } from "../../contract/store/samples.ts";
import { closeAll, newDirectory } from "./opened.ts";

describe("the query plans of the embedded ledger", () => {
  let db: Database;
  before(() => {
    db = openDatabase(join(newDirectory(), "x.sqlite"));
    const rows = Array.from({ length: 2000 }, (_, n) => newRow({ lane: `lane-${n % 300}` }));
    commitGroup(db, [{ id: 1, name: "accept", values: [rows] }]);
  });
  after(async () => {
    db.close();
    await closeAll();
  });

  const plan = (sql: string, values: readonly (string | number | null)[] = []): string => {
    const given = sql.split("?").length - 1;
    const bound = values.length > 0 ? values : Array.from({ length: given }, () => null);
    return db
      .all(`EXPLAIN QUERY PLAN ${sql}`, ...bound)
      .map((step) => String(step["detail"]))
      .join("\n");
  };

  function assertIndexed(steps: string, index: string): void {
    assert.match(steps, new RegExp(`USING (COVERING )?INDEX ${index}`), steps);
    assert.doesNotMatch(steps, /SCAN (rows|lanes)(?! USING)/, steps);
  }

  const find = (filter: RowFilter): string => {
    const query = findQuery("*", filter);
    assert.ok(query);
    return plan(query.sql, query.values);
  };

  it("a scan is seen by this test", () => {
    assert.throws(() => assertIndexed(plan("SELECT * FROM rows WHERE mark = ?"), "rows_state"));
  });

  it("due, in order, from a covering index", () => {
    const steps = plan(dueSql);
    assertIndexed(steps, "lanes_due");
    assert.match(steps, /COVERING INDEX lanes_due/);
    assert.doesNotMatch(steps, /TEMP B-TREE/, steps);
  });

  it("the head of a lane, and the rows that it supersedes", () => {
    assertIndexed(plan(headSql), "rows_open");
    assert.doesNotMatch(plan(headSql), /TEMP B-TREE/);
    assertIndexed(plan(supersedeSql), "rows_(source|lane)");
  });

  it("the rows of a lane that need not wait any longer", () => {
    assertIndexed(plan(hastenSql), "rows_lane");
  });

  it("find by record, group, lane", () => {
    assertIndexed(find({ source: { system: "crm", type: "Contact", id: "1" } }), "rows_source");
    assertIndexed(find({ source: { system: "crm", id: "1" }, states: ["queued"], limit: 5 }), "rows_source");
    assertIndexed(find({ group: "g", states: ["quarantined"], channel: "c" }), "rows_group");
    assertIndexed(find({ lane: "a", states: ["queued", "sending"] }), "rows_lane");
  });

  it("find by state and channel, and everything, page by page without sorting", () => {
    assertIndexed(find({ states: ["quarantined"], limit: 10 }), "rows_state");
    assertIndexed(find({ states: ["queued", "done"], limit: 10, newestFirst: true }), "rows_state");
    assertIndexed(find({ channel: "c", states: ["queued"], limit: 10 }), "rows_channel");
    assertIndexed(find({ limit: 10, after: { acceptedAt: 5, id: "x" } }), "rows_state");
    assertIndexed(find({ dueBefore: 5 }), "rows_state");
    assert.doesNotMatch(find({ states: ["quarantined"], limit: 10 }).split("\n")[1] ?? "", /TEMP/);
  });
});
