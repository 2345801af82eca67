// Keys are made once, with tight permissions, read strictly, and never made up.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importJWK, jwtVerify, SignJWT, type JWK } from "jose";
import { SluiceError } from "../../../src/core/errors.ts";
import { systemRandom } from "../../../src/core/ids.ts";
import { loadKeys, makeKeys, requireSigningKeys } from "../../../src/settings/keys.ts";

const code = (wanted: string) => (error: unknown) => error instanceof SluiceError && error.code === wanted;

describe("settings: keys", () => {
  let root: string;
  let dir: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "sluice-keys-"));
    dir = join(root, "keys");
    await makeKeys(dir, systemRandom);
  });
  after(() => rm(root, { recursive: true, force: true }));

  const base = (): { dir: string; env: Record<string, string> } => ({ dir: root, env: {} });

  it("makes five files that only the owner can read, and leaves those that are there", async () => {
    const before = await readFile(join(dir, "data.key"), "utf8");
    const { made, references } = await makeKeys(dir, systemRandom);
    assert.deepEqual(made, []);
    assert.equal(await readFile(join(dir, "data.key"), "utf8"), before);
    for (const reference of [references.data, references.id, ...references.signing]) {
      assert.equal((await stat(reference.slice("file:".length))).mode & 0o777, 0o600);
    }
    assert.equal((await stat(dir)).mode & 0o777, 0o700);
    await rm(join(dir, "sluice-rs384.json"));
    assert.deepEqual((await makeKeys(dir, systemRandom)).made, [join(dir, "sluice-rs384.json")]);
  });

  it("loads them: two different keys of 32 bytes and private keys that sign", async () => {
    const { references } = await makeKeys(dir, systemRandom);
    const warnings: string[] = [];
    const keys = await loadKeys(references, base(), (warning) => warnings.push(warning));
    assert.equal(keys.data.length, 32);
    assert.equal(keys.id.length, 32);
    assert.notDeepEqual(keys.data, keys.id);
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      keys.signing.map(({ kid, alg }) => [kid, alg]),
      [
        ["sluice-es384", "ES384"],
        ["sluice-rs384", "RS384"],
        ["sluice-rs256", "RS256"],
      ],
    );
    for (const jwk of keys.signing) {
      const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open } = jwk as JWK;
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: (jwk as JWK).alg ?? "" })
        .sign(await importJWK(jwk as JWK));
      await assert.doesNotReject(jwtVerify(token, await importJWK(open)));
    }
  });

  it("takes raw bytes, base64 and environment variables alike", async () => {
    const bytes = systemRandom(32);
    await writeFile(join(root, "raw"), bytes, { mode: 0o600 });
    const env = { DATA: bytes.toString("base64"), ID: systemRandom(32).toString("base64url") };
    const fromFile = await loadKeys({ data: "file:raw", id: "env:ID", signing: [] }, { dir: root, env });
    const fromEnv = await loadKeys({ data: "env:DATA", id: "env:ID", signing: [] }, { dir: root, env });
    assert.deepEqual(fromFile.data, bytes);
    assert.deepEqual(fromEnv.data, bytes);
  });

  it("warns of a key file that others can read", async () => {
    const { references } = await makeKeys(dir, systemRandom);
    await chmod(join(dir, "id.key"), 0o640);
    const warnings: string[] = [];
    await loadKeys(references, base(), (warning) => warnings.push(warning));
    await chmod(join(dir, "id.key"), 0o600);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /id\.key can be read by others/);
  });

  it("refuses a missing, a short, a repeated and a public key", async () => {
    const { references } = await makeKeys(dir, systemRandom);
    await assert.rejects(loadKeys({ ...references, data: "file:keys/gone.key" }, base()), code("key-missing"));
    await assert.rejects(loadKeys({ ...references, data: "env:NOT_SET" }, base()), code("key-missing"));
    await assert.rejects(loadKeys({ ...references, data: references.id }, base()), code("config-invalid"));
    await assert.rejects(
      loadKeys({ ...references, signing: [...references.signing, ...references.signing] }, base()),
      code("config-invalid"),
    );
    await writeFile(join(root, "short"), "c2hvcnQ=");
    await assert.rejects(loadKeys({ ...references, data: "file:short" }, base()), code("config-invalid"));
    await writeFile(join(root, "public"), '{"kty":"EC","kid":"x","alg":"ES384","crv":"P-384"}');
    await assert.rejects(loadKeys({ ...references, signing: ["file:public"] }, base()), code("config-invalid"));
  });

  it("says which system signs with a key that is not there", async () => {
    const { references } = await makeKeys(dir, systemRandom);
    const keys = await loadKeys(references, base());
    const system = (signingKeyId: string) => ({
      systems: new Map([["ehr", { id: "ehr", connection: { signingKeyId } }]]),
    });
    type Systems = Parameters<typeof requireSigningKeys>[0];
    requireSigningKeys(system("sluice-es384") as unknown as Systems, keys);
    assert.throws(() => {
      requireSigningKeys(system("sluice-es256") as unknown as Systems, keys);
    }, code("key-missing"));
  });
});
