// The audit log: what was appended is there, in order, as one unbroken chain, also under concurrent writers.
import assert from "node:assert/strict";
import { verifyChain } from "../../../src/audit/verify.ts";
import { collect, entry } from "./samples.ts";
import type { StoreOf } from "./contract.ts";

export function auditContract(store: StoreOf): void {
  describe("the audit log", () => {
    it("is empty at first", async () => {
      const { audit } = store();
      assert.deepEqual(await audit.head(), { n: 0, hash: "" });
      assert.deepEqual(await collect(audit.read()), []);
      assert.equal(await audit.has("k"), false);
      await audit.append([]);
      assert.equal((await audit.head()).n, 0);
    });

    it("gives entries back as they were appended, byte for byte", async () => {
      const { audit } = store();
      const entries = [entry("k"), { key: 'quote"\\\n\u2028é😀', header: "{}", sealed: "", commitment: "" }];
      await audit.append(entries);
      const [batch] = await collect(audit.read());
      assert.deepEqual(batch?.entries, entries);
      assert.deepEqual([batch?.n, batch?.prev], [1, ""]);
      assert.deepEqual(await audit.head(), { n: 1, hash: batch?.hash });
      assert.equal(await audit.has("k"), true);
      assert.equal(await audit.has("K"), false);
    });

    it("100 concurrent appends are one verified chain, and a key may repeat", async () => {
      const { audit } = store();
      await Promise.all(Array.from({ length: 100 }, (_, n) => audit.append([entry(`k${n % 90}`), entry()])));
      const verified = await verifyChain(audit.read(), () => audit.head());
      assert.deepEqual([verified.ok, verified.entries], [true, 200]);
      assert.deepEqual(verified.head, await audit.head());
    });

    it("reads on from a number", async () => {
      const { audit } = store();
      for (let n = 0; n < 5; n += 1) await audit.append([entry()]);
      assert.deepEqual(
        (await collect(audit.read(4))).map((batch) => batch.n),
        [4, 5],
      );
    });
  });
}
