// Opening a MongoDB store: versions, indexes, addresses, and what it says about itself.
import assert from "node:assert/strict";
import { SluiceError } from "../../../src/core/errors.ts";
import { openDatabase } from "../../../src/store/mongo/database.ts";
import { migrate, storedVersion, type Migration } from "../../../src/store/mongo/schema.ts";
import { databaseOfEachTest, type Opened } from "./mongo-opened.ts";

describe("opening a MongoDB store", () => {
  const current = databaseOfEachTest();
  let opened: Opened;
  beforeEach(() => {
    opened = current();
  });

  async function setVersion(version: number): Promise<void> {
    await (await opened.outside()).raw("schema").updateOne({ _id: "schema" }, { $set: { version } });
  }

  it("of a newer version is refused, also by a process that runs already", async () => {
    const running = await opened.store();
    await running.flush();
    await setVersion(2);
    await assert.rejects(opened.store(), { code: "store-newer" });
    await assert.rejects(opened.store({ indexes: "check" }), { code: "store-newer" });
    await assert.rejects(running.flush(), { code: "store-newer" });
    await setVersion(1);
    await opened.store();
    await running.flush();
  });

  it("of an older version is brought forward once, by however many start at once, also after one died in a step", async () => {
    const database = await opened.outside();
    await migrate(database, []);
    await database.raw("blobs").insertMany([1, 2, 3].map((n) => ({ _id: `b${n}`, old: n })));
    let deaths = 1;
    const rename: Migration = async (from) => {
      for (const { _id, old } of await from
        .raw("blobs")
        .find({ old: { $exists: true } })
        .toArray()) {
        if (_id === "b2" && deaths-- > 0) throw new Error("killed");
        await from.raw("blobs").updateOne({ _id, old }, { $set: { sealed: `s${String(old)}` }, $unset: { old: 1 } });
      }
    };
    const nothing: Migration = () => Promise.resolve();
    await assert.rejects(migrate(database, [rename, nothing]));
    assert.equal(await storedVersion(database), 1);
    await Promise.all(Array.from({ length: 5 }, () => migrate(database, [rename, nothing])));
    assert.equal(await storedVersion(database), 3);
    assert.deepEqual(
      (await database.raw("blobs").find().toArray()).map(({ _id, ...rest }) => [_id, rest]).sort(),
      [1, 2, 3].map((n) => [`b${n}`, { sealed: `s${n}` }]),
    );
  });

  it("makes what is missing; for a look only, it names it", async () => {
    const look = await opened.store({ indexes: "check" });
    assert.ok((await look.inspect()).missingIndexes.includes("audit.entries.key_1"));
    assert.deepEqual(await (await opened.outside()).database.listCollections().toArray(), []);
    assert.equal((await look.audit.head()).n, 0);
    await opened.store();
    assert.deepEqual((await look.inspect()).missingIndexes, []);
    await (await opened.outside()).raw("audit").dropIndex("entries.key_1");
    assert.deepEqual((await look.inspect()).missingIndexes, ["audit.entries.key_1"]);
    await opened.store();
    assert.deepEqual((await look.inspect()).missingIndexes, []);
  });

  it("refuses an index in the place of one of its own, and says how to remove it", async () => {
    const database = await opened.outside();
    await database.raw("records").createIndexes([{ key: { person: 1 }, unique: true }]);
    await assert.rejects(opened.store(), (error) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, "config-invalid");
      assert.match(error.detail.hint ?? "", /db\.records\.dropIndex\("person_1"\)/);
      return true;
    });
    await database.raw("records").dropIndex("person_1");
    await opened.store();
  });

  it("many processes may open an empty database at once", async () => {
    const stores = await Promise.all(Array.from({ length: 6 }, () => opened.store()));
    await Promise.all(stores.map((store) => store.blobs.put("b", "text")));
    assert.equal(await stores[0]?.blobs.get("b"), "text");
  });

  it("tells version, durability and clock of the server", async () => {
    const found = await (await opened.store()).inspect();
    assert.match(found.serverVersion, /^\d+\.\d+/);
    assert.equal(found.writeConcern, "w: majority, j: true");
    assert.deepEqual(found.schema, { stored: 1, known: 1 });
    assert.ok(Math.abs(found.clockDifferenceMs ?? Infinity) < 60_000);
  });

  it("says what is wrong with an address, and never prints it", async () => {
    const uri = "mongodb://anna:secret@127.0.0.1:1/?serverSelectionTimeoutMS=50";
    for (const [bad, code] of [
      ["nonsense", "config-invalid"],
      [uri, "store-unavailable"],
    ] as const) {
      await assert.rejects(opened.store({ uri: bad }), (error) => {
        assert.ok(error instanceof SluiceError);
        assert.equal(error.code, code);
        assert.doesNotMatch(JSON.stringify([error.message, error.detail, error.stack]), /anna|secret|127\.0/);
        return true;
      });
    }
    await assert.rejects(opened.store({ database: "no good" }), { code: "config-invalid" });
    await (await openDatabase({ uri: opened.uri, database: opened.database })).close();
  });

  it("a document that does not have its shape is refused, and not quoted", async () => {
    const { systems } = await opened.store();
    await assert.rejects(systems.pause("crm", Number("Anna"), "cause", "fix"), (error) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, "internal");
      assert.doesNotMatch(error.message, /NaN|crm/);
      return true;
    });
    assert.equal(await systems.pause("crm", 1, "cause", "fix"), true);
  });
});
