// Writes and single requests: what travels in them, how often, and what an odd answer means.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { unmodifiedSince } from "../../../../connectors/salesforce/writes.ts";
import { SluiceError } from "../../../../src/core/errors.ts";
import { fields, missingId, openConnector, startOrg, systemOf, type OrgBench } from "./bench.ts";

async function thrown(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SluiceError);
  return error;
}

describe("salesforce writes", () => {
  let bench: OrgBench;
  let closing: (() => Promise<void>)[];

  beforeEach(async () => {
    bench = await startOrg();
    closing = [];
  });
  afterEach(async () => {
    for (const close of closing) await close();
    await bench.sandbox.close();
  });

  const open = (system?: OrgBench["system"], origins?: readonly string[]) => {
    const { connector, close } = openConnector(bench, system, origins);
    closing.push(close);
    return connector;
  };
  const contact = { LastName: "A", FirstName: "B" };

  it("travel under the link id, which may hold any character, and never in the body", async () => {
    const linkId = "a/b?c=%2e d";
    const body = { ...contact, Sluice_Link_Id__c: linkId };
    const { id } = await open().create({ type: "Contact", linkId, body });
    assert.equal(bench.sandbox.records("Contact").get(id)?.["Sluice_Link_Id__c"], linkId);
    assert.equal(bench.sandbox.history("Contact", id)[0]?.by, "api");
  });

  it("are refused when the body carries another link id", async () => {
    const body = { ...contact, Sluice_Link_Id__c: "other" };
    await assert.rejects(open().create({ type: "Contact", linkId: "mine", body }), { code: "mapping-refused" });
    assert.equal(bench.sandbox.counts.writes, 0);
  });

  it("say record-ambiguous when several records carry the link id, and write none of them", async () => {
    const double = { ...contact, Sluice_Link_Id__c: "twice" };
    const ids = [bench.sandbox.put("Contact", double), bench.sandbox.put("Contact", double)];
    const connector = open();
    await assert.rejects(connector.create({ type: "Contact", linkId: "twice", body: { LastName: "X" } }), {
      code: "record-ambiguous",
    });
    assert.ok(ids.every((id) => bench.sandbox.history("Contact", id).length === 1));
    assert.equal((await connector.findByLink("Contact", "twice", fields)).length, 2);
  });

  it("find the id themselves where the org answers an upsert with 204", async () => {
    const connector = open(systemOf(bench.sandbox.origin, { apiVersion: "45.0" }));
    const first = await connector.create({ type: "Contact", linkId: "old", body: contact });
    const second = await connector.create({ type: "Contact", linkId: "old", body: contact });
    assert.equal(second.id, first.id);
  });

  it("do not match a link id that differs in case", async () => {
    const connector = open();
    await connector.create({ type: "Contact", linkId: "CaSe", body: contact });
    assert.deepEqual(await connector.findByLink("Contact", "case", fields), []);
    assert.equal((await connector.findByLink("Contact", "CaSe", fields)).length, 1);
  });

  it("name the field that a rule of the org wants otherwise", async () => {
    const body = { FirstName: "B" };
    const error = await thrown(open().create({ type: "Contact", linkId: "l", body }));
    assert.equal(error.detail.vendorCode, "REQUIRED_FIELD_MISSING");
    assert.deepEqual(error.detail.elements, ["LastName"]);
    assert.ok(error.detail.hint);
  });

  it("carry a precondition in whole seconds that the version itself passes", () => {
    assert.equal(unmodifiedSince("2026-11-25T10:00:00.000+0000"), "Wed, 25 Nov 2026 10:00:00 GMT");
    assert.equal(unmodifiedSince("2026-11-25T10:00:00.001+0000"), "Wed, 25 Nov 2026 10:00:01 GMT");
    for (const unknown of [undefined, "", "soon"]) {
      assert.throws(() => unmodifiedSince(unknown), { code: "system-conflict" });
    }
  });

  it("are made once and never retried, and neither are reads", async () => {
    const connector = open();
    bench.sandbox.setFault(() => "unavailable");
    await assert.rejects(connector.read("Contact", missingId, fields), { code: "system-busy" });
    assert.equal(bench.sandbox.counts.requests, 1);
    await assert.rejects(connector.create({ type: "Contact", linkId: "l", body: contact }), { code: "system-busy" });
    assert.equal(bench.sandbox.counts.requests, 2);
  });

  it("answer a read of a type or field that is not there with an error, not with nothing", async () => {
    const connector = open();
    await assert.rejects(connector.read("Account", missingId, fields), { code: "input-unknown-type" });
    const id = bench.sandbox.put("Contact", contact);
    assert.equal((await thrown(connector.read("Contact", id, ["Nowhere__c"]))).detail.vendorCode, "INVALID_FIELD");
    assert.ok(await connector.read("Contact", id, fields));
  });

  it("takes a 404 that is not the org's own for a failure, not for a missing record", async () => {
    const wrong = await strange(404, "text/html", "<html>gone</html>");
    await assert.rejects(open(wrong).read("Contact", missingId, fields), { code: "record-not-found" });
  });

  it("follows no redirect", async () => {
    const moved = await strange(302, "text/plain", "", { location: bench.sandbox.origin });
    await assert.rejects(open(moved).read("Contact", missingId, fields), { name: "SluiceError", retry: "transient" });
    assert.equal(bench.sandbox.counts.requests, 0);
  });

  it("do not know what was done when a success is unreadable; a read is just tried again", async () => {
    const odd = await strange(200, "text/html", "<html>maintenance</html>");
    const connector = open(odd);
    await assert.rejects(connector.create({ type: "Contact", linkId: "l", body: contact }), {
      code: "system-answer-unknown",
      retry: "ambiguous",
    });
    await assert.rejects(connector.read("Contact", missingId, fields), {
      code: "system-answer-malformed",
      retry: "transient",
    });
  });

  /** A host that signs us in like the org and answers everything else with one and the same thing. */
  async function strange(status: number, type: string, body: string, headers: Record<string, string> = {}) {
    const server = createServer((request, response) => {
      if (request.url !== "/services/oauth2/token") {
        response.writeHead(status, { "content-type": type, ...headers }).end(body);
        return;
      }
      const id = `${origin}/id/${bench.system.identity["organizationId"] ?? ""}/0055e0000000001AAA`;
      const answer = { access_token: "t", instance_url: origin, id };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const origin = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
    closing.unshift(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return systemOf(origin);
  }
});
