// Delivery to a recipient: the signature, what each answer means for the batch, and the sandbox sink's own strictness.
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import recipient from "../../../../connectors/recipient/index.ts";
import { startRecipientSandbox, type RecipientSandbox } from "../../../../connectors/recipient/sandbox/index.ts";
import type { Connector, Delivery } from "../../../../src/connector/contract.ts";
import { openOutbound } from "../../../../src/connector/outbound.ts";
import { startLoopback, type SandboxAnswer, type SandboxRequest } from "../../../../src/connector/sandbox.ts";
import { systemClock, type Clock } from "../../../../src/core/clock.ts";
import { systemRandom } from "../../../../src/core/ids.ts";

const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const batch: Delivery = { id: "batch-1", body: '{"resourceType":"Patient"}\n{"resourceType":"Patient"}\n' };
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface OpenOptions {
  readonly secret?: string;
  readonly clock?: Clock;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

function open(url: string, options: OpenOptions = {}): Connector & { deliver(delivery: Delivery): Promise<void> } {
  const connection = { url, secret: options.secret ?? secret, keyId: "key-1", maxBytes: options.maxBytes ?? 65_536 };
  const system = {
    ...{
      id: "sink",
      name: "Sink",
      organization: "Organization/sink",
      connector: "recipient",
      environment: "sandbox" as const,
    },
    ...{ identity: {}, connection, consentSource: false, concurrency: 2, timeoutMs: options.timeoutMs ?? 5_000 },
    ...{ visibleAfterMs: 0, testPatients: [] },
    breaker: { failures: 5, baseMs: 5_000, capMs: 300_000 },
  };
  const limits = { timeoutMs: system.timeoutMs, concurrency: 2, maxBytes: 65_536 };
  const http = openOutbound({ origins: recipient.origins(connection), ...limits });
  closers.push(() => http.close());
  const keys = { data: Buffer.alloc(32), id: Buffer.alloc(32), signing: [] };
  const connector = recipient.open({ system, http, clock: options.clock ?? systemClock, random: systemRandom, keys });
  assert.ok(connector.deliver);
  return { ...connector, deliver: connector.deliver };
}

async function startSink(): Promise<RecipientSandbox> {
  const sink = await startRecipientSandbox({ secret });
  closers.push(() => sink.close());
  return sink;
}

async function startScripted(answer: SandboxAnswer): Promise<{ url: string; requests: SandboxRequest[] }> {
  const requests: SandboxRequest[] = [];
  const server = await startLoopback((request) => {
    requests.push(request);
    return Promise.resolve(answer);
  });
  closers.push(() => server.close());
  return { url: `${server.origin}/in?source=sluice`, requests };
}

describe("recipient delivery", () => {
  it("arrives line by line, once, however often it is repeated", async () => {
    const sink = await startSink();
    const connector = open(sink.url);
    await connector.deliver(batch);
    await connector.deliver(batch);
    assert.deepEqual(sink.received, [
      { id: "batch-1", lines: [{ resourceType: "Patient" }, { resourceType: "Patient" }] },
    ]);
    assert.deepEqual(sink.counts, { requests: 2, stored: 1, repeated: 1, refused: 0 });
  });

  it("carries a signature that the library itself verifies, and the key's name", async () => {
    const server = await startScripted({ status: 200 });
    await open(server.url).deliver(batch);
    const [request] = server.requests;
    assert.ok(request);
    const headers = request.headers as Record<string, string>;
    new Webhook(secret).verify(request.body, headers, { jsonParse: false });
    assert.throws(() => new Webhook(secret).verify(`${request.body} `, headers, { jsonParse: false }));
    assert.equal(headers["sluice-key-id"], "key-1");
    assert.equal(headers["content-type"], "application/x-ndjson");
  });

  it("is refused under another secret, with an old timestamp, or as other content of the same id", async () => {
    const sink = await startSink();
    const other = `whsec_${Buffer.alloc(24, 8).toString("base64")}`;
    await assert.rejects(open(sink.url, { secret: other }).deliver(batch), { code: "system-refused-credential" });
    const late: Clock = { ...systemClock, now: () => systemClock.now() - 301_000 };
    await assert.rejects(open(sink.url, { clock: late }).deliver(batch), { code: "system-refused-credential" });
    assert.equal(sink.received.length, 0);
    await open(sink.url).deliver(batch);
    const changed = { ...batch, body: '{"resourceType":"Consent"}\n' };
    await assert.rejects(open(sink.url).deliver(changed), { code: "system-rejected", retry: "permanent" });
    assert.equal(sink.received.length, 1);
  });

  const answers: readonly (readonly [number, string, string])[] = [
    [400, "system-rejected", "permanent"],
    [401, "system-refused-credential", "transient"],
    [403, "system-forbidden", "permanent"],
    [404, "system-rejected", "permanent"],
    [409, "system-rejected", "permanent"],
    [410, "system-rejected", "permanent"],
    [429, "system-throttled", "transient"],
    [500, "system-busy", "ambiguous"],
    [503, "system-busy", "transient"],
    [302, "system-answer-unknown", "ambiguous"],
  ];
  for (const [status, code, retry] of answers) {
    it(`HTTP ${status} is ${code}, ${retry}`, async () => {
      const location = "http://127.0.0.1/elsewhere";
      const server = await startScripted({ status, headers: { location }, body: "Zyx" });
      await assert.rejects(open(server.url).deliver(batch), { code, retry });
      assert.equal(server.requests.length, 1);
    });
  }

  it("is ambiguous when the answer is lost or late, and settles by sending the same again", async () => {
    const sink = await startSink();
    sink.setFault(() => "lost-answer");
    await assert.rejects(open(sink.url).deliver(batch), { code: "system-answer-unknown", retry: "ambiguous" });
    sink.setFault(() => "timeout");
    const hasty = open(sink.url, { timeoutMs: 200 });
    await assert.rejects(hasty.deliver(batch), { code: "system-timeout", retry: "ambiguous" });
    sink.setFault(undefined);
    await open(sink.url).deliver(batch);
    assert.equal(sink.received.length, 1);
  });

  it("is not made when the batch is too large or the id could confuse the signed text", async () => {
    const sink = await startSink();
    const connector = open(sink.url, { maxBytes: 1024 });
    const long = (size: number) => ({ id: "b", body: `"${"é".repeat((size - 2) / 2)}"` });
    await assert.rejects(connector.deliver(long(1026)), { code: "input-too-large" });
    await assert.rejects(connector.deliver({ ...batch, id: "a.1" }), { code: "input-malformed" });
    assert.equal(sink.counts.requests, 0);
    await connector.deliver(batch);
    assert.equal(sink.received.length, 1);
  });

  it("takes an https address and a whsec_ secret only", () => {
    assert.throws(() => open("http://sink.example/in"), { code: "config-invalid" });
    assert.throws(() => open("https://sink.example/in", { secret: "secret" }), { code: "config-invalid" });
    assert.ok(open("https://sink.example/in"));
  });
});
