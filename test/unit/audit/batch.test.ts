// The hash of a batch covers every field, and no two different batches hash the same bytes.
import assert from "node:assert/strict";
import fc from "fast-check";
import { hashBatch, sealBatch } from "../../../src/audit/batch.ts";
import type { AuditEntry } from "../../../src/audit/entry.ts";
import { entryOf } from "./chain.ts";

const entry: fc.Arbitrary<AuditEntry> = fc.record({
  key: fc.string(),
  header: fc.string(),
  sealed: fc.string(),
  commitment: fc.string(),
});
const content = fc.record({
  n: fc.nat(),
  batch: fc.string(),
  prev: fc.string(),
  entries: fc.array(entry, { maxLength: 3 }),
});

describe("the hash of an audit batch", () => {
  it("is SHA-256 over length-prefixed fields, base64url", () => {
    const hash = hashBatch({ n: 1, batch: "b", prev: "", entries: [entryOf("k")] });
    // printf '1:11:b0:1:11:k11:{"key":"k"}0:0:' | openssl dgst -sha256 -binary | basenc --base64url
    assert.equal(hash, "LGh4_3JBUW543K9YcGMz0zVgWf1BAOBaNrrrWCI05bs");
  });

  it("differs when anything differs", () => {
    fc.assert(
      fc.property(content, content, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        assert.equal(hashBatch(one) === hashBatch(other), same);
      }),
    );
  });

  it("differs when text moves over the border of two fields or entries", () => {
    const base = { n: 1, batch: "b", prev: "p" };
    const split = (key: string, header: string): string =>
      hashBatch({ ...base, entries: [{ key, header, sealed: "", commitment: "" }] });
    assert.notEqual(split("ab", "c"), split("a", "bc"));
    assert.equal(split("ab", "c"), split("ab", "c"));
  });

  it("a sealed batch follows its head", () => {
    const batch = sealBatch({ n: 4, hash: "h" }, "b", [entryOf("k")]);
    assert.deepEqual([batch.n, batch.prev, batch.hash], [5, "h", hashBatch(batch)]);
  });
});
