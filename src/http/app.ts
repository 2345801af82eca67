// The HTTP surface of this profile: signed notices in, public keys, health. Every answer is JSON; an error says what to do
// to a caller who proved who it is, and nothing to anybody else.
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from "express";
import helmet from "helmet";
import { asSluiceError, SluiceError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Gateway } from "../exchange/gateway.ts";
import { maxNotice, takeNotice } from "../exchange/intake.ts";
import type { Refusals } from "../exchange/refusals.ts";
import { publicJwks } from "./jwks.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { metricsRoute } from "./metrics/route.ts";
import { readiness } from "./readiness.ts";

export interface AppOptions {
  readonly gateway: Gateway;
  readonly refusals: Refusals;
  /** False while another configuration is current. */
  readonly takesNewWork: () => boolean;
  /** Workers take none: absent = true. */
  readonly takesNotices?: boolean;
  readonly metrics?: Metrics;
  /** Who shows it may read `/metrics` from anywhere; absent: only this machine may, and behind a proxy nobody. */
  readonly metricsToken?: string;
  readonly trustProxy?: boolean;
}

export function createApp(options: AppOptions): Express {
  const { gateway, refusals } = options;
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use(helmet());
  app.get("/healthz", (_request, response) => {
    response.json({ status: "ok" });
  });
  app.get("/readyz", async (_request, response) => {
    const { ready, checks } = await readiness(gateway, options.takesNewWork());
    response.status(ready ? 200 : 503).json({ status: ready ? "ready" : "not ready", checks });
  });
  if (options.metrics) app.get("/metrics", metricsRoute(options.metrics, options));
  app.get("/.well-known/jwks.json", (_request, response) => {
    response.set("cache-control", "public, max-age=300").json(publicJwks(gateway.keys));
  });
  if (options.takesNotices !== false)
    app.post(
      "/webhooks/:system",
      express.text({ type: () => true, limit: maxNotice * 4 }),
      async (request, response) => {
        await receiveNotice(gateway, request, response);
      },
    );
  app.use((_request, response) => {
    response.status(404).json({ error: "not-found" });
  });
  app.use(errorHandler(gateway, refusals));
  return app;
}

async function receiveNotice(gateway: Gateway, request: Request, response: Response): Promise<void> {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(" ") : value]),
  );
  const body: unknown = request.body;
  const { system } = request.params;
  const channels = await takeNotice(gateway, {
    system: typeof system === "string" ? system : "",
    headers,
    body: typeof body === "string" ? body : "",
  });
  response.status(202).json({ accepted: channels });
}

const statuses: Partial<Record<SluiceError["code"], number>> = {
  "input-too-large": 413,
  "input-malformed": 400,
  "input-unknown-type": 422,
  "signature-invalid": 401,
  "store-unavailable": 503,
  "store-full": 503,
};

function errorHandler(gateway: Gateway, refusals: Refusals): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const known = fromParser(error) ?? asSluiceError(error);
    const id = newId(gateway.random);
    const status = statuses[known.code] ?? 500;
    if (status === 401) refusals.count(`webhook:${known.code}`);
    else if (status >= 500) gateway.log.error({ id, code: known.code, error }, "request failed");
    if (status === 503) response.set("retry-after", "5");
    const { hint } = known.detail;
    const words =
      status === 401 ? { error: known.code } : { error: known.code, message: known.message, ...(hint && { hint }) };
    response.status(status).json({ ...words, id });
  };
}

/** Errors of express's own parsers carry what was sent; only their kind is kept. */
function fromParser(error: unknown): SluiceError | undefined {
  if (error instanceof URIError) return new SluiceError("input-malformed", "the path cannot be decoded");
  if (!(error instanceof Error) || error instanceof SluiceError || !("type" in error)) return undefined;
  if (error.type === "entity.too.large") return new SluiceError("input-too-large", "the body is too large");
  return new SluiceError("input-malformed", "the body cannot be read", {
    hint: "send UTF-8 text, not compressed twice",
  });
}
