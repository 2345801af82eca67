// References between records cross systems by links: the CRM's contact id means nothing to the EHR. A neutral reference
// names the link, which is equal from either side; a local one names the record as that system knows it.
import { isJsonObject, type Json } from "../core/json.ts";
import type { RecordRef } from "../core/records.ts";
import type { FieldValues, NeutralReference } from "../mapping/contract.ts";
import { hmacId } from "../core/ids.ts";
import { refKey } from "../core/records.ts";
import { isFhir, type SyncRun } from "./run.ts";

export function asReference(value: Json | undefined): NeutralReference["$reference"] | undefined {
  if (!isJsonObject(value) || !isJsonObject(value["$reference"])) return undefined;
  const { type, id } = value["$reference"];
  return typeof type === "string" && typeof id === "string" ? { type, id } : undefined;
}

/** What `system` calls a record of the FHIR type `type`: on a CRM, the object of the channel's mapping for that type. */
export function localType(run: SyncRun, system: string, type: string): string | undefined {
  if (isFhir(run.active, system)) return type;
  const resource = run.channel.resources.find((one) => one.type === type);
  return resource?.mapping === undefined ? undefined : run.active.mapping(resource.mapping).declaration.crm.object;
}

/** The record that a reference value read from `system` points at. */
export function referencedRecord(run: SyncRun, system: string, value: Json | undefined): RecordRef | undefined {
  const reference = asReference(value);
  const type = reference && localType(run, system, reference.type);
  return reference && type !== undefined ? { system, type, id: reference.id } : undefined;
}

/** Reference values read from `system`, as links; one that is not linked keeps a name that equals no link. */
export async function neutralise(run: SyncRun, values: FieldValues, system: string): Promise<FieldValues> {
  const other = system === run.channel.from ? run.channel.to : run.channel.from;
  return mapReferences(run, values, async (value) => {
    const record = referencedRecord(run, system, value);
    if (!record) return value;
    const link = await run.gateway.store.links.pairOf(record, other);
    return link ? { $link: link.id } : { $unlinked: hmacId(run.gateway.keys.id, "unlinked", refKey(record)) };
  });
}

/** Neutral values as `system` writes them; undefined when a reference has no counterpart there yet. */
export async function localise(run: SyncRun, values: FieldValues, system: string): Promise<FieldValues | undefined> {
  const missing: Json[] = [];
  const local = await mapReferences(run, values, async (value, target) => {
    if (value === null) return null;
    const id = isJsonObject(value) ? value["$link"] : undefined;
    const link = typeof id === "string" ? await run.gateway.store.links.get(id) : undefined;
    const record = link?.records.find((one) => one.system === system);
    if (!record) missing.push(value);
    return record ? { $reference: { type: target, id: record.id } } : value;
  });
  return missing.length === 0 ? local : undefined;
}

async function mapReferences(
  run: SyncRun,
  values: FieldValues,
  change: (value: Json, target: string) => Promise<Json>,
): Promise<FieldValues> {
  const references = run.mapping.fields.filter((field) => field.isReference && values.has(field.name));
  if (references.length === 0) return values;
  const changed = new Map(values);
  for (const field of references) {
    const value = values.get(field.name);
    if (value === undefined) continue;
    changed.set(field.name, await change(value, field.target ?? "Patient"));
  }
  return changed;
}
