// The part of the connector contract that a recipient has: identity, declared capabilities, the guard, no reading.
import assert from "node:assert/strict";
import recipient from "../../../connectors/recipient/index.ts";
import { startRecipientSandbox, type RecipientSandbox } from "../../../connectors/recipient/sandbox/index.ts";
import type { Connector } from "../../../src/connector/contract.ts";
import { withGuard, type RequestGuard } from "../../../src/connector/guard.ts";
import { openOutbound, type Outbound } from "../../../src/connector/outbound.ts";
import { loadConnector } from "../../../src/connector/registry.ts";
import type { SandboxWrite } from "../../../src/connector/sandbox.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { SluiceError } from "../../../src/core/errors.ts";
import { systemRandom } from "../../../src/core/ids.ts";

const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const batch = { id: "batch-1", body: '{"resourceType":"Patient"}\n' };

describe("connector contract: recipient", () => {
  let sink: RecipientSandbox;
  let writes: SandboxWrite[];
  const opened: Outbound[] = [];

  const open = (origins?: readonly string[]): Connector => {
    const connection = { url: sink.url, secret, keyId: "key-1" };
    const http = openOutbound({
      origins: origins ?? recipient.origins(connection),
      ...{ timeoutMs: 5_000, concurrency: 2, maxBytes: 65_536 },
    });
    opened.push(http);
    const system = {
      ...{ id: "sink", name: "Sink", organization: "Organization/sink", connector: "recipient" },
      ...{ environment: "sandbox" as const, identity: {}, connection, consentSource: false, concurrency: 2 },
      ...{ timeoutMs: 5_000, visibleAfterMs: 0, testPatients: [] },
      breaker: { failures: 5, baseMs: 5_000, capMs: 300_000 },
    };
    const keys = { data: Buffer.alloc(32), id: Buffer.alloc(32), signing: [] };
    return recipient.open({ system, http, clock: systemClock, random: systemRandom, keys });
  };

  beforeEach(async () => {
    writes = [];
    sink = await startRecipientSandbox({
      secret,
      beforeWrite: (write) => {
        writes.push(write);
        return Promise.resolve();
      },
    });
  });
  afterEach(async () => {
    for (const http of opened.splice(0)) await http.close();
    await sink.close();
  });

  it("is loaded by its folder's name and delivers", async () => {
    assert.equal(await loadConnector("recipient"), recipient);
    assert.equal(recipient.capabilities.delivers, true);
  });

  it("presents every name of its identity", async () => {
    const host = new URL(sink.url).host;
    assert.deepEqual(await open().identify(), { host, keyId: "key-1" });
    assert.deepEqual(recipient.identity, ["host", "keyId"]);
  });

  it("reads and writes no records", async () => {
    const connector = open();
    const calls = [
      connector.read("Patient", "1", []),
      connector.poll({ type: "Patient", cursor: undefined, fields: [], limit: 1 }),
      connector.findByLink("Patient", "l", []),
      connector.findPerson("Patient", { family: "a", given: "b", birthDate: "1980-01-01" }, []),
      connector.create({ type: "Patient", linkId: "l", body: {} }),
      connector.update({ type: "Patient", linkId: "l", id: "1", version: "1", changedAt: undefined, body: {} }),
    ];
    for (const call of calls) await assert.rejects(call, { code: "input-unknown-type" });
    assert.equal(sink.counts.requests, 0);
  });

  it("asks the guard once for each delivery, sends its id, and sends nothing when it refuses", async () => {
    let refuse = true;
    const seen: boolean[] = [];
    const guard: RequestGuard = {
      requestId: "exchange-1",
      check: ({ unsafe }) => {
        seen.push(unsafe);
        if (refuse) throw new SluiceError("not-sent", "the guard refused the request");
      },
    };
    const deliver = () => withGuard(guard, async () => open().deliver?.(batch));
    await assert.rejects(deliver(), { code: "not-sent", retry: "transient" });
    assert.equal(sink.counts.requests, 0);
    refuse = false;
    await deliver();
    assert.deepEqual(seen, [true, true]);
    assert.deepEqual([writes[0]?.requestId, writes[0]?.id], ["exchange-1", "batch-1"]);
    assert.equal(sink.received.length, 1);
  });

  it("talks to no host outside its allow-list", async () => {
    const fenced = open(["https://elsewhere.example"]);
    await assert.rejects(async () => fenced.deliver?.(batch), { code: "host-not-allowed" });
    assert.equal(sink.counts.requests, 0);
    await open().deliver?.(batch);
    assert.equal(sink.received.length, 1);
  });
});
