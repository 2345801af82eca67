// Links and persons: claims that race, links that lose, and the history that un-merging reads.
import assert from "node:assert/strict";
import type { RecordRef } from "../../../src/core/records.ts";
import { newLink } from "./samples.ts";
import type { StoreOf } from "./contract.ts";

const ref = (system: string, id: string): RecordRef => ({ system, type: "Patient", id });

export function linkContract(store: StoreOf): void {
  describe("links", () => {
    it("of 50 racing claims of the same records all answer the same person", async () => {
      const { links } = store();
      const records = [ref("ehr", "1"), ref("crm", "1")];
      const claims = await Promise.all(Array.from({ length: 50 }, (_, n) => links.claim(records, `p${n}`)));
      const persons = new Set(claims.map((claim) => ("person" in claim ? claim.person : "conflict")));
      assert.equal(persons.size, 1);
      const [person = ""] = persons;
      assert.match(person, /^p\d+$/);
      assert.equal(await links.personOf(ref("crm", "1")), person);
      assert.deepEqual(await links.recordsOf(person), [ref("crm", "1"), ref("ehr", "1")]);
    });

    it("overlapping claims end with one person, never with a record of two", async () => {
      const { links } = store();
      const shared = ref("crm", "shared");
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, n) => links.claim([ref("ehr", `${n}`), shared], `p${n}`)),
      );
      const owner = await links.personOf(shared);
      for (const claim of claims) assert.deepEqual(claim, { person: owner });
      assert.equal((await links.recordsOf(owner ?? "")).length, 21);
    });

    it("a claim of records of two persons is a conflict, and claims nothing", async () => {
      const { links } = store();
      await links.claim([ref("crm", "1")], "anna");
      await links.claim([ref("ehr", "1")], "berta");
      const claim = await links.claim([ref("crm", "1"), ref("ehr", "1"), ref("lab", "1")], "clara");
      assert.deepEqual("conflict" in claim && [...claim.conflict].sort(), ["anna", "berta"]);
      assert.equal(await links.personOf(ref("lab", "1")), undefined);
      assert.deepEqual(await links.claim([ref("crm", "1"), ref("lab", "1")], "clara"), { person: "anna" });
      assert.equal(await links.personOf(ref("lab", "1")), "anna");
    });

    it("is found from both sides, by the other side's system", async () => {
      const { links } = store();
      const contact = ref("crm", "1");
      const first = newLink({ person: "anna", records: [contact, ref("ehr", "1")] });
      const second = newLink({ person: "anna", records: [contact, ref("clinic", "9")] });
      assert.equal(await links.put(first, 1), true);
      assert.equal(await links.put(second, 1), true);
      assert.deepEqual(await links.pairOf(contact, "ehr"), first);
      assert.deepEqual(await links.pairOf(contact, "clinic"), second);
      assert.deepEqual(await links.pairOf(ref("clinic", "9"), "crm"), second);
      assert.equal(await links.pairOf(contact, "lab"), undefined);
      assert.deepEqual(await links.get(first.id), first);
      assert.equal(await links.personOf(ref("clinic", "9")), "anna");
      assert.deepEqual(await links.recordsOf("anna"), [ref("clinic", "9"), contact, ref("ehr", "1")]);
    });

    it("the lower (fence, seq) loses; the history keeps every version that won", async () => {
      const { links } = store();
      const link = newLink({ fence: 2, seq: 5 });
      assert.equal(await links.put(link, 10), true);
      assert.equal(await links.put({ ...link, fence: 1, seq: 9, base: { late: "x" } }, 11), false);
      assert.equal(await links.put({ ...link, seq: 4, base: { late: "x" } }, 11), false);
      assert.deepEqual(await links.get(link.id), link);
      assert.equal(await links.put(link, 12), true, "the same again");
      const same = { ...link, base: { agreed: "y" } };
      assert.equal(await links.put(same, 13), true, "the same holder again");
      const newer = { ...link, fence: 3, seq: 1, records: [ref("crm", "new"), ref("ehr", "new")] };
      assert.equal(await links.put(newer, 14), true);
      assert.deepEqual(await links.get(link.id), newer);
      assert.deepEqual(await links.history(link.id), [
        { ...link, at: 10 },
        { ...same, at: 13 },
        { ...newer, at: 14 },
      ]);
      assert.deepEqual(await links.pairOf(ref("ehr", "new"), "crm"), newer);
      for (const record of link.records) assert.equal(await links.pairOf(record, "ehr"), undefined);
    });

    it("of racing puts the highest wins", async () => {
      const { links } = store();
      const link = newLink();
      const fences = [3, 1, 7, 5, 2, 6, 4];
      await Promise.all(fences.map((fence) => links.put({ ...link, fence }, fence)));
      assert.equal((await links.get(link.id))?.fence, 7);
    });
  });
}
