// A sandbox marketing sink on loopback: takes NDJSON batches signed by Standard Webhooks, stores each webhook id once, and
// can fail in every way that a gateway must survive.
import { timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { systemClock } from "../../../src/core/clock.ts";
import { isJsonObject, parseJson, type JsonObject } from "../../../src/core/json.ts";
import {
  startLoopback,
  type DrawFault,
  type RunningServer,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
} from "../../../src/connector/sandbox.ts";

export interface RecipientSandboxOptions extends SandboxOptions {
  readonly secret: string;
  /** A free port when absent. */
  readonly port?: number;
}

export interface Received {
  /** Webhook id. */
  readonly id: string;
  readonly lines: readonly JsonObject[];
}

export interface RecipientSandbox extends RunningServer {
  /** Address to deliver to. */
  readonly url: string;
  /** In the order of arrival, each webhook id once. */
  readonly received: readonly Received[];
  /** `stored` batches, `repeated` the same batch again, `refused` wrong signatures. */
  readonly counts: {
    readonly requests: number;
    readonly stored: number;
    readonly repeated: number;
    readonly refused: number;
  };
  setFault(fault: DrawFault | undefined): void;
}

const path = "/deliveries";
/** Standard Webhooks: older or newer timestamps are refused. */
const toleranceSeconds = 300;

export async function startRecipientSandbox(options: RecipientSandboxOptions): Promise<RecipientSandbox> {
  const now = options.now ?? (() => systemClock.now());
  const webhook = new Webhook(options.secret);
  const counts = { requests: 0, stored: 0, repeated: 0, refused: 0 };
  const received: Received[] = [];
  const bodies = new Map<string, string>();
  let fault = options.fault;

  const take = async (request: SandboxRequest): Promise<SandboxAnswer> => {
    if (request.method !== "POST" || request.url.pathname !== path) return { status: 404 };
    const id = signedId(request, webhook, now());
    if (id === undefined) {
      counts.refused += 1;
      return { status: 401 };
    }
    const lines = linesOf(request.body);
    if (!lines || request.headers["content-type"] !== "application/x-ndjson") return { status: 400 };
    const known = (): SandboxAnswer | undefined => {
      const earlier = bodies.get(id);
      if (earlier === undefined) return undefined;
      counts.repeated += 1;
      return { status: earlier === request.body ? 200 : 409 };
    };
    const early = known();
    if (early) return early;
    const requestId = request.headers["x-request-id"];
    await options.beforeWrite?.({
      requestId: typeof requestId === "string" ? requestId : undefined,
      type: "batch",
      id,
      body: request.body,
    });
    const late = known();
    if (late) return late;
    bodies.set(id, request.body);
    received.push({ id, lines });
    counts.stored += 1;
    return { status: 204 };
  };

  const server = await startLoopback(async (request) => {
    counts.requests += 1;
    const failing = await fault?.(request);
    if (failing === "timeout") return "hang";
    if (failing === "unavailable") return { status: 503 };
    if (failing === "unauthorized") return { status: 401 };
    if (failing === "throttled") return { status: 429, headers: { "retry-after": "1" } };
    const answer = await take(request);
    return failing === "lost-answer" ? "cut" : answer;
  }, options.port);
  return { ...server, url: `${server.origin}${path}`, received, counts, setFault: (next) => (fault = next) };
}

/**
 * The webhook id when one of the signatures is right. The library's own `verify` looks at the machine's clock; here the
 * sandbox's clock decides, by the same rule.
 */
function signedId(request: SandboxRequest, webhook: Webhook, now: number): string | undefined {
  const [id, stamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(
    (name) => request.headers[name],
  );
  if (typeof id !== "string" || typeof stamp !== "string" || typeof signatures !== "string") return undefined;
  const seconds = /^\d{1,12}$/.test(stamp) ? Number(stamp) : Number.NaN;
  if (!(Math.abs(Math.floor(now / 1000) - seconds) <= toleranceSeconds)) return undefined;
  const expected = Buffer.from(webhook.sign(id, new Date(seconds * 1000), request.body));
  const right = signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return right ? id : undefined;
}

function linesOf(body: string): readonly JsonObject[] | undefined {
  try {
    const lines = body
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => parseJson(line));
    return lines.every(isJsonObject) ? lines : undefined;
  } catch {
    return undefined;
  }
}
