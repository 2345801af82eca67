// Moving a store from SQLite to MongoDB: through the ports the new side answers like the old one, a move that is broken off
// anywhere goes on, and a database that holds something else is refused.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { systemClock } from "../../../src/core/clock.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import { unwind } from "../../../src/embedded.ts";
import type { Store } from "../../../src/exchange/ports.ts";
import { refuseMoved } from "../../../src/store/embedded/moved.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../../src/store/embedded/open.ts";
import { textOf } from "../../../src/store/migrate/content.ts";
import { moveStore, type Move, type MoveOptions } from "../../../src/store/migrate/move.ts";
import { parts } from "../../../src/store/migrate/parts.ts";
import { openDatabase } from "../../../src/store/mongo/database.ts";
import { kinds } from "../../../src/store/mongo/kinds.ts";
import { openMongoStore, type MongoStore } from "../../../src/store/mongo/open.ts";
import type { RunningBackend } from "../../backends/backend.ts";
import { dropDatabase, mongoForTests, newDatabaseName } from "../../backends/mongo-for-tests.ts";
import { collect, entry, intent, newLink, newRow, problem, take } from "../../contract/store/samples.ts";

describe("moving a store to MongoDB", function () {
  this.timeout(120_000);
  let mongo: RunningBackend;
  let place: string;
  let filled: string;
  let directory: string;
  let database: string;
  const rows: string[] = [];
  const undo: (() => unknown)[] = [];

  before(async function () {
    mongo = await mongoForTests(this);
    undo.push(() => mongo.close());
    place = await mkdtemp(join(tmpdir(), "sluice-move-"));
    undo.push(() => rm(place, { recursive: true, force: true }));
    filled = join(place, "filled");
    rows.push(...(await fill(filled)));
  });
  after(() => unwind(undo));
  beforeEach(async () => {
    database = newDatabaseName();
    directory = join(place, database);
    await cp(filled, directory, { recursive: true });
  });
  afterEach(() => dropDatabase(mongo.url, database));

  function move(over: Partial<MoveOptions> = {}): Promise<Move> {
    return moveStore({
      directory,
      uri: mongo.url,
      database,
      clock: systemClock,
      check: () => Promise.resolve(),
      putOnRecord: (store) => store.audit.append([entry("migrate")]),
      page: { rows: 3, chars: 1_000_000 },
      ...over,
    });
  }

  async function withTarget<T>(use: (store: MongoStore) => Promise<T>): Promise<T> {
    const mirrorHeadTo = join(directory, "mirror.json");
    const store = await openMongoStore({ uri: mongo.url, database, mirrorHeadTo });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }

  async function withSource<T>(use: (store: EmbeddedStore) => Promise<T>): Promise<T> {
    const store = await openEmbeddedStore({ directory });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }

  /** What the ports answer, all of it. */
  async function told(store: Store): Promise<Readonly<Record<string, unknown>>> {
    const subjects = Array.from({ length: 4 }, (_, n) => ({ system: "ehr", type: "Patient", id: `patient-${n}` }));
    return {
      rows: await Promise.all(rows.map((id) => store.ledger.get(id))),
      found: (await store.ledger.find({ limit: 1000 })).map((row) => row.id),
      counts: (await store.ledger.counts()).map((one) => textOf(one)).sort(),
      due: await store.ledger.due(9_000, 100),
      dueLater: await store.ledger.due(99_000, 100),
      lanes: await Promise.all(["lane-a", "lane-b", "lane-c", "lane-m", "none"].map((lane) => store.ledger.peek(lane))),
      observation: await store.ledger.observation("crm-to-ehr", { system: "crm", type: "Contact", id: "o" }),
      audit: await collect(store.audit.read()),
      head: await store.audit.head(),
      person: await store.links.personOf({ system: "crm", type: "Contact", id: "claimed" }),
      records: await store.links.recordsOf("person-x"),
      history: await store.links.history("link-x"),
      pair: await store.links.pairOf({ system: "crm", type: "Contact", id: "x" }, "ehr"),
      consents: await store.facts.consentsOf(subjects),
      cursor: await store.cursors.get("crm/Contact"),
      systems: await Promise.all(["ehr", "crm", "none"].map((id) => store.systems.get(id))),
      current: await store.versions.current(),
      configuration: await store.versions.get("hash-1"),
      decided: await store.versions.decidedUnder("crm-to-ehr"),
      changes: await store.changes.since(0, 100),
      changesHead: await store.changes.head(),
      registers: await store.registers.list(""),
      blobs: await Promise.all(["kept", "erased"].map((id) => store.blobs.get(id))),
      key: await store.vault.personKey("person-x"),
      pseudonym: await store.vault.pseudonym("marketing", "patient-1", "another"),
    };
  }

  /** As the source tells it, with the lanes that somebody held free, as at each start. */
  async function wanted(): Promise<Readonly<Record<string, unknown>>> {
    return withSource(async (store) => {
      const before = await told(store);
      const lanes = before["lanes"] as ({ free: boolean } | undefined)[];
      assert.ok(lanes.some((lane) => lane?.free === false));
      await store.ledger.freeAll();
      const { due, dueLater } = await told(store);
      return { ...before, due, dueLater, lanes: lanes.map((lane) => lane && { ...lane, free: true }) };
    });
  }

  it("every part of the store is moved, and no collection is forgotten", async () => {
    const moved = new Set(parts.map((part) => part.collection));
    const own = new Set(["schema", "arrival"]);
    assert.deepEqual(
      kinds.filter(({ collection }) => !own.has(collection) && !moved.has(collection)),
      [],
    );
    const done = await move();
    for (const { collection, documents } of done.collections) assert.ok(documents > 0, `${collection} was empty`);
    const db = new DatabaseSync(join(directory, "sluice.sqlite"));
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    db.close();
    const tables = names.map(({ name }) => String(name)).filter((name) => !name.startsWith("sqlite_"));
    // Indexes of SQLite's own over what is moved.
    const derived = new Set(["audit_keys", "link_records"]);
    assert.deepEqual(
      tables.filter((table) => !derived.has(table) && !parts.some((part) => part.sql.includes(table))),
      [],
    );
  });

  it("through the ports the new side answers like the old one", async () => {
    const done = await move();
    const [here, there] = [await wanted(), await withTarget(told)];
    assert.deepEqual(there, here);
    assert.deepEqual(done.head, here["head"]);
    const keys = (here["audit"] as { entries: { key: string }[] }[]).flatMap((batch) => batch.entries);
    assert.ok(keys.some(({ key }) => key === "migrate"));
  });

  it("lanes go on: the next place is behind the last, the next fence above the last", async () => {
    const before = await withSource((store) => store.ledger.peek("lane-a"));
    await move();
    await withTarget(async ({ ledger }) => {
      await ledger.accept([newRow({ id: "next", lane: "lane-a" })]);
      const hold = await take(ledger, "lane-a");
      assert.equal(hold.fence, (before?.fence ?? 0) + 1);
      const head = await ledger.head(hold);
      assert.equal(head?.id, "a-sending");
      assert.ok(await ledger.settle("a-sending", { n: 1, id: "p", version: "1" }, hold));
      const last = { state: "done", cause: undefined, at: 7000 } as const;
      assert.ok(await ledger.finish("a-sending", last, [], hold));
      const others = await ledger.find({ lane: "lane-a" });
      const seqs = others.filter((row) => row.id !== "next").map((row) => row.seq);
      assert.ok(((await ledger.get("next"))?.seq ?? 0) > Math.max(...seqs));
    });
  });

  it("accepting again what was accepted before is known", async () => {
    await move();
    assert.deepEqual(await withTarget((store) => store.ledger.accept([newRow({ id: "a-sending" })])), ["known"]);
  });

  it("broken off anywhere it goes on, and the half does not open", async () => {
    let steps = 0;
    await move({ progress: () => (steps += 1) });
    const whole = await withTarget(told);
    await dropDatabase(mongo.url, database);
    assert.ok(steps > 30);
    for (let at = 1; at <= steps; at += 11) {
      directory = join(place, `${database}-${at}`);
      await cp(filled, directory, { recursive: true });
      let seen = 0;
      const breakOff = (): void => {
        if ((seen += 1) === at) throw new SluiceError("internal", "broken off");
      };
      await assert.rejects(move({ progress: breakOff }), /broken off/);
      await assert.rejects(withTarget(told), { code: "data-foreign" });
      assert.doesNotThrow(() => refuseMoved(directory));
      await move();
      const { audit: _, head: __, ...rest } = await withTarget(told);
      const { audit: ___, head: ____, ...wanted } = whole;
      assert.deepEqual(rest, wanted, `after step ${at}`);
      assert.throws(() => refuseMoved(directory), { code: "data-moved" });
      await dropDatabase(mongo.url, database);
    }
  });

  it("again when all is there: nothing is changed, also when the new side has gone on", async () => {
    const first = await move();
    await withTarget(async ({ ledger, audit }) => {
      await ledger.accept([newRow({ id: "later", lane: "lane-a" })]);
      await audit.append([entry("later")]);
    });
    const before = await withTarget(told);
    const again = await move({ putOnRecord: () => Promise.reject(new Error("on record twice")) });
    assert.deepEqual([again.already, again.head], [true, first.head]);
    assert.deepEqual(await withTarget(told), before);
  });

  it("killed between the two marks: neither side works, and the next run sets the second", async () => {
    const first = await move();
    const raw = await openDatabase({ uri: mongo.url, database });
    await raw.raw("arrival").updateOne({ _id: "embedded" }, { $set: { complete: false } });
    await raw.close();
    assert.throws(() => refuseMoved(directory), { code: "data-moved" });
    await assert.rejects(withTarget(told), { code: "data-foreign" });
    const again = await move();
    assert.deepEqual([again.already, again.head], [false, first.head]);
    await withTarget(told);
  });

  it("a store that commands have only looked at is empty enough", async () => {
    await withTarget((store) => store.ledger.counts());
    assert.equal((await move()).already, false);
  });

  describe("refused", () => {
    const refused = (over: Partial<MoveOptions> = {}, code = "data-foreign"): Promise<void> =>
      assert.rejects(move(over), (error) => error instanceof SluiceError && error.code === code);

    it("a database with another deployment's audit log", async () => {
      await withTarget((store) => store.audit.append([entry("another")]));
      await refused();
      assert.ok(!existsSync(join(directory, "moved.json")));
    });

    it("a database that another deployment has moved into", async () => {
      const other = join(place, `${database}-other`);
      const store = await openEmbeddedStore({ directory: other });
      await store.audit.append([entry("another")]);
      await store.close();
      await move({ directory: other });
      await refused();
    });

    it("a database with anything else in it", async () => {
      const raw = await openDatabase({ uri: mongo.url, database });
      await raw.raw("books").insertOne({ _id: "a" });
      await raw.close();
      await refused();
    });

    it("a half copy in which one document differs, which is named", async () => {
      await assert.rejects(move({ progress: breakOffAt("rows") }));
      const raw = await openDatabase({ uri: mongo.url, database });
      await raw.raw("lanes").updateOne({ _id: "lane-a" }, { $set: { last: 99 } });
      await raw.close();
      await assert.rejects(move(), /lanes holds another document lane-a/);
    });

    it("a half copy to which something was added", async () => {
      await assert.rejects(move({ progress: breakOffAt("rows") }));
      const raw = await openDatabase({ uri: mongo.url, database });
      await raw.raw("lanes").insertOne({ _id: "new", last: 1 });
      await raw.close();
      await assert.rejects(move(), /lanes holds \d+ documents/);
    });

    it("an audit log that was cut: nothing is switched", async () => {
      const db = new DatabaseSync(join(directory, "sluice.sqlite"));
      db.exec("UPDATE audit SET entries = replace(entries, 'disclosure', 'disclosurf') WHERE n = 2");
      db.close();
      await refused({}, "audit-broken");
      assert.doesNotThrow(() => refuseMoved(directory));
    });

    it("a directory that was put to work again after the move", async () => {
      await move();
      await rm(join(directory, "moved.json"));
      await refused();
    });

    it("a directory that has moved already, into another database", async () => {
      await move();
      const name = newDatabaseName();
      await refused({ database: name }, "data-moved");
      assert.equal((await move()).already, true);
    });
  });

  it("nobody writes to the old store meanwhile; afterwards one can", async () => {
    let locked: unknown;
    await move({
      progress: () => {
        if (locked !== undefined) return;
        const db = new DatabaseSync(join(directory, "sluice.sqlite"), { timeout: 0 });
        try {
          db.exec("BEGIN IMMEDIATE");
        } catch (error) {
          locked = error;
        }
        db.close();
      },
    });
    assert.match(String(locked), /locked/);
    await withSource((store) => store.blobs.put("kept", "again"));
  });
});

function breakOffAt(collection: string): (progress: { readonly collection: string }) => void {
  return (progress) => {
    if (progress.collection === collection) throw new SluiceError("internal", "broken off");
  };
}

/** A store with something of everything in it. Answers the ids of its rows. */
async function fill(directory: string): Promise<readonly string[]> {
  const store = await openEmbeddedStore({ directory });
  const { ledger, links } = store;
  await store.audit.append([entry()]);
  await fillLanes(store);
  await ledger.observe("crm-to-ehr", { system: "crm", type: "Contact", id: "o" }, { n: 3, hash: "h" });
  await links.claim([{ system: "crm", type: "Contact", id: "claimed" }], "person-x");
  const records = [
    { system: "crm", type: "Contact", id: "x" },
    { system: "ehr", type: "Patient", id: "x" },
  ];
  for (let seq = 1; seq <= 3; seq += 1) {
    const base = { "name.family": `hmac-${seq}` };
    await links.put(newLink({ id: "link-x", person: "person-x", records, base, seq }), 1000 + seq);
  }
  await links.put(newLink(), 2000);
  for (let n = 0; n < 4; n += 1) {
    const subject = { system: "ehr", type: "Patient", id: `patient-${n}` };
    await store.facts.putConsent({ system: "ehr", id: `c${n}`, version: "1", subject, sealed: "s", gone: n === 3 });
  }
  const poll = await take(ledger, "poll:crm/Contact");
  await store.cursors.move("crm/Contact", { value: "cursor", goodAt: 5000 }, poll);
  await store.systems.bind("crm", { organization: "00D" });
  await store.systems.pause("ehr", 6000, "refused", "renew it");
  for (const n of [1, 2]) await store.versions.activate(`hash-${n}`, `{"n":${n}}`, 1000 + n, "test");
  await store.versions.setDecidedUnder("crm-to-ehr", "v1");
  await store.registers.move("brake/crm-to-ehr", 0, "{}", { announce: true });
  await store.registers.move("brake/crm-to-ehr", 1, "{}");
  await store.blobs.put("kept", "sealed");
  await store.blobs.put("erased", "sealed");
  await store.blobs.erase("erased");
  await store.vault.personKey("person-x", "wrapped");
  await store.vault.pseudonym("marketing", "patient-1", "pseudonym");
  const all = await ledger.find({ limit: 1000 });
  await store.close();
  return all.map((row) => row.id);
}

/** One lane with rows in every state, one with a batch under way, one that waits, one that was merged into another. */
async function fillLanes({ ledger }: EmbeddedStore): Promise<void> {
  const lane = "lane-a";
  await ledger.accept(
    ["done", "denied", "quarantined", "applied", "sending", "queued"].map((n) => newRow({ id: `a-${n}`, lane })),
  );
  let hold = await take(ledger, lane);
  const end = { cause: "because", at: 3000 };
  await ledger.begin("a-done", intent(), [entry()], hold);
  await ledger.settle("a-done", { n: 1, id: "p1", version: "1" }, hold);
  await ledger.finish("a-done", { ...end, state: "done", cause: undefined }, [entry()], hold);
  await ledger.finish("a-denied", { ...end, state: "denied" }, [entry()], hold);
  await ledger.quarantine("a-quarantined", "no-match", problem, [entry()], hold);
  await ledger.begin("a-applied", intent(), [entry()], hold);
  await ledger.settle("a-applied", { n: 1, id: "p2", version: undefined }, hold);
  await ledger.finish("a-applied", { ...end, state: "done" }, [entry()], hold);
  await ledger.begin("a-sending", intent({ n: 1, braked: ["deletes"] }), [entry()], hold);
  const feed = "lane-b";
  await ledger.accept(["1", "2", "3"].map((n) => newRow({ id: `b-${n}`, lane: feed, priority: "backfill" })));
  hold = await take(ledger, feed);
  const members = ["b-1", "b-2", "b-3"];
  await ledger.begin("b-1", intent({ operation: "deliver", members, blob: "batch" }), [entry()], hold, "bytes");
  await ledger.release(hold);
  await ledger.accept([newRow({ id: "c-1", lane: "lane-c" }), newRow({ id: "c-2", lane: "lane-c" })]);
  hold = await take(ledger, "lane-c");
  await ledger.defer("c-1", { next: 50_000, cause: "system-busy", failed: true, waiting: true }, [], hold);
  await ledger.release(hold);
  await ledger.accept([newRow({ id: "m-1", lane: "lane-m" })]);
  hold = await take(ledger, "lane-m");
  await ledger.redirect("lane-c", hold);
  await ledger.move("m-1", "lane-c", hold);
  await ledger.release(hold);
}
