// The sandbox org speaks the real protocol: the vendor's own client, as it comes, works with it and understands its errors.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Connection } from "@jsforce/jsforce-node";
import { SignJWT, importJWK, type JWK } from "jose";
import { Webhook } from "standardwebhooks";
import { signingPair, startOrg, type OrgBench } from "./bench.ts";

interface Row {
  readonly Id: string;
  readonly LastName: string;
}

describe("salesforce sandbox", () => {
  let bench: OrgBench;
  let client: Connection;

  beforeEach(async () => {
    bench = await startOrg();
    client = await signedIn();
  });
  afterEach(() => bench.sandbox.close());

  async function assertion(change: { readonly seconds?: number; readonly alg?: string } = {}): Promise<string> {
    const { privateKey } = await signingPair();
    return new SignJWT({})
      .setProtectedHeader({ alg: change.alg ?? "RS256" })
      .setIssuer("consumer-key")
      .setSubject("sluice@practice.example")
      .setAudience("https://login.salesforce.com")
      .setExpirationTime(bench.clock.now() / 1000 + (change.seconds ?? 60))
      .sign(await importJWK(privateKey as JWK, change.alg ?? "RS256"));
  }

  async function signedIn(change?: { readonly seconds?: number; readonly alg?: string }): Promise<Connection> {
    const { origin } = bench.sandbox;
    const connection = new Connection({ loginUrl: origin, instanceUrl: origin, version: "67.0" });
    const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    await connection.authorize({ grant_type, assertion: await assertion(change) });
    return connection;
  }

  const contact = { LastName: "Doe", FirstName: "Jo", Birthdate: "1980-02-29", Email: "jo@example.org" };

  it("signs in with a fresh RS256 assertion only", async () => {
    assert.equal(client.userInfo?.organizationId, "00D5e0000000001EAA");
    for (const wrong of [{ seconds: 300 }, { seconds: -60 }, { alg: "RS384" }]) {
      await assert.rejects(signedIn(wrong), { name: "invalid_grant" });
    }
  });

  it("creates, retrieves, updates, upserts and deletes for the vendor's client", async () => {
    const contacts = client.sobject("Contact");
    const created = await contacts.create(contact);
    assert.ok(created.success);
    await contacts.update({ Id: created.id, MobilePhone: "+1 555 0100" });
    const read = await contacts.retrieve(created.id);
    assert.equal(read["MobilePhone"], "+1 555 0100");
    assert.equal(read["Name"], "Jo Doe");
    assert.match(String(read["SystemModstamp"]), /^2026-11-25T10:00:00\.000\+0000$/);
    const link = { LastName: "Roe", Sluice_Link_Id__c: "link-1" };
    const first = await contacts.upsert(link, "Sluice_Link_Id__c");
    const second = await contacts.upsert({ ...link, FirstName: "Al" }, "Sluice_Link_Id__c");
    assert.ok(first.success && second.success);
    assert.equal(first.created, true);
    assert.equal(second.created, false);
    assert.equal(second.id, first.id);
    await contacts.destroy(created.id);
    await assert.rejects(contacts.retrieve(created.id), { name: "NOT_FOUND" });
    assert.equal(bench.sandbox.history("Contact", first.id).length, 2);
  });

  it("refuses what the org would refuse, in words that the vendor's client understands", async () => {
    const contacts = client.sobject("Contact");
    const cases = [
      [{ FirstName: "Jo" }, "REQUIRED_FIELD_MISSING"],
      [{ ...contact, Nowhere__c: "x" }, "INVALID_FIELD"],
      [{ ...contact, Birthdate: "1980-02-30" }, "JSON_PARSER_ERROR"],
      [{ ...contact, Active__c: "yes" }, "JSON_PARSER_ERROR"],
      [{ ...contact, FirstName: "x".repeat(41) }, "STRING_TOO_LONG"],
      [{ ...contact, Email: "jo" }, "INVALID_EMAIL_ADDRESS"],
      [{ ...contact, SystemModstamp: "2026-01-01T00:00:00Z" }, "INVALID_FIELD_FOR_INSERT_UPDATE"],
    ] as const;
    for (const [record, name] of cases) await assert.rejects(contacts.create(record), { name });
    bench.sandbox.setValidationRule((type) => ({ message: `no ${type} today`, field: "LastName" }));
    await assert.rejects(contacts.create(contact), { name: "FIELD_CUSTOM_VALIDATION_EXCEPTION" });
    bench.sandbox.setValidationRule(undefined);
    assert.ok((await contacts.create(contact)).success);
  });

  it("keeps events whole: an existing person, a start, an end that is not before it", async () => {
    const who = bench.sandbox.put("Contact", contact);
    const events = client.sobject("Event");
    const visit = { WhoId: who, Subject: "Cleaning", StartDateTime: "2026-12-01T09:00:00-05:00" };
    const created = await events.create({ ...visit, DurationInMinutes: 30 });
    assert.ok(created.success);
    const read = await events.retrieve(created.id);
    assert.equal(read["StartDateTime"], "2026-12-01T14:00:00.000+0000");
    assert.equal(read["EndDateTime"], "2026-12-01T14:30:00.000+0000");
    await assert.rejects(events.create(visit), { name: "REQUIRED_FIELD_MISSING" });
    await assert.rejects(events.create({ ...visit, EndDateTime: "2026-12-01T08:00:00-05:00" }), {
      name: "FIELD_INTEGRITY_EXCEPTION",
    });
    const nobody = { ...visit, DurationInMinutes: 30, WhoId: "003000000000000AAA" };
    await assert.rejects(events.create(nobody), { name: "INVALID_CROSS_REFERENCE_KEY" });
  });

  it("answers queries with conditions, order and limit", async () => {
    const [a, b, c] = ["Adams", "Brown", "Clark"].map((LastName) => {
      bench.clock.advance(1_000);
      return bench.sandbox.put("Contact", { ...contact, LastName });
    });
    const ids = async (soql: string) => (await client.query<Row>(soql)).records.map((row) => row.Id);
    assert.deepEqual(await ids("SELECT Id FROM Contact WHERE LastName = 'brown'"), [b]);
    assert.deepEqual(await ids("SELECT Id FROM Contact WHERE LastName != 'Brown' ORDER BY LastName DESC"), [c, a]);
    assert.deepEqual(
      await ids("SELECT Id FROM Contact WHERE SystemModstamp > 2026-11-25T10:00:01Z ORDER BY Id LIMIT 1"),
      [b],
    );
    assert.deepEqual(
      await ids(`SELECT Id FROM Contact WHERE (LastName = 'Adams' AND Id >= '${String(a)}') OR Id > '${String(b)}'`),
      [a, c],
    );
    assert.deepEqual(
      await ids("SELECT Id FROM Contact WHERE MobilePhone = null AND Birthdate <= 1980-02-29 AND Active__c = true"),
      [a, b, c],
    );
    assert.deepEqual(await ids("SELECT Id FROM Contact WHERE MobilePhone > 'a'"), []);
  });

  it("refuses queries that are wrong", async () => {
    const cases = [
      ["SELECT Nowhere FROM Contact", "INVALID_FIELD"],
      ["SELECT Id FROM Nothing", "INVALID_TYPE"],
      ["SELECT Id FROM Contact WHERE LastName = 'a' OR LastName = 'b' AND FirstName = 'c'", "MALFORMED_QUERY"],
      ["SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"],
      ["SELECT Id FROM Contact WHERE LastName = 'a", "MALFORMED_QUERY"],
      ["SELECT Id FROM Contact; DELETE", "MALFORMED_QUERY"],
    ] as const;
    for (const [soql, name] of cases) {
      await assert.rejects(
        async () => {
          await client.query(soql);
        },
        { name },
      );
    }
  });

  it("pages large answers through nextRecordsUrl", async () => {
    for (let i = 0; i < 450; i += 1) bench.sandbox.put("Contact", { LastName: `Many${i}` });
    const headers = { "Sforce-Query-Options": "batchSize=200" };
    const first = await client.query<Row>("SELECT Id FROM Contact", { autoFetch: true, maxFetch: 1_000, headers });
    assert.equal(first.totalSize, 450);
    assert.equal(new Set(first.records.map((row) => row.Id)).size, 450);
    assert.ok(bench.sandbox.log.length >= 2);
  });

  it("posts a signed notice without any field of the record for a user's edit, and none for the API's", async () => {
    const secret = "whsec_" + Buffer.alloc(24, 7).toString("base64");
    const got: { readonly headers: Record<string, string>; readonly body: string }[] = [];
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString("utf8")));
      request.on("end", () => {
        got.push({ headers: request.headers as Record<string, string>, body });
        response.end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const address = receiver.address();
    const port = typeof address === "object" && address ? address.port : 0;
    bench.sandbox.setNotify({ url: `http://127.0.0.1:${port}/webhooks/crm`, secret });
    const id = bench.sandbox.put("Contact", contact);
    await client.sobject("Contact").update({ Id: id, FirstName: "Joe" });
    await bench.sandbox.noticesSent();
    bench.sandbox.remove("Contact", id);
    await bench.sandbox.noticesSent();
    receiver.closeAllConnections();
    receiver.close();
    assert.deepEqual(
      got.map(({ body }) => body),
      [
        JSON.stringify({ type: "Contact", id, event: "change" }),
        JSON.stringify({ type: "Contact", id, event: "delete" }),
      ],
    );
    const [first] = got;
    assert.ok(first);
    assert.equal(first.headers["webhook-timestamp"], String(bench.clock.now() / 1000));
    const at = new Date(bench.clock.now());
    const expected = new Webhook(secret).sign(first.headers["webhook-id"] ?? "", at, first.body);
    assert.equal(first.headers["webhook-signature"], expected);
  });

  it("refuses a token that it did not give or has taken back", async () => {
    bench.sandbox.put("Contact", contact);
    assert.equal((await client.query("SELECT Id FROM Contact")).totalSize, 1);
    bench.sandbox.revokeTokens();
    await assert.rejects(
      async () => {
        await client.query("SELECT Id FROM Contact");
      },
      { name: "INVALID_SESSION_ID" },
    );
  });

  it("shows each write to the hook first, and applies nothing when the hook throws", async () => {
    await bench.sandbox.close();
    const seen: (string | undefined)[] = [];
    let allow = false;
    bench = await startOrg(
      {},
      {
        beforeWrite: (write) => {
          seen.push(write.type);
          return allow ? Promise.resolve() : Promise.reject(new Error("not yet"));
        },
      },
    );
    client = await signedIn();
    await assert.rejects(client.sobject("Contact").create(contact), { name: "UNKNOWN_EXCEPTION" });
    assert.equal(bench.sandbox.records("Contact").size, 0);
    allow = true;
    await client.sobject("Contact").create(contact);
    assert.equal(bench.sandbox.records("Contact").size, 1);
    assert.deepEqual(seen, ["Contact", "Contact"]);
  });
});
