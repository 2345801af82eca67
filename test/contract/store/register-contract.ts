// The small ports: consents, cursors, systems, versions, changes, registers, blobs, vault.
import assert from "node:assert/strict";
import type { ConsentFact } from "../../../src/exchange/ports.ts";
import { collect, take } from "./samples.ts";
import type { StoreOf } from "./contract.ts";

const subject = { system: "ehr", type: "Patient", id: "1" };
const consent: ConsentFact = { system: "ehr", id: "c1", version: "1", subject, sealed: "x", gone: false };

export function registerContract(store: StoreOf): void {
  describe("facts", () => {
    it("a version is taken once; a new one, and a removal under a known one, is news", async () => {
      const { facts } = store();
      assert.equal(await facts.putConsent(consent), true);
      assert.equal(await facts.putConsent(consent), false);
      assert.equal(await facts.putConsent({ ...consent, version: "2", sealed: "y" }), true);
      assert.equal(await facts.putConsent({ ...consent, version: "2", sealed: "", gone: true }), true);
      assert.equal(await facts.putConsent({ ...consent, version: "2", sealed: "", gone: true }), false);
      assert.deepEqual(await facts.consentsOf([subject]), [{ ...consent, version: "2", sealed: "", gone: true }]);
    });

    it("one is found by its id, a removed one too", async () => {
      const { facts } = store();
      await facts.putConsent(consent);
      assert.deepEqual(await facts.consent("ehr", "c1"), consent);
      assert.equal(await facts.consent("ehr", "c2"), undefined);
      await facts.putConsent({ ...consent, sealed: "", gone: true });
      assert.equal((await facts.consent("ehr", "c1"))?.gone, true);
    });

    it("are found by every subject asked for, and all of them", async () => {
      const { facts } = store();
      const other = { system: "crm", type: "Contact", id: "1" };
      const second = { ...consent, id: "c2", subject: other };
      await facts.putConsent(consent);
      await facts.putConsent(second);
      assert.deepEqual(await facts.consentsOf([other]), [second]);
      assert.deepEqual(await facts.consentsOf([subject, other]), [consent, second]);
      assert.deepEqual(await facts.consentsOf([]), []);
      for (let n = 0; n < 1100; n += 1) await facts.putConsent({ ...consent, id: `many${n}`, subject: other });
      assert.equal(new Set((await collect(facts.all())).map((fact) => fact.id)).size, 1102);
    });
  });

  describe("changes", () => {
    it("what others hold in memory is announced once a change, under consecutive numbers", async () => {
      const { facts, systems, versions, registers, changes } = store();
      assert.equal(await changes.head(), 0);
      assert.deepEqual(await changes.since(0, 10), []);
      await facts.putConsent(consent);
      await facts.putConsent(consent);
      await systems.pause("crm", 5, "cause", "fix");
      await systems.pause("crm", 6, "cause", "fix");
      await systems.resume("crm");
      await systems.resume("crm");
      await versions.activate("h1", "{}", 7, "reason");
      await registers.move("quiet", 0, "1");
      await registers.move("loud", 0, "1", { announce: true });
      await registers.move("loud", 0, "2", { announce: true });
      const all = [
        { n: 1, kind: "consent", ref: "ehr/c1" },
        { n: 2, kind: "system", ref: "crm" },
        { n: 3, kind: "system", ref: "crm" },
        { n: 4, kind: "configuration", ref: "h1" },
        { n: 5, kind: "register", ref: "loud" },
      ];
      assert.deepEqual(await changes.since(0, 10), all);
      assert.deepEqual(await changes.since(2, 2), all.slice(2, 4));
      assert.equal(await changes.head(), 5);
    });

    it("of many writers at once none takes another's number", async () => {
      const { facts, changes } = store();
      await Promise.all(Array.from({ length: 40 }, (_, n) => facts.putConsent({ ...consent, id: `many${n}` })));
      const all = await changes.since(0, 100);
      assert.deepEqual(
        all.map((change) => change.n),
        Array.from({ length: 40 }, (_, n) => n + 1),
      );
      assert.equal(new Set(all.map((change) => change.ref)).size, 40);
    });
  });

  describe("states moved by compare-and-swap", () => {
    it("one moves only from the version that was seen", async () => {
      const { registers } = store();
      assert.equal(await registers.get("a"), undefined);
      assert.equal(await registers.move("a", 1, "0"), false);
      assert.equal(await registers.move("a", 0, "1"), true);
      assert.equal(await registers.move("a", 0, "2"), false);
      assert.equal(await registers.move("a", 1, "3"), true);
      assert.deepEqual(await registers.get("a"), { version: 2, value: "3" });
    });

    it("of fifty who saw the same, one wins", async () => {
      const { registers } = store();
      for (const seen of [0, 1, 2]) {
        const won = await Promise.all(Array.from({ length: 50 }, (_, n) => registers.move("a", seen, `${seen}.${n}`)));
        assert.equal(won.filter(Boolean).length, 1);
        assert.deepEqual(await registers.get("a"), { version: seen + 1, value: `${seen}.${won.indexOf(true)}` });
      }
    });

    it("are listed by how their names begin", async () => {
      const { registers } = store();
      for (const name of ["b/2", "a/1", "b/1", "b"]) await registers.move(name, 0, name);
      assert.deepEqual(await registers.list("b/"), [
        { name: "b/1", version: 1, value: "b/1" },
        { name: "b/2", version: 1, value: "b/2" },
      ]);
    });
  });

  describe("registers", () => {
    it("a cursor moves while the hold stands", async () => {
      const { cursors, ledger } = store();
      const hold = await take(ledger, "poll:crm/Contact");
      assert.equal(await cursors.move("crm/Contact", { value: "v1", goodAt: 5 }, hold), true);
      await take(ledger, "poll:crm/Contact");
      assert.equal(await cursors.move("crm/Contact", { value: "v2", goodAt: 6 }, hold), false);
      assert.deepEqual(await cursors.get("crm/Contact"), { value: "v1", goodAt: 5 });
    });

    it("a system is bound once, to one identity", async () => {
      const { systems } = store();
      assert.deepEqual(await systems.get("crm"), { identity: undefined, paused: undefined });
      assert.equal(await systems.bind("crm", { organization: "1", issuer: "i" }), true);
      assert.equal(await systems.bind("crm", { issuer: "i", organization: "1" }), true);
      assert.equal(await systems.bind("crm", { organization: "2", issuer: "i" }), false);
      assert.deepEqual((await systems.get("crm")).identity, { organization: "1", issuer: "i" });
    });

    it("of many who pause a system one is told that it did", async () => {
      const { systems } = store();
      const pauses = await Promise.all([1, 2, 3].map((since) => systems.pause("crm", since, "credential", "fix")));
      assert.equal(pauses.filter((paused) => paused).length, 1);
      const { paused } = await systems.get("crm");
      assert.deepEqual([paused?.cause, paused?.fix], ["credential", "fix"]);
      assert.equal(await systems.bind("crm", { organization: "1" }), true);
      assert.equal(await systems.resume("crm"), true);
      assert.equal(await systems.resume("crm"), false);
      assert.deepEqual(await systems.get("crm"), { identity: { organization: "1" }, paused: undefined });
    });

    it("the version activated last is current, also when it was before", async () => {
      const { versions } = store();
      assert.equal(await versions.current(), undefined);
      await versions.activate("h1", "{1}", 1, "start");
      await versions.activate("h2", "{2}", 2, "change");
      assert.equal(await versions.current(), "h2");
      await versions.activate("h1", "{1}", 3, "back");
      assert.equal(await versions.current(), "h1");
      assert.equal(await versions.get("h2"), "{2}");
      assert.equal(await versions.get("h3"), undefined);
    });

    it("what a channel was last decided under is kept for each channel", async () => {
      const { versions } = store();
      assert.equal(await versions.decidedUnder("a"), undefined);
      await versions.setDecidedUnder("a", "v1");
      await versions.setDecidedUnder("a", "v2");
      await versions.setDecidedUnder("b", "v1");
      assert.deepEqual([await versions.decidedUnder("a"), await versions.decidedUnder("b")], ["v2", "v1"]);
    });

    it("a blob is kept until it is erased", async () => {
      const { blobs } = store();
      await blobs.put("b", "one");
      await blobs.put("b", "two");
      assert.equal(await blobs.get("b"), "two");
      await blobs.erase("b");
      await blobs.erase("b");
      assert.equal(await blobs.get("b"), undefined);
    });

    it("the vault keeps what was stored first", async () => {
      const { vault } = store();
      const keys = await Promise.all([1, 2, 3].map((n) => vault.personKey("anna", `key${n}`)));
      assert.equal(new Set(keys).size, 1);
      assert.equal(await vault.personKey("anna", "other"), keys[0]);
      assert.equal(await vault.pseudonym("sink", "r", "p1"), "p1");
      assert.equal(await vault.pseudonym("sink", "r", "p2"), "p1");
      assert.equal(await vault.pseudonym("other", "r", "p3"), "p3");
    });
  });
}
