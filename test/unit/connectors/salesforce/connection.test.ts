// What a Salesforce connection may say, and which hosts it opens.
import assert from "node:assert/strict";
import { connectionSchema } from "../../../../connectors/salesforce/connection.ts";
import salesforce from "../../../../connectors/salesforce/index.ts";
import { longId, sameId } from "../../../../connectors/salesforce/record-id.ts";
import { loadConnector } from "../../../../src/connector/registry.ts";

const connection = {
  loginUrl: "https://login.salesforce.com",
  instanceUrl: "https://practice.my.salesforce.com",
  clientId: "key",
  username: "sluice@practice.example",
  signingKeyId: "crm-key",
};

describe("salesforce connection", () => {
  it("has defaults for all that is the same everywhere", () => {
    const parsed = connectionSchema.parse(connection);
    assert.equal(parsed.apiVersion, "67.0");
    assert.equal(parsed.linkField, "Sluice_Link_Id__c");
  });

  it("refuses what it does not know or would leak, and takes the rest", () => {
    const wrong = [
      { ...connection, password: "x" },
      { ...connection, instanceUrl: "http://practice.my.salesforce.com" },
      { ...connection, instanceUrl: "https://user:pass@practice.my.salesforce.com" },
      { ...connection, instanceUrl: "https://practice.my.salesforce.com/services" },
      { ...connection, loginUrl: "login.salesforce.com" },
      { ...connection, linkField: "Link Id" },
      { ...connection, apiVersion: "v67" },
      { ...connection, overlapSeconds: 0 },
    ];
    for (const each of wrong) assert.equal(connectionSchema.safeParse(each).success, false);
    assert.ok(connectionSchema.safeParse(connection).success);
    assert.ok(connectionSchema.safeParse({ ...connection, instanceUrl: "http://127.0.0.1:8080" }).success);
  });

  it("opens its login and instance hosts and no others", () => {
    assert.deepEqual(salesforce.origins(connection), [
      "https://login.salesforce.com",
      "https://practice.my.salesforce.com",
    ]);
  });

  it("is loaded by its folder's name", async () => {
    assert.equal((await loadConnector("salesforce")).name, "salesforce");
  });

  it("knows both spellings of an id", () => {
    assert.equal(longId("001A0000006Vm9r"), "001A0000006Vm9rIAC");
    assert.equal(longId("001A0000006Vm9rIAC"), "001A0000006Vm9rIAC");
    assert.ok(sameId("001A0000006Vm9r", "001A0000006Vm9rIAC"));
    assert.ok(!sameId("001A0000006Vm9R", "001A0000006Vm9rIAC"));
  });
});
