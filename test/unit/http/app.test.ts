// The HTTP surface: security headers, health, readiness, public keys, errors that say nothing, and a full disk.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../../src/core/json.ts";
import { LightGateway } from "./light-gateway.ts";

describe("the HTTP surface", function () {
  this.timeout(60_000);
  let light: LightGateway;
  before(async () => {
    light = await LightGateway.start();
  });
  after(() => light.close());

  const get = (path: string): Promise<Response> => fetch(light.address + path);

  it("every answer carries the security headers, and none that tells what runs here", async () => {
    for (const path of ["/healthz", "/readyz", "/.well-known/jwks.json", "/nothing-here"]) {
      const { headers } = await get(path);
      assert.equal(headers.get("x-content-type-options"), "nosniff", path);
      assert.match(headers.get("content-security-policy") ?? "", /default-src 'self'/, path);
      assert.ok(headers.get("strict-transport-security"), path);
      assert.equal(headers.get("x-powered-by"), null, path);
      assert.equal(headers.get("etag"), null, path);
      assert.match(headers.get("content-type") ?? "", /^application\/json/, path);
    }
  });

  it("/healthz: the process lives", async () => {
    const response = await get("/healthz");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: "ok" });
  });

  it("/readyz: 200 while store, queue and configuration are well", async () => {
    const response = await get("/readyz");
    assert.equal(response.status, 200);
    const { checks } = (await response.json()) as { checks: { name: string; ok: boolean }[] };
    assert.deepEqual(new Set(checks.map((check) => check.name)), new Set(["store", "queue", "configuration"]));
    assert.ok(checks.every((check) => check.ok));
  });

  it("/readyz: 503 while another configuration is current, naming that check; 200 again after", async () => {
    light.current = false;
    const response = await get("/readyz");
    light.current = true;
    assert.equal(response.status, 503);
    const { checks } = (await response.json()) as { checks: { name: string; ok: boolean }[] };
    assert.deepEqual(
      checks.filter((check) => !check.ok).map((check) => check.name),
      ["configuration"],
    );
    assert.equal((await get("/readyz")).status, 200);
  });

  it("/readyz: 503 while the queue gives no answer", async () => {
    light.queueAnswers = false;
    const response = await get("/readyz");
    light.queueAnswers = true;
    assert.equal(response.status, 503);
    assert.match(await response.text(), /"queue","ok":false/);
  });

  it("/.well-known/jwks.json: each signing key, its public members only", async () => {
    const response = await get("/.well-known/jwks.json");
    assert.equal(response.status, 200);
    const { keys } = (await response.json()) as { keys: JsonObject[] };
    const signing = light.gateway.keys.signing;
    assert.deepEqual(
      keys.map((key) => key["kid"]),
      signing.map((key) => key["kid"]),
    );
    for (const key of keys) {
      for (const name of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) assert.ok(!(name in key), name);
      assert.ok(key["kty"] === "EC" ? key["x"] && key["y"] : key["n"] && key["e"]);
      assert.deepEqual(key["key_ops"], ["verify"]);
    }
    const text = JSON.stringify(keys);
    for (const key of signing) assert.ok(!text.includes(JSON.stringify(key["d"])));
  });

  it("an unknown path and a wrong method: 404, nothing repeated", async () => {
    for (const [path, method] of [
      ["/Patient/Xovaketiru", "GET"],
      ["/webhooks/crm", "GET"],
      ["/healthz", "DELETE"],
      ["/webhooks/", "POST"],
    ] as const) {
      const response = await fetch(light.address + path, { method });
      assert.equal(response.status, 404, path);
      assert.deepEqual(await response.json(), { error: "not-found" });
    }
  });

  it("a body in an unknown encoding, a path that cannot be decoded: 400 or 401, JSON, no stack", async () => {
    const encoded = await fetch(`${light.address}/webhooks/crm`, {
      method: "POST",
      body: "x",
      headers: { "content-encoding": "snappy" },
    });
    const path = await fetch(`${light.address}/webhooks/%E0%A4%A`, { method: "POST", body: "x" });
    for (const response of [encoded, path]) {
      assert.ok([400, 401].includes(response.status), String(response.status));
      const text = await response.text();
      assert.ok(JSON.parse(text));
      assert.ok(!/at |node_modules|\.ts/.test(text), text);
    }
  });

  it("a signed notice becomes a row; an unsigned one is counted", async () => {
    const response = await light.notice("003000000000001AAA", "n1");
    assert.equal(response.status, 202);
    const rows = await light.store.ledger.find({ source: { id: "003000000000001AAA" } });
    assert.equal(rows.length, 1);
    const unsigned = await fetch(`${light.address}/webhooks/crm`, { method: "POST", body: "{}" });
    assert.equal(unsigned.status, 401);
  });
});

describe("a full disk", function () {
  this.timeout(60_000);
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "sluice-full-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it("what is accepted stays, the rest is answered 503; with room again everything is taken", async () => {
    const capped = await LightGateway.start({ directory, maxPages: 120 });
    const accepted: string[] = [];
    let refused: Response | undefined;
    for (let n = 0; n < 20_000 && !refused; n += 25) {
      const batch = Array.from({ length: 25 }, (_, index) => `0030000${String(n + index).padStart(8, "0")}AAA`);
      const answers = await Promise.all(batch.map(async (id) => [id, await capped.notice(id, `id-${id}`)] as const));
      for (const [id, response] of answers) {
        if (response.status === 202) accepted.push(id);
        else refused ??= response;
      }
    }
    assert.ok(refused, "the disk was never full");
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "5");
    const words = (await refused.json()) as { error: string; hint?: string };
    assert.equal(words.error, "store-full");
    assert.match(words.hint ?? "", /free space/);
    // Reading still works, and nobody is told to go away for good.
    assert.equal((await fetch(`${capped.address}/readyz`)).status, 200);
    assert.ok(accepted.length > 10);
    await capped.close();

    const roomy = await LightGateway.start({ directory });
    for (const id of accepted) {
      assert.equal((await roomy.store.ledger.find({ source: { id } })).length, 1, id);
    }
    const response = await roomy.notice("003999999999999AAA", "after");
    assert.equal(response.status, 202);
    assert.equal((await roomy.store.ledger.find({ source: { id: "003999999999999AAA" } })).length, 1);
    await roomy.close();
  });
});
