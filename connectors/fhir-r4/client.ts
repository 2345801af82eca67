// The one way in which this connector talks FHIR: fhir-kit-client over the guarded dispatcher, with a bearer token, a
// deadline, and its errors (their texts hold URLs with search terms) turned into answers or dropped.
import { Client } from "fhir-kit-client";
import { install } from "undici";
import { SluiceError } from "../../src/core/errors.ts";
import type { ConnectorContext } from "../../src/connector/contract.ts";
import { networkFailure } from "../../src/connector/failures.ts";
import { baseOf, type FhirConnection } from "./connection.ts";
import { TokenSource } from "./token.ts";

// fhir-kit-client uses the global fetch; Node's own takes no dispatcher of undici 8, so undici's fetch takes its place.
install();

/** An answer of the server, whatever its status. */
export interface FhirAnswer {
  readonly status: number;
  header(name: string): string | null;
  /** Parsed JSON; text when it was not JSON; an empty object when there was none. */
  readonly body: unknown;
}

export interface CallOptions {
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
}

export type Call = (client: Client, options: CallOptions) => Promise<object> | undefined;

/** Milliseconds after the dispatcher's own time limit, which knows best whether a request was sent. */
const grace = 50;

export class FhirClient {
  readonly #client: Client;
  readonly #timeoutMs: number;
  readonly #tokens: TokenSource | undefined;

  constructor(connection: FhirConnection, context: ConnectorContext) {
    this.#client = new Client({
      baseUrl: baseOf(connection),
      requestOptions: { dispatcher: context.http.dispatcher, redirect: "error" },
    });
    this.#timeoutMs = context.system.timeoutMs;
    this.#tokens = connection.clientId === undefined ? undefined : new TokenSource(connection, context);
  }

  /** A read or search: after a 401 once more with a new token. */
  async read(headers: Record<string, string>, call: Call): Promise<FhirAnswer> {
    const first = await this.#once(headers, call, false);
    return first.status === 401 && this.#tokens ? this.#once(headers, call, false) : first;
  }

  /** A write: never repeated here, not even after a 401. */
  write(headers: Record<string, string>, call: Call): Promise<FhirAnswer> {
    return this.#once(headers, call, true);
  }

  /** Token and request under one deadline. */
  async #once(headers: Record<string, string>, call: Call, unsafe: boolean): Promise<FhirAnswer> {
    const deadline = new AbortController();
    let writing = false;
    const timer = setTimeout(() => {
      const retry = writing ? "ambiguous" : "transient";
      deadline.abort(new SluiceError("system-timeout", `no answer within ${this.#timeoutMs} ms`, { retry }));
    }, this.#timeoutMs + grace);
    try {
      const token = await this.#tokens?.get(deadline.signal);
      const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      writing = unsafe;
      const answer = await ask(this.#client, call, {
        headers: { ...headers, ...authorization },
        signal: deadline.signal,
      });
      if (answer.status === 401 && token !== undefined) this.#tokens?.drop(token);
      return answer;
    } catch (error) {
      throw networkFailure(error, { unsafe: writing });
    } finally {
      clearTimeout(timer);
    }
  }
}

async function ask(client: Client, call: Call, options: CallOptions): Promise<FhirAnswer> {
  try {
    const resource = await call(client, options);
    if (!resource) throw new Error("no request was made");
    const { response } = Client.httpFor(resource as Parameters<typeof Client.httpFor>[0]);
    if (!response) throw new Error("no answer is attached");
    return { status: response.status, header: (name) => response.headers.get(name), body: resource };
  } catch (error) {
    const answer = answerIn(error);
    if (!answer) throw error;
    return answer;
  }
}

/** fhir-kit-client throws on every answer but 2xx with JSON; `config.headers` are the answer's headers. */
function answerIn(error: unknown): FhirAnswer | undefined {
  if (!(error instanceof Error) || !("response" in error) || !("config" in error)) return undefined;
  const { response, config } = error as {
    response?: { status?: unknown; data?: unknown };
    config?: { headers?: unknown };
  };
  const headers = config?.headers;
  if (typeof response?.status !== "number" || !(headers instanceof Headers)) return undefined;
  return { status: response.status, header: (name) => headers.get(name), body: response.data };
}
