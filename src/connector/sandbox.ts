// The ground that the connectors' sandboxes share: a loopback HTTP server that can answer 503, time out, apply without
// answering, throttle and refuse a credential, whose network can be cut, and that lets a test look at each write before it
// is answered.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What goes wrong with one request. `lost-answer`: the write is applied, then the connection is cut. */
export type Fault = "unavailable" | "timeout" | "lost-answer" | "throttled" | "unauthorized";

export interface SandboxRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface SandboxAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Decides what goes wrong with a request; the request waits for the answer. */
export type DrawFault = (request: SandboxRequest) => Fault | undefined | Promise<Fault | undefined>;

/** `broken`: each connection is broken off as soon as it is made. `silent`: what is sent vanishes, nothing is answered. */
export type NetworkCut = "broken" | "silent";

export interface SandboxOptions {
  /** Asked for each request except token and metadata requests; undefined = no fault. */
  readonly fault?: DrawFault;
  /** Runs before a write is applied; a rejection answers 500 and applies nothing. Tests look up the audit entry here. */
  readonly beforeWrite?: (write: SandboxWrite) => Promise<void>;
  /** Wall clock, for stamps. */
  readonly now?: () => number;
}

export interface SandboxWrite {
  /** `X-Request-Id` of the request. */
  readonly requestId: string | undefined;
  readonly type: string;
  readonly id: string | undefined;
  readonly body: string;
}

export interface RunningServer {
  readonly origin: string;
  /** Cuts the network to it, for requests of every kind; undefined mends it. What was under way is lost unanswered. */
  cutNetwork(how: NetworkCut | undefined): void;
  close(): Promise<void>;
}

const maxBody = 32 * 1024 * 1024;

/** Starts a server on a free loopback port, or on `port`. `cut` ends the connection without an answer, `hang` never answers. */
export async function startLoopback(
  answer: (request: SandboxRequest) => Promise<SandboxAnswer | "cut" | "hang">,
  port = 0,
): Promise<RunningServer> {
  let cut: NetworkCut | undefined;
  const server = createServer((request, response) => {
    if (cut === undefined) void serve(request, response, answer);
  });
  server.on("connection", (socket) => {
    if (cut === "broken") socket.destroy();
  });
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${actual}`,
    cutNetwork: (how) => {
      cut = how;
      // Also when it is mended: nobody waits on a connection that has swallowed a request.
      server.closeAllConnections();
    },
    close: () => closeServer(server),
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: SandboxRequest) => Promise<SandboxAnswer | "cut" | "hang">,
): Promise<void> {
  try {
    const body = await readBody(request);
    const url = new URL(request.url ?? "/", "http://sandbox");
    const result = await answer({ method: request.method ?? "GET", url, headers: request.headers, body });
    if (result === "hang") return;
    if (result === "cut") {
      request.socket.destroy();
      return;
    }
    response.writeHead(result.status, { ...result.headers });
    response.end(result.body);
  } catch {
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBody) throw new Error("body too large");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
