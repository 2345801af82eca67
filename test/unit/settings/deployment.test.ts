// The parts of sluice.yaml that belong to a machine: profile, places, front door.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDeployment, readHttpSettings, readProductionPlaces } from "../../../src/settings/deployment.ts";
import { configDir } from "../../e2e/practice-run.ts";

const production = { mongodb: "env:MONGODB_URI", redis: "env:REDIS_URL", prefix: "harbor" };
const env = { MONGODB_URI: "mongodb://db/", REDIS_URL: "redis://queue/" };

describe("the deployment's settings", () => {
  it("the example is embedded, and so is a directory without sluice.yaml", async () => {
    assert.deepEqual(await readDeployment(configDir), { profile: "embedded" });
    assert.deepEqual(await readDeployment("/nonexistent"), { profile: "embedded" });
  });

  it("production names its places by reference", async () => {
    const overrides = { sluice: { profile: "production", production } };
    assert.deepEqual(await readDeployment(configDir, { overrides, env }), {
      profile: "production",
      mongodb: "mongodb://db/",
      redis: "redis://queue/",
      prefix: "harbor",
    });
    await assert.rejects(readDeployment(configDir, { overrides, env: {} }), {
      code: "config-invalid",
      message: /MONGODB_URI is not set/,
    });
  });

  it("what TLS to Redis needs is read from where it is kept", async () => {
    const tls = { redisCa: "env:CA", redisCert: "env:CERT", redisKey: "env:KEY" };
    const overrides = { sluice: { production: { ...production, ...tls } } };
    const places = await readProductionPlaces(configDir, { overrides, env: { ...env, CA: "a", CERT: "c", KEY: "k" } });
    assert.deepEqual(places.redisTls, { ca: "a", cert: "c", key: "k" });
    await assert.rejects(readProductionPlaces(configDir, { overrides, env }), { message: /CA is not set/ });
  });

  it("production without its section is refused, with what to add", async () => {
    const overrides = { sluice: { profile: "production" } };
    await assert.rejects(readDeployment(configDir, { overrides, env }), { code: "config-invalid" });
  });

  it("an address in clear is refused: it would hold a password", async () => {
    const overrides = { sluice: { production: { ...production, mongodb: "mongodb://u:p@db/" } } };
    await assert.rejects(readDeployment(configDir, { overrides, env }), { code: "config-invalid" });
  });

  it("where to move is told while the profile is still embedded", async () => {
    const overrides = { sluice: { production } };
    assert.equal((await readProductionPlaces(configDir, { overrides, env })).mongodb, "mongodb://db/");
    await assert.rejects(readProductionPlaces(configDir, { env }), { code: "config-invalid" });
  });

  it("certificate, key and token are read from where they are kept", async () => {
    assert.deepEqual(await readHttpSettings(configDir), { trustProxy: false });
    const tls = { certificate: "env:CERT", key: "env:KEY" };
    const overrides = { sluice: { http: { trustProxy: true, tls, metricsToken: "env:TOKEN" } } };
    assert.deepEqual(await readHttpSettings(configDir, { overrides, env: { CERT: "c", KEY: "k", TOKEN: "t" } }), {
      trustProxy: true,
      tls: { certificate: "c", key: "k" },
      metricsToken: "t",
    });
  });

  it("a broken sluice.yaml is told with its line", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-"));
    try {
      cpSync(configDir, dir, { recursive: true });
      const overrides = { sluice: { profile: "cloud" } };
      await assert.rejects(readDeployment(dir, { overrides }), { code: "config-invalid", message: /profile/ });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
