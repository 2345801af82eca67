// Contract: reading one record, finding by link id, finding a person, naming the system's identity.
import assert from "node:assert/strict";
import { Phi } from "../../../src/core/phi.ts";
import type { Bench } from "./subject.ts";

export function describeReading(bench: () => Bench): void {
  describe("reading", () => {
    it("presents every name of its identity", async () => {
      const { subject, connector } = bench();
      assert.deepEqual(await connector.identify(), subject.system.identity);
      for (const name of subject.module.identity) assert.ok((await connector.identify())[name]);
    });

    it("answers undefined for a record that does not exist, and the record for one that does", async () => {
      const { subject, connector } = bench();
      const id = subject.sandbox.put(subject.person("Present"));
      assert.equal(await connector.read(subject.type, subject.missingId, subject.fields), undefined);
      const record = await connector.read(subject.type, id, subject.fields);
      assert.ok(record);
      assert.deepEqual(record.ref, { system: subject.system.id, type: subject.type, id });
      assert.equal(subject.familyOf(Phi.open(record.body)), "Present");
      assert.ok(record.changedAt);
      assert.equal(record.version !== undefined, subject.module.capabilities.mark === "version");
    });

    it("reads what was changed a moment ago, asked freshly", async () => {
      const { subject, connector } = bench();
      const id = subject.sandbox.put(subject.person("Before"));
      await connector.read(subject.type, id, subject.fields, true);
      subject.sandbox.rename(id, "After");
      const record = await connector.read(subject.type, id, subject.fields, true);
      assert.equal(record && subject.familyOf(Phi.open(record.body)), "After");
    });

    it("refuses an id that would leave the record's path", async () => {
      const { subject, connector } = bench();
      const before = subject.sandbox.counts.requests;
      await assert.rejects(connector.read(subject.type, "../x", subject.fields), { name: "SluiceError" });
      assert.equal(subject.sandbox.counts.requests, before);
    });

    it("finds nobody under an unknown link id and the one record under a known one", async () => {
      const { subject, connector } = bench();
      const body = subject.created("Linked", "link-1");
      const written = await connector.create({ type: subject.type, linkId: "link-1", body });
      assert.deepEqual(await connector.findByLink(subject.type, "link-2", subject.fields), []);
      const found = await connector.findByLink(subject.type, "link-1", subject.fields);
      assert.deepEqual(
        found.map((record) => record.ref.id),
        [written.id],
      );
    });

    it("finds a person by exactly these demographics and by no others", async () => {
      const { subject, connector } = bench();
      const id = subject.sandbox.put(subject.person("O'Sought\\"));
      subject.sandbox.put(subject.person("Other"));
      const found = await connector.findPerson(subject.type, subject.query("O'Sought\\"), subject.fields);
      assert.deepEqual(
        found.map((record) => record.ref.id),
        [id],
      );
      const wrongDate = subject.query("O'Sought\\", "1980-03-01");
      assert.deepEqual(await connector.findPerson(subject.type, wrongDate, subject.fields), []);
    });
  });
}
