// The org's own API usage is told from that of a single app, in any order.
import assert from "node:assert/strict";
import { parseLimitInfo } from "../../../../connectors/salesforce/usage.ts";
import { openConnector, fields, missingId, startOrg } from "./bench.ts";

describe("salesforce API usage", () => {
  it("reads api-usage wherever it stands, and never per-app-api-usage", () => {
    const usage = { used: 18, limit: 5000 };
    assert.deepEqual(parseLimitInfo("api-usage=18/5000"), usage);
    assert.deepEqual(parseLimitInfo("per-app-api-usage=17/250(appName=x), api-usage=18/5000"), usage);
    assert.deepEqual(parseLimitInfo("api-bursts=1/750,api-usage=18/5000; per-app-api-usage=17/250(appName=x)"), usage);
    assert.equal(parseLimitInfo("per-app-api-usage=17/250(appName=x)"), undefined);
    assert.equal(parseLimitInfo(undefined), undefined);
  });

  it("is told by the connector as of its last answer", async () => {
    const bench = await startOrg({}, { apiLimit: 5000 });
    const { connector, close } = openConnector(bench);
    try {
      assert.equal(connector.usage, undefined);
      await connector.read("Contact", missingId, fields);
      assert.deepEqual(connector.usage, { used: 1, limit: 5000 });
    } finally {
      await close();
      await bench.sandbox.close();
    }
  });
});
