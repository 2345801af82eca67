// What a process that died between two writes leaves in MongoDB is made good by the next one; damage is not.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { verifyChain } from "../../../src/audit/verify.ts";
import type { Link } from "../../../src/exchange/ports.ts";
import { readMirror } from "../../../src/store/mirror.ts";
import { entry, newLink } from "../../contract/store/samples.ts";
import { databaseOfEachTest, type Opened } from "./mongo-opened.ts";

describe("a MongoDB store after a crash", () => {
  const current = databaseOfEachTest();
  let opened: Opened;
  beforeEach(() => {
    opened = current();
  });

  describe("before a change was announced", () => {
    const consent = { system: "ehr", id: "c1", version: "1", sealed: "x", gone: false };
    const subject = { system: "ehr", type: "Patient", id: "1" };

    /** As if the process had died before it announced: nothing is announced, and the marks are back. */
    async function died(): Promise<void> {
      const database = await opened.outside();
      await database.raw("changes").deleteMany({});
      await database.raw("consents").updateMany({}, { $set: { owes: "ehr/c1" } });
      await database.raw("registers").updateMany({}, { $set: { owes: "loud" } });
    }

    it("the same call again announces it", async () => {
      const { facts, registers, changes } = await opened.store();
      await facts.putConsent({ ...consent, subject });
      await registers.move("loud", 0, "1", { announce: true });
      await died();
      const { facts: again, registers: states, changes: heard } = await opened.store();
      assert.equal(await heard.head(), 0);
      assert.equal(await again.putConsent({ ...consent, subject }), false);
      assert.equal(await states.move("loud", 0, "1", { announce: true }), false);
      assert.deepEqual(
        (await heard.since(0, 10)).map(({ ref }) => ref),
        ["ehr/c1", "loud"],
      );
      assert.equal(await again.putConsent({ ...consent, subject }), false);
      assert.equal((await changes.since(0, 10)).length, 2, "once is enough");
    });

    it("any process announces what stays owed from one look to the next", async () => {
      const { facts } = await opened.store();
      await facts.putConsent({ ...consent, subject });
      await died();
      const other = await opened.store();
      await other.flush();
      assert.equal(await other.changes.head(), 0, "whoever owes it may be about to pay");
      await other.flush();
      assert.deepEqual(await other.changes.since(0, 10), [{ n: 1, kind: "consent", ref: "ehr/c1" }]);
      await other.flush();
      await other.flush();
      assert.equal(await other.changes.head(), 1);
    });
  });

  it("a link whose old version went into the history and which then did not move has it there once", async () => {
    const { links } = await opened.store();
    const link: Link = newLink({ fence: 1 });
    await links.put(link, 1);
    const history = (await opened.outside()).raw("link_history");
    await history.insertOne({ _id: `${link.id}/1`, id: link.id, rev: 1, at: 1, link: JSON.stringify(link) });
    assert.deepEqual(await links.history(link.id), [{ ...link, at: 1 }]);
    const next = { ...link, fence: 2 };
    assert.equal(await links.put(next, 2), true);
    assert.deepEqual(
      (await links.history(link.id)).map(({ at }) => at),
      [1, 2],
    );
  });

  describe("the audit log", () => {
    beforeEach(async () => {
      const store = await opened.store();
      for (let n = 0; n < 4; n += 1) await store.audit.append([entry()]);
      await store.flush();
    });

    async function headIs(n: number): Promise<void> {
      const database = await opened.outside();
      const batch = await database.raw("audit").findOne({ _id: n });
      await database.raw("audit_head").updateOne({ _id: "head" }, { $set: { n, hash: batch?.["hash"] } });
    }

    it("goes on behind a head that lags, and takes it along", async () => {
      await headIs(2);
      const { audit, flush } = await opened.store();
      assert.equal((await audit.head()).n, 4);
      await flush();
      assert.equal((await (await opened.outside()).raw("audit_head").findOne({ _id: "head" }))?.["n"], 4);
      await headIs(3);
      await audit.append([entry()]);
      const verified = await verifyChain(audit.read(), () => audit.head(), readMirror(opened.mirrorHeadTo));
      assert.deepEqual([verified.ok, verified.batches], [true, 5]);
    });

    it("with its end cut off is refused, by its head, and by the mirror when the head was cut too", async () => {
      const database = await opened.outside();
      const { audit, flush } = await opened.store();
      await database.raw("audit").deleteOne({ _id: 4 });
      await assert.rejects(audit.append([entry()]), { code: "audit-broken" });
      await assert.rejects(flush(), { code: "audit-broken" });
      await headIs(3);
      await assert.rejects(flush(), { code: "audit-broken" });
      assert.equal(readMirror(opened.mirrorHeadTo)?.n, 4, "the mirror stays as the evidence");
      writeFileSync(opened.mirrorHeadTo, JSON.stringify(await audit.head()));
      await flush();
      await audit.append([entry()]);
      assert.equal((await audit.head()).n, 4);
    });

    it("without its head is refused", async () => {
      await (await opened.outside()).raw("audit_head").deleteMany({});
      const { audit } = await opened.store();
      await assert.rejects(audit.append([entry()]), { code: "audit-broken" });
      await assert.rejects(audit.head(), { code: "audit-broken" });
    });

    const damages: readonly (readonly [string, object])[] = [
      ["another hash", { $set: { hash: "x" } }],
      ["another entry", { $set: { "entries.0.header": "{}" } }],
      ["a value of another type", { $set: { "entries.0.key": 7 } }],
      ["a member too many", { $set: { extra: 1 } }],
      ["a member too few", { $unset: { batch: 1 } }],
    ];
    for (const [name, damage] of damages) {
      it(`with ${name} in a batch is found out, at that batch`, async () => {
        const { audit } = await opened.store();
        assert.equal((await verifyChain(audit.read(), () => audit.head())).ok, true);
        await (await opened.outside()).raw("audit").updateOne({ _id: 2 }, damage);
        const { ok, problem } = await verifyChain(audit.read(), () => audit.head());
        assert.deepEqual([ok, problem?.n], [false, 2]);
      });
    }

    it("with a batch missing, or one with an impossible number, is found out", async () => {
      const database = await opened.outside();
      const { audit } = await opened.store();
      const batch = await database.raw("audit").findOne({ _id: 2 });
      assert.ok(batch);
      await database.raw("audit").deleteOne({ _id: 2 });
      assert.equal((await verifyChain(audit.read(), () => audit.head())).problem?.n, 2);
      await database.raw("audit").insertOne(batch);
      assert.equal((await verifyChain(audit.read(), () => audit.head())).ok, true);
      for (const _id of [-1, 0, 1.5]) {
        await database.raw("audit").insertOne({ ...batch, _id });
        assert.equal((await verifyChain(audit.read(), () => audit.head())).ok, false, String(_id));
        await database.raw("audit").deleteOne({ _id });
      }
    });
  });
});
