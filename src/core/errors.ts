// The one error class. Its code is from a closed list, its text carries no PHI, and its retry class decides what becomes
// of a queued exchange: `transient` is tried again, `ambiguous` is settled by reading back, `permanent` needs a person.

export type RetryClass = "transient" | "ambiguous" | "permanent";

const codes = {
  // configuration and use
  "config-invalid": "permanent",
  "usage-wrong": "permanent",
  "key-missing": "permanent",
  "data-locked": "permanent",
  "data-moved": "permanent",
  "data-foreign": "permanent",
  "identity-mismatch": "permanent",
  "environment-mismatch": "permanent",
  // input
  "input-malformed": "permanent",
  "input-too-large": "permanent",
  "input-unknown-type": "permanent",
  "signature-invalid": "permanent",
  // systems
  "system-unreachable": "transient",
  "system-timeout": "ambiguous",
  "system-throttled": "transient",
  "system-busy": "transient",
  "system-refused-credential": "transient",
  "system-session-ended": "transient",
  "system-paused": "transient",
  "system-answer-malformed": "transient",
  "system-answer-unknown": "ambiguous",
  "system-forbidden": "permanent",
  "system-rejected": "permanent",
  "system-conflict": "transient",
  "record-not-found": "permanent",
  "record-ambiguous": "permanent",
  "host-not-allowed": "permanent",
  "answer-too-large": "permanent",
  // exchanges
  "not-sent": "transient",
  "lane-lost": "transient",
  "mapping-refused": "permanent",
  "resource-withheld": "permanent",
  // stores
  "store-unavailable": "transient",
  "store-full": "transient",
  "queue-unavailable": "transient",
  "store-newer": "permanent",
  "facts-stale": "transient",
  "audit-broken": "permanent",
  internal: "permanent",
} as const satisfies Record<string, RetryClass>;

export type ErrorCode = keyof typeof codes;

export interface ErrorDetail {
  /** What to do about it, for the person who reads the message. */
  readonly hint?: string;
  /** Where in the configuration: `file:line`. */
  readonly where?: string;
  /** HTTP status of a system's answer. */
  readonly status?: number;
  /** A system's own error code, for example `FIELD_CUSTOM_VALIDATION_EXCEPTION`. Never its message. */
  readonly vendorCode?: string;
  /** Names of the elements or fields concerned; never values. */
  readonly elements?: readonly string[];
  /** Wait at least so many milliseconds before the next try (a system's Retry-After). */
  readonly retryAfter?: number;
  /** Overrides the code's own retry class. */
  readonly retry?: RetryClass;
}

export class SluiceError extends Error {
  override readonly name = "SluiceError";
  readonly code: ErrorCode;
  readonly retry: RetryClass;
  readonly detail: ErrorDetail;

  /** @param message Plain words for an entitled person. Must not contain PHI. */
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message);
    this.code = code;
    this.retry = detail.retry ?? codes[code];
    this.detail = detail;
  }
}

/** Any thrown value as a SluiceError. The text of a foreign error may carry PHI, so only its class name survives. */
export function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  return new SluiceError("internal", `unexpected ${kind}`, { retry: "transient" });
}
