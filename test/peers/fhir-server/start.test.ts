// The real FHIR server starts, wants its token and behaves as the tests that use it rely on.
import assert from "node:assert/strict";
import { fhirServerForTests, type FhirServer } from "./start.ts";

describe("the tests' FHIR server", function () {
  this.timeout(60_000);
  let server: FhirServer | undefined;

  before(async function () {
    server = await fhirServerForTests(this, { token: "open-sesame", preconditionFailed: true });
  });
  after(() => server?.close());

  function request(path: string, method = "GET", body?: unknown, headers = {}): Promise<Response> {
    return fetch(`${server?.url}/${path}`, {
      method,
      headers: { authorization: "Bearer open-sesame", "content-type": "application/fhir+json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  it("wants its token, except for its capability statement", async () => {
    assert.equal((await fetch(`${server?.url}/Patient`)).status, 401);
    assert.equal((await fetch(`${server?.url}/metadata`)).status, 200);
    assert.equal((await request("Patient")).status, 200);
  });

  it("creates once under If-None-Exist, and finds at once what it created", async () => {
    const identifier = [{ system: "urn:test:link", value: "one" }];
    const patient = { resourceType: "Patient", identifier };
    const once = { "if-none-exist": "identifier=urn:test:link|one" };
    assert.equal((await request("Patient", "POST", patient, once)).status, 201);
    assert.equal((await request("Patient", "POST", patient, once)).status, 200);
    const found = (await (await request("Patient?identifier=urn:test:link|one")).json()) as { total: number };
    assert.equal(found.total, 1);
  });

  it("refuses an update of another version", async () => {
    const patient = { resourceType: "Patient", id: "versions", active: true };
    const created = await request("Patient/versions", "PUT", patient);
    assert.equal(created.headers.get("etag"), 'W/"1"');
    const changed = { ...patient, active: false };
    assert.equal((await request("Patient/versions", "PUT", changed, { "if-match": 'W/"7"' })).status, 412);
    assert.equal((await request("Patient/versions", "PUT", changed, { "if-match": 'W/"1"' })).status, 200);
  });
});
