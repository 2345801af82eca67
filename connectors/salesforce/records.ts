// Salesforce's JSON records as SourceRecords. A record that lacks its id or stamp is no answer.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import { Phi } from "../../src/core/phi.ts";
import type { SourceRecord } from "../../src/core/records.ts";

/** Without the client's `attributes`; `changedAt` is SystemModstamp as Salesforce writes it. Throws `system-answer-malformed`. */
export function toRecord(system: string, type: string, json: JsonObject): SourceRecord {
  const { attributes: _attributes, ...body } = json;
  const id = body["Id"];
  const changedAt = body["SystemModstamp"];
  if (typeof id !== "string" || typeof changedAt !== "string" || Number.isNaN(Date.parse(changedAt))) throw malformed();
  return { ref: { system, type, id }, version: undefined, changedAt, body: new Phi(body) };
}

/** The records of a query's answer. */
export function recordsOf(answer: JsonObject | undefined): readonly JsonObject[] {
  const records = answer?.["records"];
  if (!Array.isArray(records)) throw malformed();
  return (records as readonly unknown[]).map((record) => {
    if (!isJsonObject(record)) throw malformed();
    return record;
  });
}

/** Milliseconds of a stamp such as `2026-11-25T10:00:00.000+0000`. */
export function stampOf(record: SourceRecord): number {
  return Date.parse(record.changedAt ?? "");
}

function malformed(): SluiceError {
  return new SluiceError("system-answer-malformed", "the answer is not what a Salesforce query answers");
}
