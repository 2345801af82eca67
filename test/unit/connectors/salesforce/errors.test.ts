// Each answer of the org becomes the right error in the right retry class; its messages never survive.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { salesforceFailure } from "../../../../connectors/salesforce/errors.ts";
import type { ErrorCode, RetryClass } from "../../../../src/core/errors.ts";

const secret = "Smith-Canary";

function failure(status: number, body: unknown, unsafe = true, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return salesforceFailure({ status, headers, body: text }, { unsafe, now: 0 });
}

function coded(status: number, errorCode: string, fields: readonly string[] = [], unsafe = true) {
  return failure(status, [{ message: `${secret} is wrong`, errorCode, fields }], unsafe);
}

const table: readonly (readonly [status: number, vendor: string, code: ErrorCode, retry: RetryClass])[] = [
  [401, "INVALID_SESSION_ID", "system-session-ended", "transient"],
  [403, "REQUEST_LIMIT_EXCEEDED", "system-throttled", "transient"],
  [400, "UNABLE_TO_LOCK_ROW", "system-busy", "transient"],
  [503, "SERVER_UNAVAILABLE", "system-busy", "transient"],
  [500, "UNKNOWN_EXCEPTION", "system-busy", "ambiguous"],
  [400, "REQUIRED_FIELD_MISSING", "system-rejected", "permanent"],
  [400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "system-rejected", "permanent"],
  [400, "DUPLICATES_DETECTED", "system-rejected", "permanent"],
  [400, "INVALID_FIELD", "system-rejected", "permanent"],
  [400, "STRING_TOO_LONG", "system-rejected", "permanent"],
  [400, "MALFORMED_ID", "system-rejected", "permanent"],
  [400, "SOME_CODE_OF_TOMORROW", "system-rejected", "permanent"],
  [404, "NOT_FOUND", "record-not-found", "permanent"],
  [404, "ENTITY_IS_DELETED", "record-not-found", "permanent"],
  [400, "INSUFFICIENT_ACCESS_OR_READONLY", "system-forbidden", "permanent"],
  [403, "API_DISABLED_FOR_ORG", "system-forbidden", "permanent"],
  [412, "PRECONDITION_FAILED", "system-conflict", "transient"],
];

describe("salesforce errors", () => {
  for (const [status, vendor, code, retry] of table) {
    it(`${status} ${vendor} is ${code}, ${retry}`, () => {
      const error = coded(status, vendor, ["LastName"]);
      assert.equal(error.code, code);
      assert.equal(error.retry, retry);
      assert.equal(error.detail.vendorCode, vendor);
      assert.equal(error.detail.status, status);
      assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(secret));
    });
  }

  it("names the fields of all errors, and nothing that is no field name", () => {
    const error = failure(400, [
      { message: secret, errorCode: "REQUIRED_FIELD_MISSING", fields: ["LastName", `Email ${secret}`] },
      { message: secret, errorCode: "INVALID_FIELD", fields: ["MRN__c", 5] },
    ]);
    assert.equal(error.detail.vendorCode, "REQUIRED_FIELD_MISSING");
    assert.deepEqual(error.detail.elements, ["LastName", "MRN__c"]);
  });

  it("takes an error code only when it looks like one", () => {
    assert.equal(coded(400, `bad ${secret}`).detail.vendorCode, undefined);
    assert.equal(coded(400, "constructor").code, "system-rejected");
  });

  it("goes by the status when the body is no list of errors", () => {
    assert.equal(failure(502, "<html>Bad gateway</html>", false).retry, "transient");
    assert.equal(failure(502, "<html>Bad gateway</html>").retry, "ambiguous");
    assert.equal(failure(404, "<html></html>").detail.vendorCode, undefined);
    assert.equal(failure(429, "", true, { "retry-after": "7" }).detail.retryAfter, 7_000);
    assert.equal(failure(400, []).code, "system-rejected");
  });

  it("says record-ambiguous when a key has several records", () => {
    const error = failure(300, ["/services/data/v67.0/sobjects/Contact/0035e00000000001"]);
    assert.equal(error.code, "record-ambiguous");
    assert.equal(error.retry, "permanent");
  });

  it("waits long when the daily allowance is gone, shortly when only long calls crowd, as told when told", () => {
    const limit = [{ errorCode: "REQUEST_LIMIT_EXCEEDED", message: "" }];
    assert.equal(failure(403, limit).detail.retryAfter, 900_000);
    assert.equal(failure(403, limit, true, { "sforce-limit-info": "api-usage=100/100" }).detail.retryAfter, 900_000);
    assert.equal(failure(403, limit, true, { "sforce-limit-info": "api-usage=5/100" }).detail.retryAfter, 30_000);
    assert.equal(failure(403, limit, true, { "retry-after": "2" }).detail.retryAfter, 2_000);
  });
});
