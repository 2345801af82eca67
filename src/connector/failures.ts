// What a failed request means for the exchange: errors of the network and HTTP statuses as SluiceErrors. For a write the
// question is always the same: was it certainly not applied (transient), or can nobody know (ambiguous)?
import { SluiceError } from "../core/errors.ts";

/** Connection errors after which the request certainly never reached the system. */
const neverSent: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
]);

/** The SluiceError inside an error's chain of causes, if there is one. */
export function innerSluiceError(error: unknown): SluiceError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at instanceof SluiceError) return at;
  }
  return undefined;
}

/** Any error thrown by a client library for want of an HTTP answer. Texts of foreign errors are dropped: they may hold PHI. */
export function networkFailure(error: unknown, request: { readonly unsafe: boolean }): SluiceError {
  const own = innerSluiceError(error);
  if (own) return own;
  const code = systemCode(error);
  if (code !== undefined && neverSent.has(code)) {
    return new SluiceError("system-unreachable", `the system cannot be reached (${code})`, {
      hint: "check the address, the network and the system's status page",
    });
  }
  if (request.unsafe) {
    return new SluiceError("system-answer-unknown", `the connection ended before the answer (${code ?? "no code"})`);
  }
  return new SluiceError("system-unreachable", `the system did not answer (${code ?? "no code"})`);
}

function systemCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z][A-Z0-9_]+$/.test(at.code)) return at.code;
  }
  return undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly unsafe: boolean;
  /** Raw `Retry-After` header. */
  readonly retryAfter?: string | null | undefined;
  /** The vendor's own code, never its message. */
  readonly vendorCode?: string | undefined;
  /** Wall time now, for a Retry-After that is a date. */
  readonly now: number;
}

/** An HTTP status other than success. */
export function httpFailure(answer: HttpAnswer): SluiceError {
  const { status } = answer;
  const wait = retryAfterMs(answer.retryAfter, answer.now);
  const detail = {
    status,
    ...(answer.vendorCode === undefined ? {} : { vendorCode: answer.vendorCode }),
    ...(wait === undefined ? {} : { retryAfter: wait }),
  };
  const words = answer.vendorCode === undefined ? `HTTP ${status}` : `HTTP ${status}, ${answer.vendorCode}`;
  // A token that ended in mid-session is no refusal yet: the next run asks for a new one, and that may be refused.
  if (status === 401) return new SluiceError("system-session-ended", `the access token has ended (${words})`, detail);
  if (status === 403) return new SluiceError("system-forbidden", `the system forbids this request (${words})`, detail);
  if (status === 404 || status === 410) return new SluiceError("record-not-found", `no such record (${words})`, detail);
  if (status === 409 || status === 412) {
    return new SluiceError("system-conflict", `the record has changed meanwhile (${words})`, detail);
  }
  if (status === 429) return new SluiceError("system-throttled", `the system asks us to slow down (${words})`, detail);
  if (status === 503) return new SluiceError("system-busy", `the system is not available (${words})`, detail);
  if (status >= 500 || status === 408) {
    const retry = answer.unsafe ? "ambiguous" : "transient";
    return new SluiceError("system-busy", `the system failed (${words})`, { ...detail, retry });
  }
  return new SluiceError("system-rejected", `the system rejected the request (${words})`, detail);
}

/** Retry-After in milliseconds (RFC 9110 section 10.2.3: seconds or a date); undefined when absent or unreadable. */
export function retryAfterMs(header: string | null | undefined, now: number): number | undefined {
  if (!header) return undefined;
  if (/^\d{1,7}$/.test(header.trim())) return Number(header.trim()) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
