// Contract: a repeated create makes one record; an update passes only on the version it was made from.
import assert from "node:assert/strict";
import { Phi } from "../../../src/core/phi.ts";
import type { SourceRecord } from "../../../src/core/records.ts";
import type { Bench } from "./subject.ts";

export function describeWriting(bench: () => Bench): void {
  const read = async (id: string): Promise<SourceRecord> => {
    const { subject, connector } = bench();
    const record = await connector.read(subject.type, id, subject.fields, true);
    assert.ok(record);
    return record;
  };
  const update = (base: SourceRecord, family: string) => {
    const { subject, connector } = bench();
    return connector.update({
      type: subject.type,
      linkId: "link-u",
      id: base.ref.id,
      version: base.version,
      changedAt: base.changedAt,
      body: subject.renamed(Phi.open(base.body), family),
    });
  };

  describe("writing", () => {
    it("creates a record that reads back, under its link id", async () => {
      const { subject, connector } = bench();
      const body = subject.created("New", "link-n");
      const written = await connector.create({ type: subject.type, linkId: "link-n", body });
      assert.equal(subject.familyOf(Phi.open((await read(written.id)).body)), "New");
      assert.equal(subject.sandbox.size(), 1);
    });

    it("creates one record for one link id, however often it is asked, and two for two", async function () {
      const { subject, connector } = bench();
      if (!subject.module.capabilities.createIdempotent) return this.skip();
      const create = (linkId: string) =>
        connector.create({ type: subject.type, linkId, body: subject.created("Twice", linkId) });
      const first = await create("link-t");
      const second = await create("link-t");
      assert.equal(second.id, first.id);
      assert.equal(subject.sandbox.size(), 1);
      await create("link-t2");
      assert.equal(subject.sandbox.size(), 2);
    });

    it("updates the version it read", async () => {
      const { subject } = bench();
      const id = subject.sandbox.put(subject.person("Old"));
      subject.advance(3_000);
      const written = await update(await read(id), "Newer");
      const after = await read(id);
      assert.equal(written.id, id);
      assert.equal(subject.familyOf(Phi.open(after.body)), "Newer");
      if (written.version !== undefined) assert.equal(written.version, after.version);
    });

    it("refuses to update a version that is no longer the current one, and overwrites nothing", async function () {
      const { subject } = bench();
      if (subject.module.capabilities.precondition === "none") return this.skip();
      const id = subject.sandbox.put(subject.person("Old"));
      const stale = await read(id);
      subject.advance(3_000);
      subject.sandbox.rename(id, "Theirs");
      await assert.rejects(update(stale, "Ours"), { code: "system-conflict", retry: "transient" });
      assert.equal(subject.familyOf(Phi.open((await read(id)).body)), "Theirs");
      await update(await read(id), "Ours");
      assert.equal(subject.familyOf(Phi.open((await read(id)).body)), "Ours");
    });

    it("says that a record is gone when it is told to update one that does not exist", async () => {
      const { subject, connector } = bench();
      const id = subject.sandbox.put(subject.person("Here"));
      const base = await read(id);
      const ref = { ...base.ref, id: subject.missingId };
      await assert.rejects(update({ ...base, ref }, "Nobody"), { name: "SluiceError" });
      assert.equal(subject.sandbox.size(), 1);
      assert.equal(await connector.read(subject.type, subject.missingId, subject.fields), undefined);
    });
  });
}
