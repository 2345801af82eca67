// The one outbound HTTP dispatcher: origins from an allow-list, sizes and times bounded, no redirect followed, and the
// guard of the running exchange asked in the instant in which a request is put on its connection.
import { Agent, fetch as undiciFetch, type Dispatcher } from "undici";
import { SluiceError } from "../core/errors.ts";
import { currentGuard, isTokenRequest, type RequestGuard } from "./guard.ts";

export interface Outbound {
  /** For client libraries that take an undici Dispatcher (jsforce's `setDispatcher`) or a fetch option. */
  readonly dispatcher: Dispatcher;
  /** A fetch bound to the dispatcher; answers a redirect as an error. */
  readonly fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

export interface OutboundOptions {
  readonly origins: readonly string[];
  /** Whole time of a request, waiting for a free connection included; milliseconds. */
  readonly timeoutMs: number;
  /** Connections per origin: at most so many requests at once. */
  readonly concurrency: number;
  /** Largest answer body, bytes. */
  readonly maxBytes: number;
}

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export function openOutbound(options: OutboundOptions): Outbound {
  const allowed = new Set(options.origins.map((origin) => new URL(origin).origin));
  const agent = new Agent({
    connections: options.concurrency,
    pipelining: 1,
    headersTimeout: options.timeoutMs,
    bodyTimeout: options.timeoutMs,
    connect: { timeout: options.timeoutMs },
  });
  const dispatcher = agent.compose((dispatch) => (request, handler) => {
    const origin = new URL(String(request.origin)).origin;
    if (!allowed.has(origin)) {
      throw new SluiceError("host-not-allowed", `requests to ${origin} are not allowed`, {
        hint: "only the addresses in this system's connection may be called",
      });
    }
    const unsafe = !safeMethods.has(request.method) && !isTokenRequest();
    const guard = currentGuard();
    const watched = new WatchedHandler(handler, guard, unsafe, options);
    return dispatch(
      guard ? { ...request, headers: withRequestId(request.headers, guard.requestId) } : request,
      watched,
    );
  });
  // undici's fetch is what Node's own fetch is made from; only their declared types differ.
  const fetch = ((input: Parameters<typeof undiciFetch>[0], init?: Parameters<typeof undiciFetch>[1]) =>
    undiciFetch(input, { redirect: "error", ...init, dispatcher })) as unknown as typeof globalThis.fetch;
  return { dispatcher, fetch, close: () => agent.destroy() };
}

type Headers = NonNullable<Dispatcher.DispatchOptions["headers"]>;

function withRequestId(headers: Dispatcher.DispatchOptions["headers"], id: string): Headers {
  if (Array.isArray(headers)) return [...headers, "x-request-id", id];
  if (headers && Symbol.iterator in headers) return { ...Object.fromEntries(headers), "x-request-id": id };
  return { ...headers, "x-request-id": id };
}

/** Stands between undici and the caller's handler: asks the guard at the start, counts bytes, keeps the time. */
class WatchedHandler implements Dispatcher.DispatchHandler {
  readonly #inner: Dispatcher.DispatchHandler;
  readonly #guard: RequestGuard | undefined;
  readonly #unsafe: boolean;
  readonly #options: OutboundOptions;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #bytes = 0;
  #over = false;

  constructor(
    inner: Dispatcher.DispatchHandler,
    guard: RequestGuard | undefined,
    unsafe: boolean,
    options: OutboundOptions,
  ) {
    this.#inner = inner;
    this.#guard = guard;
    this.#unsafe = unsafe;
    this.#options = options;
    this.#timer = setTimeout(() => {
      this.#expire();
    }, options.timeoutMs);
    this.#timer.unref();
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: object): void {
    this.#controller = controller;
    if (this.#over) {
      controller.abort(notMade());
      return;
    }
    try {
      this.#guard?.check({ unsafe: this.#unsafe, timeoutMs: this.#options.timeoutMs });
    } catch (error) {
      controller.abort(error instanceof Error ? error : notMade());
      return;
    }
    this.#inner.onRequestStart?.(controller, context);
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>): void {
    this.#inner.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.maxBytes) {
      controller.abort(
        new SluiceError("answer-too-large", `the answer is larger than ${this.#options.maxBytes} bytes`, {
          hint: "ask for smaller pages",
          ...(this.#unsafe ? { retry: "ambiguous" as const } : {}),
        }),
      );
      return;
    }
    this.#inner.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseEnd"]>>): void {
    this.#end();
    this.#inner.onResponseEnd?.(...args);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#inner.onResponseError?.(controller, error);
  }

  #expire(): void {
    if (this.#over) return;
    const error = new SluiceError("system-timeout", `no answer within ${this.#options.timeoutMs} ms`, {
      retry: this.#unsafe && this.#controller ? "ambiguous" : "transient",
    });
    if (this.#controller) {
      this.#controller.abort(error);
      return;
    }
    this.#end();
    // Still waiting for a connection: the caller is told now, and onRequestStart refuses the request when its turn comes.
    this.#inner.onResponseError?.(deadController, error);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}

function notMade(): SluiceError {
  return new SluiceError("not-sent", "the request was given up before it was made");
}

const deadController: Dispatcher.DispatchController = {
  aborted: true,
  paused: false,
  reason: null,
  rawHeaders: null,
  rawTrailers: null,
  abort() {
    // nothing was started
  },
  pause() {
    // nothing was started
  },
  resume() {
    // nothing was started
  },
};
