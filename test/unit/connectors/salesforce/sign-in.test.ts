// Signing in: one token at a time, a new one after a 401 (reads go on, writes run again), refusals that name their cause,
// and no data to an org that is not the bound one.
import assert from "node:assert/strict";
import { withGuard } from "../../../../src/connector/guard.ts";
import { SluiceError } from "../../../../src/core/errors.ts";
import { fields, missingId, openConnector, startOrg, systemOf, type OpenedConnector, type OrgBench } from "./bench.ts";

describe("salesforce sign-in", () => {
  let bench: OrgBench;
  let opened: OpenedConnector[];

  beforeEach(async () => {
    bench = await startOrg();
    opened = [];
  });
  afterEach(async () => {
    for (const each of opened) await each.close();
    await bench.sandbox.close();
  });

  const open = (...args: [system?: OrgBench["system"], origins?: readonly string[]]) => {
    const one = openConnector(bench, ...args);
    opened.push(one);
    return one.connector;
  };
  const read = (connector = open()) => connector.read("Contact", missingId, fields);

  it("asks for one token for many requests at once, and keeps it", async () => {
    const connector = open();
    await Promise.all([read(connector), read(connector), read(connector)]);
    await read(connector);
    assert.equal(bench.sandbox.counts.tokens, 1);
    assert.equal(bench.sandbox.counts.requests, 4);
  });

  it("asks again, once, when a read finds the token ended", async () => {
    const connector = open();
    await read(connector);
    bench.sandbox.revokeTokens();
    assert.equal(await read(connector), undefined);
    assert.equal(bench.sandbox.counts.tokens, 2);
  });

  it("gives up a read when the new token is refused too", async () => {
    bench.sandbox.setFault(() => "unauthorized");
    await assert.rejects(read(), {
      code: "system-session-ended",
      detail: { status: 401, vendorCode: "INVALID_SESSION_ID" },
    });
    assert.equal(bench.sandbox.counts.requests, 2);
  });

  it("does not repeat a write after a 401; the next run has a new token", async () => {
    const connector = open();
    await read(connector);
    bench.sandbox.revokeTokens();
    const create = () => connector.create({ type: "Contact", linkId: "l", body: { LastName: "A" } });
    await assert.rejects(create(), { code: "system-session-ended", retry: "transient" });
    assert.equal(bench.sandbox.counts.writes, 1);
    await create();
    assert.equal(bench.sandbox.counts.writes, 2);
    assert.equal(bench.sandbox.counts.tokens, 2);
  });

  it("says what the login server said when it refuses", async () => {
    const cases = [
      [{ username: "other@practice.example" }, "invalid_grant"],
      [{ clientId: "other" }, "invalid_client_id"],
      [{ audience: "https://elsewhere.example" }, "invalid_grant"],
    ] as const;
    for (const [wrong, vendorCode] of cases) {
      const error = await read(open(systemOf(bench.sandbox.origin, wrong))).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, "system-refused-credential");
      assert.equal(error.detail.vendorCode, vendorCode);
      assert.ok(error.detail.hint);
    }
    assert.equal(bench.sandbox.counts.requests, 0);
    await read();
    assert.equal(bench.sandbox.counts.requests, 1);
  });

  it("says that the key is missing", async () => {
    await assert.rejects(read(open(systemOf(bench.sandbox.origin, { signingKeyId: "none" }))), { code: "key-missing" });
    assert.equal(bench.sandbox.counts.tokens, 0);
  });

  it("sends nothing to an org that is not the bound one, and names it when asked", async () => {
    bench.sandbox.setOrganization("00D5e0000000002EAA");
    const connector = open();
    await assert.rejects(read(connector), { code: "identity-mismatch" });
    assert.equal(bench.sandbox.counts.requests, 0);
    assert.deepEqual(await connector.identify(), { organizationId: "00D5e0000000002EAA" });
    bench.sandbox.setOrganization("00D5e0000000001EAA");
    assert.equal(await read(connector), undefined);
  });

  it("takes the 15-character spelling of the bound organization for the same one", async () => {
    const system = { ...bench.system, identity: { organizationId: "00D5e0000000001" } };
    const connector = open(system);
    assert.equal(await read(connector), undefined);
    assert.deepEqual(await connector.identify(), { organizationId: "00D5e0000000001" });
  });

  it("sends nothing when the login server names another instance", async () => {
    const other = systemOf(bench.sandbox.origin, { instanceUrl: "https://other.my.salesforce.com" });
    await assert.rejects(read(open(other)), { code: "identity-mismatch" });
    assert.equal(bench.sandbox.counts.requests, 0);
  });

  it("is not spoiled for one exchange by another's guard", async () => {
    const connector = open();
    const check = () => {
      throw new SluiceError("not-sent", "refused");
    };
    const refused = withGuard({ requestId: "a", check }, () => read(connector));
    const waiting = read(connector);
    await assert.rejects(refused, { code: "not-sent" });
    assert.equal(await waiting, undefined);
  });
});
