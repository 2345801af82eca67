// Recipients of feeds, such as a marketing tool: batches are posted as NDJSON, signed by Standard Webhooks
// (https://www.standardwebhooks.com), with the webhook id as the idempotency key. Nothing is read from a recipient.
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { SluiceError } from "../../src/core/errors.ts";
import type { Connector, ConnectorContext, ConnectorModule, Delivery } from "../../src/connector/contract.ts";
import { httpFailure, networkFailure } from "../../src/connector/failures.ts";

const loopback: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.hash) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && loopback.has(url.hostname));
}

const connectionSchema = z.strictObject({
  url: z
    .string()
    .refine(isSafeUrl, "an https address is wanted (plain http only on loopback)")
    .describe("Address that batches are posted to"),
  secret: z
    .string()
    .regex(
      /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/,
      "a Standard Webhooks secret is wanted: whsec_ and base64 of 24 to 64 bytes",
    )
    .describe("Signing secret shared with the recipient, `env:` or `file:`"),
  keyId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .describe("Name of the secret, agreed with the recipient; sent as `sluice-key-id`"),
  maxBytes: z
    .int()
    .min(1024)
    .default(8 * 1024 * 1024)
    .describe("Largest batch that the recipient takes, bytes"),
});

type RecipientConnection = z.infer<typeof connectionSchema>;

const recipient: ConnectorModule = {
  name: "recipient",
  kind: "recipient",
  connection: connectionSchema,
  identity: ["host", "keyId"],
  capabilities: {
    types: [],
    mark: "stamp",
    stampResolutionMs: 1000,
    createIdempotent: false,
    precondition: "none",
    delivers: true,
  },
  linkIdOf: () => undefined,
  origins: (connection) => [new URL(parse(connection).url).origin],
  open: (context) => openRecipient(parse(context.system.connection), context),
};

function openRecipient(connection: RecipientConnection, context: ConnectorContext): Connector {
  const webhook = new Webhook(connection.secret);
  const host = new URL(connection.url).host;
  return {
    identify: () => Promise.resolve({ host, keyId: connection.keyId }),
    read: refused,
    poll: refused,
    findByLink: refused,
    findPerson: refused,
    create: refused,
    update: refused,
    deliver: (delivery) => deliver(delivery, connection, context, webhook),
    close: () => Promise.resolve(),
  };
}

/** One POST. 2xx is delivered; after a lost answer nobody knows, and the same bytes under the same id may be sent again. */
async function deliver(
  { id, body }: Delivery,
  connection: RecipientConnection,
  context: ConnectorContext,
  webhook: Webhook,
): Promise<void> {
  check(id, body, connection.maxBytes);
  const sent = new Date(context.clock.now());
  const headers = {
    "content-type": "application/x-ndjson",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(sent.getTime() / 1000)),
    "webhook-signature": webhook.sign(id, sent, body),
    "sluice-key-id": connection.keyId,
  };
  let answer: Answer;
  try {
    answer = await post(context, connection.url, headers, body);
  } catch (error) {
    throw networkFailure(error, { unsafe: true });
  }
  if (answer.status < 200 || answer.status > 299) throw failureOf(answer, context.clock.now());
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
}

async function post(
  context: ConnectorContext,
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<Answer> {
  const response = await context.http.fetch(url, { method: "POST", headers, body });
  // The text is of no use and could repeat the batch.
  await response.body?.cancel();
  return { status: response.status, retryAfter: response.headers.get("retry-after") };
}

function failureOf({ status, retryAfter }: Answer, now: number): SluiceError {
  if (status === 401) {
    return new SluiceError("system-refused-credential", "the recipient refused our signature (HTTP 401)", {
      status,
      hint: "compare the secret and the clock with the recipient's",
    });
  }
  if (status === 409) {
    return new SluiceError("system-rejected", "the recipient has other content under this webhook id (HTTP 409)", {
      status,
    });
  }
  if (status === 404 || status === 410) {
    return new SluiceError("system-rejected", `the recipient no longer takes deliveries here (HTTP ${status})`, {
      status,
      hint: "ask the recipient for the new address, or switch the channel off",
    });
  }
  return httpFailure({ status, unsafe: true, retryAfter, now });
}

/** The id is part of the signed text and a header: no dot, no space. */
function check(id: string, body: string, maxBytes: number): void {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(id)) throw new SluiceError("input-malformed", "that is not a webhook id");
  if (Buffer.byteLength(body) <= maxBytes) return;
  throw new SluiceError("input-too-large", `the batch is larger than the ${maxBytes} bytes that the recipient takes`, {
    hint: "lower the channel's batchSize",
  });
}

function refused(): Promise<never> {
  return Promise.reject(
    new SluiceError("input-unknown-type", "a recipient only takes deliveries; it holds no records"),
  );
}

function parse(connection: unknown): RecipientConnection {
  const parsed = connectionSchema.safeParse(connection);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => issue.path.join(".") || "connection");
  throw new SluiceError("config-invalid", `the recipient's connection is not valid: ${fields.join(", ")}`, {
    hint: parsed.error.issues[0]?.message ?? "see the schema of connectors/recipient",
    elements: fields,
  });
}

export default recipient;
