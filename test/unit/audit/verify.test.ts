// Verifying: a whole chain passes, any damage is a named problem and never an exception.
import assert from "node:assert/strict";
import fc from "fast-check";
import { emptyHead, headOf } from "../../../src/audit/batch.ts";
import type { AuditBatch, AuditHead } from "../../../src/audit/entry.ts";
import { verifyChain } from "../../../src/audit/verify.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import { chainOf, entryOf, feed } from "./chain.ts";

const chain = chainOf(["a"], ["b", "c"], ["d"]);
const last = chain.at(-1);
const head: AuditHead = last ? headOf(last) : emptyHead;
const changed = (n: number, change: (batch: AuditBatch) => unknown): unknown[] =>
  chain.map((batch) => (batch.n === n ? change(batch) : batch));

describe("verifying the audit log", () => {
  it("passes a whole chain, and an empty one", async () => {
    assert.deepEqual(await verifyChain(feed(chain), head, head), { ok: true, batches: 3, entries: 4, head });
    assert.deepEqual(await verifyChain(feed([]), emptyHead), { ok: true, batches: 0, entries: 0, head: emptyHead });
  });

  it("names the batch, and the entry of a batch of one", async () => {
    const entries = [{ ...entryOf("a"), header: "{}" }];
    const result = await verifyChain(feed(changed(1, (batch) => ({ ...batch, entries }))), head);
    assert.deepEqual([result.ok, result.problem?.n, result.problem?.entry], [false, 1, "a"]);
    const two = await verifyChain(feed(changed(2, (batch) => ({ ...batch, batch: "x" }))), head);
    assert.deepEqual([two.ok, two.batches, two.problem?.n, two.problem?.entry], [false, 1, 2, undefined]);
  });

  it("names a malformed entry by its key", async () => {
    const entries = [entryOf("b"), { key: "c", header: 5, sealed: "", commitment: "" }];
    const result = await verifyChain(feed(changed(2, (batch) => ({ ...batch, entries }))), head);
    assert.deepEqual([result.problem?.n, result.problem?.entry], [2, "c"]);
  });

  it("half a surrogate pair, which hashes like its replacement character, is malformed", async () => {
    const [batch] = chainOf(["\ufffd"]);
    assert.ok(batch);
    assert.equal((await verifyChain(feed([batch]), headOf(batch))).ok, true);
    const forged = { ...batch, entries: [{ ...entryOf("\ufffd"), key: "\ud800" }] };
    assert.equal((await verifyChain(feed([forged]), headOf(batch))).problem?.n, 1);
  });

  it("sees a deleted, repeated or moved batch", async () => {
    const [one, two, three] = chain;
    const of = async (...rows: unknown[]): Promise<number | undefined> =>
      (await verifyChain(feed(rows), head)).problem?.n;
    assert.equal(await of(two, three), 1);
    assert.equal(await of(one, three), 2);
    assert.equal(await of(one, two), 3);
    assert.equal(await of(one, one, two, three), 1);
    assert.equal(await of(one, three, two), 2);
    assert.equal(await of(one, two, three), undefined);
  });

  it("sees an end that was cut off together with the head, by the mirrored head", async () => {
    const cut = chain.slice(0, 2);
    const moved = cut[1] ? headOf(cut[1]) : emptyHead;
    assert.equal((await verifyChain(feed(cut), moved)).ok, true, "nothing in the store itself tells");
    const result = await verifyChain(feed(cut), moved, head);
    assert.equal(result.problem?.n, 3);
    assert.match(result.problem?.what ?? "", /mirrored head/);
    assert.equal((await verifyChain(feed(chain), head, moved)).ok, true, "a mirror that lags is no problem");
  });

  it("sees a chain that was written anew, by the mirrored head", async () => {
    const forged = chainOf(["x"], ["b", "c"], ["d"], ["e"]);
    const end = forged.at(-1);
    const forgedHead = end ? headOf(end) : emptyHead;
    assert.equal((await verifyChain(feed(forged), forgedHead, forgedHead)).ok, true);
    assert.equal((await verifyChain(feed(forged), forgedHead, head)).problem?.n, 3);
  });

  it("sees a batch behind the head, but not one that was appended meanwhile", async () => {
    const [, two] = chain;
    const early = two ? headOf(two) : emptyHead;
    assert.equal((await verifyChain(feed(chain), early)).problem?.n, 3);
    const heads = [early, head];
    assert.equal((await verifyChain(feed(chain), () => Promise.resolve(heads.shift() ?? head))).ok, true);
  });

  it("sees a wrong head hash", async () => {
    assert.equal((await verifyChain(feed(chain), { ...head, hash: "x" })).problem?.n, 3);
    assert.equal((await verifyChain(feed([]), { n: 0, hash: "x" })).ok, false);
    assert.equal((await verifyChain(feed(chain), { n: Number.NaN, hash: "" })).ok, false);
  });

  it("never throws on a damaged row", async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), fc.integer({ min: 1, max: 3 }), async (junk, n) => {
        assert.equal((await verifyChain(feed(changed(n, () => junk)), head)).ok, false);
        const entries = changed(n, (batch) => ({ ...batch, entries: junk }));
        assert.equal((await verifyChain(feed(entries), head)).ok, false);
        const members = changed(n, (batch) => ({ ...batch, entries: [junk] }));
        assert.equal((await verifyChain(feed(members), head)).ok, false);
      }),
    );
  });

  it("a row that cannot be read is a problem; a store that does not answer is no verdict", async () => {
    async function* failing(code: "audit-broken" | "store-unavailable"): AsyncGenerator {
      yield await Promise.resolve(chain[0]);
      throw new SluiceError(code, "the entries of batch 2 are malformed");
    }
    const result = await verifyChain(failing("audit-broken"), head);
    assert.deepEqual(result.problem, { n: 2, what: "the entries of batch 2 are malformed" });
    await assert.rejects(verifyChain(failing("store-unavailable"), head), { code: "store-unavailable" });
  });
});
