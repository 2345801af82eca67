// What a failed FHIR request means: HTTP status plus the codes of an OperationOutcome. Its texts and diagnostics may hold
// patient data and are never taken.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import { httpFailure } from "../../src/connector/failures.ts";
import type { FhirAnswer } from "./client.ts";

/**
 * A 401 on a write may only mean that the token has ended (`system-session-ended`); a read has by then been repeated with
 * a new token, so there it is the credential that is refused.
 */
export function failureOf(answer: FhirAnswer, unsafe: boolean, now: number): SluiceError {
  const issues = issuesIn(answer.body);
  const failure = httpFailure({
    status: answer.status,
    unsafe,
    retryAfter: answer.header("retry-after"),
    vendorCode: vendorCode(issues[0]),
    now,
  });
  if (answer.status === 401 && !unsafe) {
    return new SluiceError("system-refused-credential", "the system refused our credential (HTTP 401)", failure.detail);
  }
  const elements = [...new Set(issues.flatMap(elementsOf))];
  if (elements.length === 0) return failure;
  return new SluiceError(failure.code, failure.message, { ...failure.detail, retry: failure.retry, elements });
}

/** Issues that say why the request failed, the gravest first. */
function issuesIn(body: unknown): readonly JsonObject[] {
  if (!isJsonObject(body) || body["resourceType"] !== "OperationOutcome") return [];
  const issues = Array.isArray(body["issue"]) ? (body["issue"] as readonly unknown[]).filter(isJsonObject) : [];
  const grave = (severity: string): readonly JsonObject[] => issues.filter((issue) => issue["severity"] === severity);
  return [...grave("fatal"), ...grave("error")];
}

/** `processing`, or with the server's own code `processing/4113`. */
function vendorCode(issue: JsonObject | undefined): string | undefined {
  const code = issue?.["code"];
  if (typeof code !== "string" || !/^[a-z-]{1,32}$/.test(code)) return undefined;
  const own = detailCode(issue?.["details"]);
  return own === undefined ? code : `${code}/${own}`;
}

function detailCode(details: unknown): string | undefined {
  const coding: unknown = isJsonObject(details) && Array.isArray(details["coding"]) ? details["coding"][0] : undefined;
  const code = isJsonObject(coding) ? coding["code"] : undefined;
  return typeof code === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(code) ? code : undefined;
}

/** Plain element paths only: an expression with a condition could hold a value. Indexes are left out. */
function elementsOf(issue: JsonObject): readonly string[] {
  const expressions = Array.isArray(issue["expression"]) ? (issue["expression"] as readonly unknown[]) : [];
  return expressions
    .filter((text) => typeof text === "string" && /^[A-Z][A-Za-z]*(\.[a-z][A-Za-z]*(\[\d{1,4}\])?){1,12}$/.test(text))
    .map((text) => (text as string).replaceAll(/\[\d+\]/g, ""));
}
