// Salesforce's answers other than success as SluiceErrors. Only the error code and the names of fields are kept; its
// messages may quote what was sent, and are dropped here.
import { httpFailure, retryAfterMs } from "../../src/connector/failures.ts";
import { SluiceError, type ErrorCode, type ErrorDetail, type RetryClass } from "../../src/core/errors.ts";
import { isJsonObject, parseJson } from "../../src/core/json.ts";
import { fieldNamePattern } from "./soql.ts";
import { isExhausted, parseLimitInfo } from "./usage.ts";

export interface VendorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Known {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
  readonly retry?: RetryClass;
}

const rejected = (text: string, hint: string): Known => ({ code: "system-rejected", text, hint });
const busy = (text: string): Known => ({ code: "system-busy", text, retry: "transient" });

/** REST API Developer Guide, "Status Codes and Error Responses"; Object Reference, "StatusCode". */
const known: Readonly<Record<string, Known>> = {
  INVALID_SESSION_ID: { code: "system-session-ended", text: "the access token has ended; a new one is needed" },
  UNABLE_TO_LOCK_ROW: busy("another transaction holds the record"),
  SERVER_UNAVAILABLE: busy("the org is not available"),
  REQUIRED_FIELD_MISSING: rejected("a required field is empty", "map the field, or make it optional in the org"),
  FIELD_CUSTOM_VALIDATION_EXCEPTION: rejected(
    "a validation rule refuses the record",
    "exempt the integration user from the rule, or map the fields that it wants",
  ),
  DUPLICATES_DETECTED: rejected(
    "a duplicate rule refuses the record",
    "link the existing record, or let the duplicate rule allow the integration user",
  ),
  DUPLICATE_VALUE: rejected("a unique field already has this value", "find the record that has it and link it"),
  INVALID_FIELD: rejected(
    "a field does not exist or the integration user may not see it",
    "create the field or give the integration user's permission set access to it",
  ),
  INVALID_FIELD_FOR_INSERT_UPDATE: rejected(
    "a field may not be written",
    "give the integration user write access, or map the field in one direction",
  ),
  INVALID_TYPE: rejected(
    "an object does not exist or may not be seen",
    "give the integration user access to the object",
  ),
  MALFORMED_ID: rejected("a record id is not valid", "check the mapping's references"),
  MALFORMED_QUERY: rejected("the query is not valid", "check the mapping's field names"),
  STRING_TOO_LONG: rejected("a value is longer than its field", "make the field longer or do not map it"),
  JSON_PARSER_ERROR: rejected("a value has the wrong type for its field", "check the mapping's codec for the field"),
  INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: rejected(
    "a value is not in a restricted picklist",
    "add the value to the picklist, or map it to one that is there",
  ),
  FIELD_INTEGRITY_EXCEPTION: rejected("fields contradict each other", "check the mapping of the fields named"),
  FIELD_FILTER_VALIDATION_EXCEPTION: rejected("a lookup filter refuses a reference", "adapt the lookup filter"),
  INVALID_CROSS_REFERENCE_KEY: rejected("a referenced record does not exist", "link the referenced record first"),
  CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: rejected(
    "automation in the org failed on the record",
    "ask the Salesforce administrator to look at the object's triggers and flows",
  ),
  INSUFFICIENT_ACCESS_OR_READONLY: {
    code: "system-forbidden",
    text: "the integration user may not write this record",
    hint: "check the permission set and sharing of the integration user",
  },
  INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY: {
    code: "system-forbidden",
    text: "the integration user may not see a referenced record",
    hint: "check the sharing of the referenced record",
  },
  NOT_FOUND: { code: "record-not-found", text: "no such record" },
  ENTITY_IS_DELETED: { code: "record-not-found", text: "the record has been deleted" },
  MULTIPLE_CHOICES: {
    code: "record-ambiguous",
    text: "several records carry this link id",
    hint: "make the link field unique in the org and remove the link id from the wrong record",
  },
};

/** Daily allowance used up: a long wait. Otherwise the limit was that of long-running calls: a short one. */
const exhaustedWaitMs = 15 * 60_000;
const crowdedWaitMs = 30_000;

/** Any answer that is no success. `now`: wall time, for a Retry-After that is a date. */
export function salesforceFailure(
  answer: VendorAnswer,
  request: { readonly unsafe: boolean; readonly now: number },
): SluiceError {
  const { vendorCode, elements } = readErrors(answer);
  if (answer.status === 412) return httpFailure({ status: 412, unsafe: request.unsafe, vendorCode, now: request.now });
  const detail: ErrorDetail = {
    status: answer.status,
    ...(vendorCode === undefined ? {} : { vendorCode }),
    ...(elements.length === 0 ? {} : { elements }),
  };
  if (vendorCode === "REQUEST_LIMIT_EXCEEDED") return throttled(answer, detail, request.now);
  const entry = vendorCode !== undefined && Object.hasOwn(known, vendorCode) ? known[vendorCode] : undefined;
  if (!entry) {
    const retryAfter = answer.headers["retry-after"];
    return httpFailure({ status: answer.status, unsafe: request.unsafe, retryAfter, vendorCode, now: request.now });
  }
  return new SluiceError(entry.code, `${entry.text} (HTTP ${answer.status}, ${vendorCode})`, {
    ...detail,
    ...(entry.hint === undefined ? {} : { hint: entry.hint }),
    ...(entry.retry === undefined ? {} : { retry: entry.retry }),
  });
}

function throttled(answer: VendorAnswer, detail: ErrorDetail, now: number): SluiceError {
  const usage = parseLimitInfo(answer.headers["sforce-limit-info"]);
  const own = usage && !isExhausted(usage) ? crowdedWaitMs : exhaustedWaitMs;
  return new SluiceError("system-throttled", "the org's API request limit is reached", {
    ...detail,
    retryAfter: retryAfterMs(answer.headers["retry-after"], now) ?? own,
    hint: "raise the org's API limit, or poll less often",
  });
}

/** A 300 lists record addresses instead of errors. Of several errors the first names the cause, all name their fields. */
function readErrors(answer: VendorAnswer): {
  readonly vendorCode: string | undefined;
  readonly elements: readonly string[];
} {
  if (answer.status === 300) return { vendorCode: "MULTIPLE_CHOICES", elements: [] };
  const entries = errorEntries(answer.body);
  const codes = entries.map((entry) => entry["errorCode"]).filter((code) => typeof code === "string");
  const fields = entries.flatMap((entry) =>
    Array.isArray(entry["fields"]) ? (entry["fields"] as readonly unknown[]) : [],
  );
  const names = fields.filter((field) => typeof field === "string" && fieldNamePattern.test(field)) as string[];
  return { vendorCode: codes.find((code) => /^[A-Z][A-Z0-9_]{1,79}$/.test(code)), elements: [...new Set(names)] };
}

function errorEntries(body: string): readonly { readonly [name: string]: unknown }[] {
  try {
    const parsed = parseJson(body, 1024 * 1024);
    return (Array.isArray(parsed) ? (parsed as readonly unknown[]) : [parsed]).filter(isJsonObject);
  } catch {
    return [];
  }
}
