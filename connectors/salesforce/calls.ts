// One REST call through the vendor's client over Sluice's own dispatcher. The client's own transport is not used: it
// retries, follows redirects, takes proxies from the environment, and its dispatcher is one for the whole process, so that
// two systems would share an allow-list. A transport of its own for each call also keeps the status, which the client drops.
import type { HttpRequest, HttpResponse } from "@jsforce/jsforce-node";
import { StreamPromise } from "@jsforce/jsforce-node/lib/util/promise.js";
import { PassThrough } from "node:stream";
import type { ConnectorContext } from "../../src/connector/contract.ts";
import { networkFailure } from "../../src/connector/failures.ts";
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import { salesforceFailure, type VendorAnswer } from "./errors.ts";
import type { Session, Sessions } from "./sessions.ts";
import { parseLimitInfo, type ApiUsage } from "./usage.ts";

export interface Call {
  readonly method: "GET" | "PATCH";
  /** Below `/services/data/vNN.0`, ready for the wire. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
}

export interface CallAnswer {
  readonly status: number;
  /** Undefined for 204. */
  readonly body: JsonObject | undefined;
  /** The source's clock, milliseconds, from `Date`. */
  readonly at: number | undefined;
}

export class Calls {
  readonly #context: ConnectorContext;
  readonly #sessions: Sessions;
  #usage: ApiUsage | undefined;

  constructor(context: ConnectorContext, sessions: Sessions) {
    this.#context = context;
    this.#sessions = sessions;
  }

  /** As of the last answer. */
  get usage(): ApiUsage | undefined {
    return this.#usage;
  }

  /** After a 401 a read is asked once more with a new token; a write is not: its exchange runs again. */
  async send(call: Call): Promise<CallAnswer> {
    const session = await this.#sessions.current();
    try {
      return await this.#exchange(session, call);
    } catch (error) {
      if (!isExpired(error)) throw error;
      this.#sessions.drop(session);
      if (call.method !== "GET") throw error;
    }
    const renewed = await this.#sessions.current();
    return this.#exchange(renewed, call).catch((error: unknown) => {
      if (isExpired(error)) this.#sessions.drop(renewed);
      throw error;
    });
  }

  async #exchange(session: Session, call: Call): Promise<CallAnswer> {
    const unsafe = call.method !== "GET";
    const transport = new FetchTransport(this.#context.http.fetch);
    let body: unknown;
    try {
      body = await session.client.request(toRequest(call), { transport });
    } catch (error) {
      if (!transport.answer) throw networkFailure(error, { unsafe });
    }
    const answer = transport.answer;
    if (!answer) throw new SluiceError("internal", "the client made no request", { retry: "transient" });
    this.#usage = parseLimitInfo(answer.headers["sforce-limit-info"]) ?? this.#usage;
    if (answer.status < 200 || answer.status > 299) {
      throw salesforceFailure(answer, { unsafe, now: this.#context.clock.now() });
    }
    return { status: answer.status, body: readBody(answer, body, unsafe), at: dateOf(answer) };
  }
}

function toRequest(call: Call): HttpRequest {
  const json = call.body === undefined ? {} : { "content-type": "application/json" };
  return {
    method: call.method,
    url: call.path,
    headers: { accept: "application/json", ...json, ...call.headers },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  };
}

/** A success without the JSON object it should have: for a write nobody knows then what was done. */
function readBody(answer: VendorAnswer, body: unknown, unsafe: boolean): JsonObject | undefined {
  if (answer.status === 204) return undefined;
  if (isJsonObject(body)) return body;
  const code = unsafe ? "system-answer-unknown" : "system-answer-malformed";
  throw new SluiceError(code, `the answer is no JSON object (HTTP ${answer.status})`, { status: answer.status });
}

function dateOf(answer: VendorAnswer): number | undefined {
  const at = Date.parse(answer.headers["date"] ?? "");
  return Number.isNaN(at) ? undefined : at;
}

function isExpired(error: unknown): boolean {
  return error instanceof SluiceError && error.detail.status === 401;
}

/** What the vendor's client calls instead of its own transport. */
class FetchTransport {
  readonly #fetch: typeof globalThis.fetch;
  answer: VendorAnswer | undefined;

  constructor(fetch: typeof globalThis.fetch) {
    this.#fetch = fetch;
  }

  httpRequest(request: HttpRequest): StreamPromise<HttpResponse> {
    return StreamPromise.create(() => ({ stream: new PassThrough(), promise: this.#send(request) }));
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    const response = await this.#fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      ...(typeof request.body === "string" ? { body: request.body } : {}),
    });
    const headers = Object.fromEntries(response.headers);
    this.answer = { status: response.status, headers, body: await response.text() };
    return { statusCode: response.status, headers, body: this.answer.body };
  }
}
