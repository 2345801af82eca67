// The one outbound HTTP dispatcher: origins from an allow-list, sizes and times bounded, no redirect followed, each request
// admitted by the system's governor, and the guard of the running exchange asked in the instant in which it is put on its
// connection.
import { Agent, fetch as undiciFetch, type Dispatcher } from "undici";
import { SluiceError } from "../core/errors.ts";
import type { Admission, Outcome, Place, Turn } from "./admission.ts";
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
  /** Asked before each request; absent: every request is made at once. */
  readonly admission?: Admission;
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
    const own = guard ? { ...request, headers: withRequestId(request.headers, guard.requestId) } : request;
    const leave = options.admission?.admit({ channel: guard?.channel ?? "", background: guard?.background ?? false });
    const watched = new WatchedHandler(handler, guard, unsafe, options);
    if (!leave || "check" in leave) {
      return watched.begin(leave, () => dispatch(own, watched));
    }
    void watched.awaitTurn(leave, () => dispatch(own, watched));
    return true;
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

/** Stands between undici and the caller's handler: asks the guard at the start, counts bytes, keeps the time. Exactly one
 * of its ways ends the request, and gives its place back. */
class WatchedHandler implements Dispatcher.DispatchHandler {
  readonly #inner: Dispatcher.DispatchHandler;
  readonly #guard: RequestGuard | undefined;
  readonly #unsafe: boolean;
  readonly #options: OutboundOptions;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #place: Place | undefined;
  #answer: Extract<Outcome, { readonly kind: "answered" }> | undefined;
  #refused = false;
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

  /** Makes the request under a leave that is there already. */
  begin<T>(place: Place | undefined, start: () => T): T {
    this.#place = place;
    try {
      return start();
    } catch (error) {
      this.#refused = true;
      this.#end();
      throw error;
    }
  }

  /** Waits for at most half of the request's time, so that one half is left for the answer; then `start` makes it. */
  async awaitTurn(turn: Turn, start: () => unknown): Promise<void> {
    const patience = setTimeout(() => {
      this.#fail(turn.giveUp());
    }, this.#options.timeoutMs / 2);
    patience.unref();
    try {
      const place = await turn.place;
      if (this.#over) {
        place.done({ kind: "unused" });
        return;
      }
      this.#place = place;
      start();
    } catch (error) {
      this.#refused = true;
      this.#fail(error instanceof Error ? error : notMade());
    } finally {
      clearTimeout(patience);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: object): void {
    this.#controller = controller;
    if (this.#over) {
      controller.abort(notMade());
      return;
    }
    try {
      this.#place?.check();
      this.#guard?.check({ unsafe: this.#unsafe, timeoutMs: this.#options.timeoutMs });
    } catch (error) {
      this.#refused = true;
      controller.abort(error instanceof Error ? error : notMade());
      return;
    }
    // A caller that has given up meanwhile aborts in this very call.
    this.#refused = true;
    this.#inner.onRequestStart?.(controller, context);
    this.#refused = controller.aborted;
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>): void {
    const [, status, headers] = args;
    const retryAfter = headers["retry-after"];
    this.#answer = { kind: "answered", status, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter };
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
    // Still waiting for a connection: the caller is told now, and onRequestStart refuses the request when its turn comes.
    this.#fail(error);
  }

  /** Ends a request that has not been put on a connection. */
  #fail(error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#inner.onResponseError?.(deadController, error);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#place?.done(this.#answer ?? { kind: this.#refused ? "unused" : "failed" });
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
