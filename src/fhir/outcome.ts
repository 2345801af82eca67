// Sluice's errors as OperationOutcome. Only the error's own words go in, which by contract carry no PHI.
import { asSluiceError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";

/** Code system of Sluice's error codes in `issue.details`. */
export const errorCodeSystem = "urn:x-sluice:error-code";

/** Any thrown value as an R4 OperationOutcome with one issue (operationoutcome.html); foreign errors lose their text. */
export function operationOutcome(thrown: unknown): JsonObject {
  const error = asSluiceError(thrown);
  const { hint, elements = [] } = error.detail;
  return {
    resourceType: "OperationOutcome",
    issue: [
      {
        severity: "error",
        code: error.issue,
        details: { coding: [{ system: errorCodeSystem, code: error.code }], text: error.message },
        ...(hint === undefined ? {} : { diagnostics: hint }),
        ...(elements.length === 0 ? {} : { expression: elements }),
      },
    ],
  };
}
