// Who may read `/metrics`. There is no PHI in it, but it tells how a practice works: with a token configured whoever shows
// it, else a reader on this machine. To everybody else the path does not exist.
import { timingSafeEqual } from "node:crypto";
import type { Request, RequestHandler } from "express";
import { SluiceError } from "../../core/errors.ts";
import { sha256 } from "../../core/ids.ts";
import type { Metrics } from "./metrics.ts";

const shortestToken = 16;

export interface Readers {
  readonly metricsToken?: string;
  readonly trustProxy?: boolean;
}

/** Throws `config-invalid` for a token that could be guessed. */
export function metricsRoute(metrics: Metrics, { metricsToken: token, trustProxy }: Readers): RequestHandler {
  if (token !== undefined && token.length < shortestToken) {
    throw new SluiceError("config-invalid", `the metrics token has fewer than ${shortestToken} characters`, {
      hint: "make one with `openssl rand -hex 32`",
    });
  }
  return async (request, response, next) => {
    const mayRead = token === undefined ? trustProxy !== true && isLocal(request) : showsToken(request, token);
    if (!mayRead) {
      next();
      return;
    }
    response
      .set("cache-control", "no-store")
      .set("content-type", metrics.contentType)
      .send(await metrics.text());
  };
}

function showsToken(request: Request, token: string): boolean {
  const [, shown] = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? "") ?? [];
  return shown !== undefined && timingSafeEqual(Buffer.from(sha256(shown)), Buffer.from(sha256(token)));
}

/** From this machine, and not handed on by a proxy for somebody else. */
function isLocal(request: Request): boolean {
  const { "x-forwarded-for": forwardedFor, forwarded, via, "x-real-ip": realIp } = request.headers;
  if (forwardedFor ?? forwarded ?? via ?? realIp) return false;
  return /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/.test(request.socket.remoteAddress ?? "");
}
