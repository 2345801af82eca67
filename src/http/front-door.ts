// The address that a process listens on: taken first, so that a wrong one is refused before any system is called; answers
// 503 until there is a gateway behind it. Other addresses than loopback need TLS, here or in a proxy in front: a notice's
// signature is no secret, but what it says must not cross a network in clear (45 CFR 164.312(e)(1)).
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { SluiceError } from "../core/errors.ts";

export interface FrontDoorOptions {
  /** `host:port`; port 0 = any. */
  readonly where: string;
  readonly trustProxy?: boolean;
  /** PEM texts. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface FrontDoor {
  /** `http://host:port`, or `https:`. */
  readonly address: string;
  /** Lets requests through to the app. */
  open(app: RequestListener): void;
  /** Answers 503 again. */
  shut(): void;
  close(): Promise<void>;
}

/** Throws `usage-wrong`. */
export async function openFrontDoor(options: FrontDoorOptions): Promise<FrontDoor> {
  const nobody: RequestListener = (_request, response) => {
    response.writeHead(503, { "retry-after": "1" }).end();
  };
  let handle = nobody;
  const { host, port } = placeOf(options);
  const server = makeServer(options, (request, response) => {
    handle(request, response);
  });
  await listen(server, host, port, options.where);
  const bound = server.address() as AddressInfo;
  const name = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return {
    address: `${options.tls ? "https" : "http"}://${name}:${bound.port}`,
    open(app) {
      handle = app;
    },
    shut() {
      handle = nobody;
    },
    close: () => closeServer(server),
  };
}

function makeServer({ tls }: FrontDoorOptions, handle: RequestListener): Server {
  if (!tls) return createServer(handle);
  try {
    return createTlsServer({ cert: tls.certificate, key: tls.key }, handle);
  } catch {
    throw new SluiceError("config-invalid", "the TLS certificate and key of sluice.yaml cannot be used", {
      hint: "http.tls wants two PEM files that belong together: the certificate chain and its private key",
    });
  }
}

function placeOf({ where, trustProxy, tls }: FrontDoorOptions): { readonly host: string; readonly port: number } {
  const colon = where.lastIndexOf(":");
  const host = where.slice(0, colon);
  const port = Number(where.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new SluiceError("usage-wrong", `--listen ${where} is no address`, {
      hint: "give host:port, for example 127.0.0.1:8380",
    });
  }
  const loopback = /^(127\.\d+\.\d+\.\d+|localhost|::1|\[::1\])$/.test(host);
  if (!loopback && !tls && trustProxy !== true) {
    throw new SluiceError("usage-wrong", `--listen ${where} is not a loopback address`, {
      hint: "put a reverse proxy with TLS in front and set http.trustProxy in sluice.yaml, or give http.tls a certificate",
    });
  }
  return { host: host.replaceAll(/[[\]]/g, ""), port };
}

function listen(server: Server, host: string, port: number, where: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const text =
        error.code === "EADDRINUSE"
          ? `another program uses ${where}`
          : `cannot listen on ${where} (${error.code ?? "no code"})`;
      reject(new SluiceError("usage-wrong", text, { hint: "choose another port with --listen" }));
    });
    server.listen(port, host, resolve);
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeIdleConnections();
  });
}
