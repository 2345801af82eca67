// The one error class. Its code is from a closed list, its text carries no PHI, and its retry class decides what becomes
// of a queued exchange: `transient` is tried again, `ambiguous` is settled by reading back, `permanent` needs a person.

/** FHIR R4 issue types (http://hl7.org/fhir/issue-type) that Sluice uses. */
export type IssueType =
  | "invalid"
  | "structure"
  | "required"
  | "value"
  | "security"
  | "login"
  | "forbidden"
  | "suppressed"
  | "processing"
  | "not-supported"
  | "duplicate"
  | "multiple-matches"
  | "not-found"
  | "too-long"
  | "business-rule"
  | "conflict"
  | "transient"
  | "no-store"
  | "timeout"
  | "throttled"
  | "exception";

export type RetryClass = "transient" | "ambiguous" | "permanent";

const codes = {
  // configuration and use
  "config-invalid": ["invalid", "permanent"],
  "usage-wrong": ["invalid", "permanent"],
  "key-missing": ["security", "permanent"],
  "data-locked": ["transient", "permanent"],
  "identity-mismatch": ["security", "permanent"],
  "environment-mismatch": ["security", "permanent"],
  // input
  "input-malformed": ["structure", "permanent"],
  "input-too-large": ["too-long", "permanent"],
  "input-unknown-type": ["not-supported", "permanent"],
  "signature-invalid": ["security", "permanent"],
  // systems
  "system-unreachable": ["transient", "transient"],
  "system-timeout": ["timeout", "ambiguous"],
  "system-throttled": ["throttled", "transient"],
  "system-busy": ["transient", "transient"],
  "system-refused-credential": ["login", "transient"],
  "system-session-ended": ["login", "transient"],
  "system-paused": ["transient", "transient"],
  "system-answer-malformed": ["structure", "transient"],
  "system-answer-unknown": ["processing", "ambiguous"],
  "system-forbidden": ["forbidden", "permanent"],
  "system-rejected": ["processing", "permanent"],
  "system-conflict": ["conflict", "transient"],
  "record-not-found": ["not-found", "permanent"],
  "record-ambiguous": ["multiple-matches", "permanent"],
  "host-not-allowed": ["security", "permanent"],
  "answer-too-large": ["too-long", "permanent"],
  // exchanges
  "not-sent": ["transient", "transient"],
  "lane-lost": ["conflict", "transient"],
  "mapping-refused": ["business-rule", "permanent"],
  "resource-withheld": ["suppressed", "permanent"],
  // stores
  "store-unavailable": ["no-store", "transient"],
  "store-full": ["no-store", "transient"],
  "queue-unavailable": ["transient", "transient"],
  "store-newer": ["not-supported", "permanent"],
  "facts-stale": ["transient", "transient"],
  "audit-broken": ["security", "permanent"],
  internal: ["exception", "permanent"],
} as const satisfies Record<string, readonly [IssueType, RetryClass]>;

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
  readonly issue: IssueType;
  readonly retry: RetryClass;
  readonly detail: ErrorDetail;

  /** @param message Plain words for an entitled person. Must not contain PHI. */
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message);
    this.code = code;
    this.issue = codes[code][0];
    this.retry = detail.retry ?? codes[code][1];
    this.detail = detail;
  }
}

/** Any thrown value as a SluiceError. The text of a foreign error may carry PHI, so only its class name survives. */
export function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  return new SluiceError("internal", `unexpected ${kind}`, { retry: "transient" });
}
