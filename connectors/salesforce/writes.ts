// What a write may hold, and the precondition that it travels under.
import type { WriteRequest } from "../../src/connector/contract.ts";
import { SluiceError } from "../../src/core/errors.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { fieldName } from "./soql.ts";

/** The changed fields. The link field travels in an upsert's path and is refused in its body, so it is left out. */
export function writableBody(request: WriteRequest, linkField: string): JsonObject {
  const fields = Object.entries(request.body).filter(([name]) => name !== linkField);
  const link = request.body[linkField];
  if (link !== undefined && link !== request.linkId) {
    throw new SluiceError("mapping-refused", "the record carries another link id than its link", {
      elements: [linkField],
    });
  }
  return Object.fromEntries(fields.map(([name, value]) => [fieldName(name), value]));
}

/**
 * `If-Unmodified-Since` of the version that the body was made from: whole seconds, rounded up so that the version itself
 * passes. Without a known version nothing is overwritten: `system-conflict`, so that the record is read first.
 */
export function unmodifiedSince(changedAt: string | undefined): string {
  const at = Date.parse(changedAt ?? "");
  if (Number.isNaN(at)) {
    throw new SluiceError("system-conflict", "the time of the version that is to be updated is not known", {
      hint: "the record must be read before it is updated",
    });
  }
  return new Date(Math.ceil(at / 1000) * 1000).toUTCString();
}
