// Stage: reads the source record as it is now. A row is only a notice; what is sent is what is read here.
import type { Connector } from "../connector/contract.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { Phi } from "../core/phi.ts";
import type { RecordRef, SourceRecord } from "../core/records.ts";
import { callSystem } from "./call-system.ts";
import { quarantine } from "./causes.ts";
import { isFhir, type Run } from "./run.ts";
import { readingGuard } from "./guards.ts";
import { ended } from "./stop.ts";

const memo = new WeakMap<Run, SourceRecord>();

/** Reads once a run. Throws a Stop when the record is gone: there is nothing to send. */
export async function fetchSource(run: Run): Promise<SourceRecord> {
  const known = memo.get(run);
  if (known) return known;
  const record = await readRecord(run, run.row.source, sourceFields(run));
  if (!record) throw ended("unchanged", "record-gone");
  if (record.ref.id !== run.row.source.id) throw quarantine("identity-conflict", { channel: run.channel.id });
  memo.set(run, record);
  return record;
}

/** One record of any system, through the guard that lets no write pass. */
export async function readRecord(
  run: Run,
  record: RecordRef,
  fields: readonly string[],
): Promise<SourceRecord | undefined> {
  return readSystem(run, record.system, (connector) => connector.read(record.type, record.id, fields, true));
}

const marginMs = 250;

/** A read by this run: the lane is renewed first if the request might outlast it. */
export async function readSystem<T>(run: Run, system: string, read: (connector: Connector) => Promise<T>): Promise<T> {
  await run.lane.need((run.active.configuration.systems.get(system)?.timeoutMs ?? 0) + marginMs);
  return callSystem(run.gateway, system, readingGuard(run), read);
}

/** What a CRM is asked for: the mapped fields, and those by which test patients are known. */
export function sourceFields(run: Run, mapping = run.resource.mapping): readonly string[] {
  if (mapping === undefined) return [];
  const { crmFields, declaration } = run.active.mapping(mapping);
  if (isFhir(run.active, run.channel.from) || declaration.subject !== "self") return crmFields;
  const rules = run.active.configuration.systems.get(run.channel.from)?.testPatients ?? [];
  return [...new Set([...crmFields, ...rules.map((rule) => rule.path)])];
}

/** The content of a record. Callers are stages that must look inside. */
export function contentOf(record: SourceRecord): JsonObject {
  const content = Phi.open(record.body);
  return isJsonObject(content) ? content : {};
}
