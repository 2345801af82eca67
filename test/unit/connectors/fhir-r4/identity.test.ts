// The identity that a FHIR system shows, and that a failure is never taken for another identity.
import assert from "node:assert/strict";
import { closeAll, openBench, openSignedBench } from "./bench.ts";
import { fhirJson, openScripted } from "./scripted.ts";

afterEach(closeAll);

describe("fhir-r4 identity", () => {
  it("is issuer and token endpoint where there is a SMART configuration, read anew each time", async () => {
    const bench = await openSignedBench();
    const tokenEndpoint = `${bench.sandbox.baseUrl}/token`;
    assert.deepEqual(await bench.connector.identify(), { issuer: bench.sandbox.baseUrl, tokenEndpoint });
    bench.sandbox.setIssuer("https://another.example");
    assert.deepEqual(await bench.connector.identify(), { issuer: "https://another.example", tokenEndpoint });
  });

  it("is base address and implementation where there is none", async () => {
    const bench = await openBench();
    const baseUrl = bench.sandbox.baseUrl;
    const implementation = `${baseUrl} Sluice sandbox EHR`;
    assert.deepEqual(await bench.connector.identify(), { baseUrl, implementation });
  });

  it("a SMART configuration that cannot be read is an error, not an absent one", async () => {
    let status = 503;
    const server = await openScripted((request) =>
      request.url.pathname.endsWith("smart-configuration")
        ? { status }
        : fhirJson({ resourceType: "CapabilityStatement", implementation: { description: "Somewhere" } }),
    );
    await assert.rejects(server.connector.identify(), { code: "system-busy" });
    status = 404;
    assert.equal((await server.connector.identify())["implementation"], "Somewhere");
  });

  it("a token endpoint on another host is refused; on the server's own it is taken", async () => {
    let endpoint = "https://login.elsewhere.example/token";
    const server = await openScripted(() => fhirJson({ token_endpoint: endpoint }));
    await assert.rejects(server.connector.identify(), { code: "host-not-allowed" });
    endpoint = `${server.origin}/login/token`;
    assert.equal((await server.connector.identify())["tokenEndpoint"], endpoint);
  });
});
