// Ids and seals made with the remembered key object are those that node:crypto makes with the bare bytes.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { hmacId, systemRandom } from "../../../src/core/ids.ts";
import { seal, unseal } from "../../../src/core/seal.ts";
import { secretKey } from "../../../src/core/secret-key.ts";

describe("secretKey", () => {
  it("gives one object for one buffer, and another for another buffer with other bytes", () => {
    const [one, other] = [randomBytes(32), randomBytes(32)];
    assert.equal(secretKey(one), secretKey(one));
    assert.deepEqual(secretKey(one).export(), one);
    assert.deepEqual(secretKey(other).export(), other);
  });

  it("leaves an id what it was: HMAC-SHA-256 over the length-prefixed parts", () => {
    const key = randomBytes(32);
    const parts = ["notice", "", "Zoë 🦉", "5:crm"];
    const mac = createHmac("sha256", key);
    for (const part of parts) mac.update(`${Buffer.byteLength(part)}:`).update(part);
    assert.equal(hmacId(key, ...parts), mac.digest("base64url"));
    assert.notEqual(hmacId(key, "ab", "c"), hmacId(key, "a", "bc"));
  });

  it("opens what was sealed under an equal key, and not under another", () => {
    const key = randomBytes(32);
    const sealed = seal(key, "text", "here", systemRandom);
    assert.equal(unseal(Buffer.from(key), sealed, "here").toString(), "text");
    assert.throws(() => unseal(randomBytes(32), sealed, "here"), { code: "audit-broken" });
  });
});
