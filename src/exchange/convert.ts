// Stage: the source record as neutral values and as the FHIR resource that stands in the middle of every conversion, so
// that minimum necessary is one rule for both directions.
import type { JsonObject } from "../core/json.ts";
import type { SourceRecord } from "../core/records.ts";
import type { FieldValues, Role } from "../mapping/contract.ts";
import { contentOf } from "./fetch.ts";
import { localise, neutralise } from "./references.ts";
import { isFhir, type SyncRun } from "./run.ts";
import { ended, waiting } from "./stop.ts";

export interface Converted {
  /** References as links. */
  readonly values: FieldValues;
  /** The mapped part of the record as a FHIR resource, references as the destination knows them. */
  readonly resource: JsonObject;
}

/** Values of a record of either system, in that system's own references. */
export function readValues(run: SyncRun, record: SourceRecord, role: Role = "source"): FieldValues {
  const content = contentOf(record);
  const { mapping } = run;
  return isFhir(run.active, record.ref.system) ? mapping.readFhir(content, role) : mapping.readCrm(content, role);
}

/** Throws a Stop when the record is no visit, or when its person is not known at the destination yet. */
export async function convertRecord(run: SyncRun, record: SourceRecord): Promise<Converted> {
  if (!isFhir(run.active, record.ref.system) && run.mapping.ignores(contentOf(record))) throw ended("not-a-visit");
  const values = await neutralise(run, readValues(run, record), record.ref.system);
  const local = await localise(run, values, run.channel.to);
  if (!local) throw waiting("person-not-linked");
  return { values, resource: run.mapping.writeMiddle(local) };
}
